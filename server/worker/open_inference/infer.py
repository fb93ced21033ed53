"""Answers a request of the protocol, as /reversal/predict answers one item and /reversal/predict/batch several."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from time import perf_counter
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from aiohttp import web

from core.errors import ServiceError, UnknownVersion
from core.inference.detector import Spent
from core.serving.batching import Batcher
from core.serving.registry import Registry
from core.serving.routing import Answered, Question, Result
from server.http.admission import Admission
from server.http.app_keys import ADMISSION, BATCH_ADMISSION
from server.http.deadline import MOST_MS, late_in_queue
from server.http.fairness import let_others_run
from server.open_inference.inference import Inference, InferenceHead
from server.open_inference.questions import Questions
from server.tracing.tracer import Trace, recorded
from server.worker.app_keys import BATCHER, METRICS, PREDICTOR, REGISTRY
from server.worker.metrics import Metrics
from server.worker.pace import next_slice
from server.worker.predictor import Predictor
from server.worker.timings import Timings
from server.worker.tracing.phases import add_batch, add_prediction

T = TypeVar("T")
# Encodes the answer to a request, from its questions and their results. Raises the error of the first that has one.
Write: TypeAlias = Callable[[InferenceHead, Sequence[Question], Sequence[Result]], T]

# The longest time in which questions are made without a pause for other requests.
_PAUSE_SECONDS = 300e-6
_MICROSECONDS = 1e6


class Inferred(NamedTuple, Generic[T]):
    """An answer as its transport wrote it, and the value of its Server-Timing header; empty for several items."""

    written: T
    timing: str


class Asked(NamedTuple):
    """A request that has been decoded.

    came, until: when it arrived, and its deadline, of time.perf_counter. trace: None if it is not recorded.
    """

    head: InferenceHead
    questions: Questions
    came: float
    until: float
    trace: Trace | None

    @classmethod
    def of(cls, inference: Inference, came: float, until: float, request_id: str) -> Asked:
        """Prepare the questions of a request. Raises InvalidInput if its inputs or parameters do not fit each other."""
        if timeout := inference.head.parameters.timeout:
            until = min(until, came + min(timeout / _MICROSECONDS, MOST_MS / 1e3))
        return cls(inference.head, Questions(inference, came, until, request_id), came, until, recorded(request_id))


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

    def check_version(self, version: str | None) -> None:
        """Raise UnknownVersion for a version that does not exist, whatever the body of its request is."""
        known = self.registry.snapshot.known
        if version is not None and version not in known:
            raise UnknownVersion(version, known)

    async def infer(
        self,
        read: Callable[[], Inference],
        write: Write[T],
        *,
        until: float,
        request_id: str,
        version: str | None = None,
    ) -> Inferred[T]:
        """Answer a request whose body has arrived. Raises the ServiceError of the request or of its first bad item.

        read: decodes the request. until: the deadline, of time.perf_counter. version: that
        the request names outside of its body; None if it names none.
        """
        came = perf_counter()
        try:
            with ExitStack() as places:
                places.enter_context(self.admission.held())
                asked = Asked.of(read(), came, until, request_id)
                if asked.trace is not None:
                    asked.trace.add("read", asked.trace.began, came)
                if asked.questions.count == 1:
                    question = asked.questions.question(0)
                    parsed = perf_counter()
                    return self.written(asked, question, await self.batcher.ask(question), parsed, write)
                places.close()
                places.enter_context(self.batch_admission.held())
                return await self.infer_several(asked, write)
        except ServiceError:
            self.count_failure(version, perf_counter() - came)
            raise
        except asyncio.CancelledError:
            self.metrics.abandoned.inc()
            raise

    def written(self, asked: Asked, question: Question, result: Result, parsed: float, write: Write[T]) -> Inferred[T]:
        """The answer to a request of one item. Raises the ServiceError that is its result.

        parsed: when the question was known, of time.perf_counter.
        """
        known = perf_counter()
        if isinstance(result, ServiceError):
            raise result
        prediction = result.prediction
        written = write(asked.head, [question], [result])
        timing = self.metrics.timings.add(Timings.of(asked.came, parsed, known, prediction.spent))
        self.metrics.inference.succeeded(prediction.version, 1, asked.came, parsed, known, (prediction.spent,))
        if asked.trace is not None:
            add_prediction(asked.trace, asked.came, parsed, prediction)
            asked.trace.add("encode", known, perf_counter())
        return Inferred(written, timing)

    async def infer_several(self, asked: Asked, write: Write[T]) -> Inferred[T]:
        """Answer a request of several items. Raises the ServiceError of the first bad one.

        All items see the same versions. All are checked before any is answered.
        """
        questions = await self._checked(asked.questions, asked.until)
        snapshot = self.registry.snapshot
        parsed = perf_counter()
        results: list[Result] = []
        while (begin := len(results)) < len(questions):
            some = questions[begin : begin + next_slice(self.batcher).items]
            found = self.predictor.predict(snapshot, some)
            self.predictor.note(some, found)
            results += found
            if any(isinstance(result, ServiceError) for result in results[begin:]):
                break  # `write` raises it
            await let_others_run()
        known = perf_counter()
        written = write(asked.head, questions, results)
        if asked.trace is not None:
            add_batch(asked.trace, asked.came, parsed, known, len(results))
        first = results[0]
        if isinstance(first, Answered):
            version = first.prediction.version
            self.metrics.inference.succeeded(version, len(results), asked.came, parsed, known, _runs(results))
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

    def count_failure(self, version: str | None, seconds: float) -> None:
        """Count a failure for its version, unless no such version exists: each label is kept forever."""
        snapshot = self.registry.snapshot
        asked = snapshot.active if version is None else version
        if asked is not None and asked in snapshot.known:
            self.metrics.inference.failed(asked, seconds)


def _runs(results: list[Result]) -> list[Spent]:
    """What each run spent. All answers of a run share one object."""
    found = {id(one.prediction.spent): one.prediction.spent for one in results if isinstance(one, Answered)}
    return [*found.values()]
