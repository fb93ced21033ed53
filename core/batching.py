"""Requests that arrive together run together; nobody waits for company."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

Q = TypeVar("Q")
R = TypeVar("R")


class Batcher(Generic[Q, R]):
    """Collects what is asked in one turn of the event loop and answers it at once, in the order in which it came.

    There is no timer and no thread: the first question asks the loop to answer at the end of its turn, by when all
    requests have been read whose bytes had arrived. A lone one therefore is answered at once, too.
    """

    def __init__(self, answer: Callable[[Sequence[Q]], Sequence[R]], most: int) -> None:
        """`answer` gives an answer to each question. It never gets more than `most`: the others have the next turn."""
        self._answer = answer
        self._most = most
        self._waiting: list[tuple[Q, asyncio.Future[R]]] = []

    def ask(self, question: Q) -> asyncio.Future[R]:
        """The answer, soon. Who cancels it, as aiohttp does where a client has gone, is not answered."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._run)
        answer: asyncio.Future[R] = loop.create_future()
        self._waiting.append((question, answer))
        return answer

    def _run(self) -> None:
        some, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._run)
        self._settle([(question, answer) for question, answer in some if not answer.cancelled()])

    def _settle(self, some: Sequence[tuple[Q, asyncio.Future[R]]]) -> None:
        if not some:
            return
        try:
            found = self._answer([question for question, _ in some])
        except Exception as error:
            if len(some) > 1:  # one that fails as nobody foresaw must not take the others with it
                log.exception("%d questions failed together and are asked one by one", len(some))
                for one in some:
                    self._settle([one])
                return
            some[0][1].set_exception(error)
            return
        for (_, answer), result in zip(some, found, strict=True):
            answer.set_result(result)
