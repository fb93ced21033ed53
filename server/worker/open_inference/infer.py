"""Answers a request of the protocol, as /reversal/predict answers one item and /reversal/predict/batch several."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from time import perf_counter
from typing import Generic, NamedTuple, TypeVar

from aiohttp import web

from core.errors import ServiceError
from core.inference.detector import Spent
from core.serving.batching import Batcher
from core.serving.registry import Registry
from core.serving.routing import Answered, Question, Result
from server.http.admission import Admission
from server.http.app_keys import ADMISSION, BATCH_ADMISSION
from server.http.deadline import MOST_MS, late_in_queue
from server.http.fairness import let_others_run
from server.open_inference.answers import InferenceAnswer, answer
from server.open_inference.inference import Inference
from server.open_inference.questions import Questions
from server.worker.app_keys import BATCHER, METRICS, PREDICTOR, REGISTRY
from server.worker.handlers.batch import SLICE_ITEMS
from server.worker.metrics import Metrics
from server.worker.open_inference.statistics import InferenceTimes
from server.worker.predictor import Predictor
from server.worker.timings import Timings

T = TypeVar("T")

# The longest time in which questions are made without a pause for other requests.
_PAUSE_SECONDS = 300e-6
_MICROSECONDS = 1e6


class Inferred(NamedTuple, Generic[T]):
    """An answer as its transport wrote it, and the value of its Server-Timing header; empty for several items."""

    written: T
    timing: str


class InferenceService(NamedTuple):
    """What answers requests of the protocol in a worker."""

    registry: Registry
    predictor: Predictor
    batcher: Batcher[Question, Result]
    admission: Admission
    batch_admission: Admission
    metrics: Metrics

    @classmethod
    def of(cls, app: web.Application) -> InferenceService:
        """That of a worker's application."""
        return cls(app[REGISTRY], app[PREDICTOR], app[BATCHER], app[ADMISSION], app[BATCH_ADMISSION], app[METRICS])

    def check(self) -> None:
        """Raise Overloaded if too many requests are in progress. Call it before a body is read."""
        self.admission.check()

    async def infer(
        self,
        read: Callable[[], Inference],
        write: Callable[[InferenceAnswer], T],
        *,
        until: float,
        request_id: str,
        version: str | None = None,
    ) -> Inferred[T]:
        """Answer a request whose body has arrived. Raises the ServiceError of the request or of its first bad item.

        read: decodes the request. write: encodes the answer. until: the deadline, of time.perf_counter. version: that
        the request names outside of its body; None if it names none.
        """
        came = perf_counter()
        try:
            with ExitStack() as places:
                places.enter_context(self.admission.held())
                asked = read()
                if asked.parameters.timeout:
                    until = min(until, came + min(asked.parameters.timeout / _MICROSECONDS, MOST_MS / 1e3))
                questions = Questions(asked, came, until, request_id)
                if questions.count == 1:
                    return await self._infer_one(asked, questions, write, came)
                places.close()
                places.enter_context(self.batch_admission.held())
                return await self._infer_several(asked, questions, write, came, until)
        except ServiceError:
            self._count_failure(version, perf_counter() - came)
            raise
        except asyncio.CancelledError:
            self.metrics.abandoned.inc()
            raise

    async def _infer_one(
        self, asked: Inference, questions: Questions, write: Callable[[InferenceAnswer], T], came: float
    ) -> Inferred[T]:
        question = questions.question(0)
        parsed = perf_counter()
        result = await self.batcher.ask(question)
        known = perf_counter()
        if isinstance(result, ServiceError):
            raise result
        written = write(answer(asked, [question], [result]))
        spent = result.prediction.spent
        timing = self.metrics.timings.add(Timings.of(came, parsed, known, spent))
        times = InferenceTimes(came, parsed, known, perf_counter(), [spent])
        self.metrics.inference.succeeded(result.prediction.version, 1, times)
        return Inferred(written, timing)

    async def _infer_several(
        self, asked: Inference, several: Questions, write: Callable[[InferenceAnswer], T], came: float, until: float
    ) -> Inferred[T]:
        """All items see the same versions. All are checked before any is answered."""
        questions = await self._checked(several, until)
        snapshot = self.registry.snapshot
        parsed = perf_counter()
        results: list[Result] = []
        for begin in range(0, len(questions), SLICE_ITEMS):
            results += self.predictor.predict(snapshot, questions[begin : begin + SLICE_ITEMS])
            if any(isinstance(result, ServiceError) for result in results[begin:]):
                break  # `answer` raises it
            await let_others_run()
        known = perf_counter()
        written = write(answer(asked, questions, results))
        times = InferenceTimes(came, parsed, known, perf_counter(), _runs(results))
        first = results[0]
        if isinstance(first, Answered):
            self.metrics.inference.succeeded(first.prediction.version, len(results), times)
        return Inferred(written, "")

    @staticmethod
    async def _checked(several: Questions, until: float) -> list[Question]:
        questions: list[Question] = []
        since = perf_counter()
        for item in range(several.count):
            questions.append(several.question(item))
            now = perf_counter()
            if now > until:
                raise late_in_queue()
            if now - since > _PAUSE_SECONDS:
                await let_others_run()
                since = perf_counter()
        return questions

    def _count_failure(self, version: str | None, seconds: float) -> None:
        """Count a failure for its version, unless no such version exists: each label is kept forever."""
        snapshot = self.registry.snapshot
        asked = snapshot.active if version is None else version
        if asked is not None and asked in snapshot.known:
            self.metrics.inference.failed(asked, seconds)


def _runs(results: list[Result]) -> list[Spent]:
    """What each run spent. All answers of a run share one object."""
    found = {id(one.prediction.spent): one.prediction.spent for one in results if isinstance(one, Answered)}
    return [*found.values()]
