"""Requests that arrive together run together; nobody waits for company."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

log = logging.getLogger(__name__)

Q = TypeVar("Q")
R = TypeVar("R")
R_contra = TypeVar("R_contra", contravariant=True)


class Asker(Protocol[R_contra]):
    """Whom an answer goes to: a future, for one. Its methods raise nothing."""

    def cancelled(self) -> bool:
        """Whether nobody wants the answer any more."""

    def set_result(self, result: R_contra, /) -> None:
        """Take the answer."""

    def set_exception(self, error: Exception, /) -> None:
        """Take what was raised instead of an answer."""


class Batcher(Generic[Q, R]):
    """Collects what is asked in one turn of the event loop and answers it at once, in the order in which it came.

    There is no timer and no thread: the first question asks the loop to answer at the end of its turn, by when all
    requests have been read whose bytes had arrived. A lone one therefore is answered at once, too.
    """

    def __init__(self, answer: Callable[[Sequence[Q]], Sequence[R]], most: int) -> None:
        """`answer` gives an answer to each question. It never gets more than `most`: the others have the next turn."""
        self._answer = answer
        self._most = most
        self._waiting: list[tuple[Q, Asker[R]]] = []

    def ask(self, question: Q) -> asyncio.Future[R]:
        """The answer, soon. Who cancels it is not answered."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self.ask_for(question, answer)
        return answer

    def ask_for(self, question: Q, asker: Asker[R]) -> None:
        """Let somebody have the answer, soon."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._run)
        self._waiting.append((question, asker))

    def _run(self) -> None:
        some, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._run)
        self._settle([(question, asker) for question, asker in some if not asker.cancelled()])

    def _settle(self, some: Sequence[tuple[Q, Asker[R]]]) -> None:
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
        for (_, asker), result in zip(some, found, strict=True):
            asker.set_result(result)
