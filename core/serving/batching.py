"""Batching of requests that arrive together, without waiting for further ones."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from contextvars import copy_context
from time import perf_counter
from typing import Generic, Protocol, TypeVar

from core.log_event import LogEvent

log = logging.getLogger(__name__)

Q = TypeVar("Q")
R = TypeVar("R")
R_contra = TypeVar("R_contra", contravariant=True)


class Asker(Protocol[R_contra]):
    """The receiver of an answer, such as a future. Its methods must not raise."""

    def cancelled(self) -> bool:
        """Whether the answer is no longer wanted."""

    def set_result(self, result: R_contra, /) -> None:
        """Receive the answer."""

    def set_exception(self, error: Exception, /) -> None:
        """Receive the exception that was raised in place of an answer."""


class Batcher(Generic[Q, R]):
    """Collects the questions of one turn of the event loop and answers them in one batch, in order of arrival.

    There is no timer and no thread. The first question schedules the batch for the end of the loop's turn. By then the
    loop has read all requests that had arrived. A single question is therefore answered without delay, too.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Q]], Sequence[R]],
        most: int,
        note: Callable[[Sequence[Q], Sequence[R]], None] | None = None,
    ) -> None:
        """`answer` returns one answer per question. It gets at most `most` questions; the rest wait one more turn.

        note: called with the questions and the answers of a batch once the askers have the answers.
        """
        self._answer, self._note = answer, note
        self._most = most
        # A batch runs in no request's context: its log lines would have the id of the request that scheduled it.
        self._context = copy_context()
        self._waiting: list[tuple[Q, Asker[R]]] = []
        self._ran = -math.inf

    @property
    def ran(self) -> float:
        """When a batch ran last, of time.perf_counter."""
        return self._ran

    def ask(self, question: Q) -> asyncio.Future[R]:
        """A future of the answer. If it is cancelled before its batch runs, the question is dropped."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self.ask_for(question, answer)
        return answer

    def ask_for(self, question: Q, asker: Asker[R]) -> None:
        """Put a question into the next batch; `asker` receives the answer."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._run, context=self._context)
        self._waiting.append((question, asker))

    def _run(self) -> None:
        batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._run, context=self._context)
        self._settle([(question, asker) for question, asker in batch if not asker.cancelled()])
        self._ran = perf_counter()

    def _settle(self, batch: Sequence[tuple[Q, Asker[R]]]) -> None:
        if not batch:
            return
        questions = [question for question, _ in batch]
        try:
            answers = self._answer(questions)
        except Exception as error:
            if len(batch) > 1:  # an unexpected error of one question must not fail the others
                log.exception(LogEvent("batch_failed", count=len(batch), effect="each request runs again alone"))
                for one in batch:
                    self._settle([one])
                return
            batch[0][1].set_exception(error)
            return
        for (_, asker), result in zip(batch, answers, strict=True):
            asker.set_result(result)
        if self._note is not None:
            self._note(questions, answers)
