"""Answers questions, and records every answer that an experiment decided."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from core.errors import InsufficientData, InvalidInput, ModelUnavailable, ServiceError
from core.experiments.assignment import pseudonym
from core.experiments.experiment import Experiment, Micros, Variant, now_micros
from core.experiments.records import Exposure, Failure, Record, Refusal, new_prediction_id
from core.inference.decision import Signal
from core.inference.detector import Detector, DetectorResult, Prediction
from core.journals.journal import Journal
from core.log_event import LogEvent
from core.serving.circuit_breaker import CircuitBreaker
from core.serving.registry import Registry
from core.serving.routing import Answered, Assigned, Question, Result, Route, route
from core.serving.snapshot import Snapshot
from server.http.deadline import late_in_queue
from server.http.log_throttle import Throttle
from server.worker.beside import BesideCounter
from server.worker.dashboard.recent import Recent
from server.worker.dashboard.windows import KeptWindows
from server.worker.metrics import Metrics
from server.worker.shadow import Shadow
from server.worker.timings import TOGETHER

log = logging.getLogger(__name__)

_OWN_AND_OTHER: dict[Variant, tuple[Variant, Variant]] = {"A": ("A", "B"), "B": ("B", "A")}


class Predictor:
    """Answers with the loaded versions, falls back if one fails, and records exposures before they are answered."""

    def __init__(  # noqa: PLR0913 - the last one by name
        self,
        registry: Registry,
        journal: Journal,
        metrics: Metrics,
        shadow: Shadow,
        breaker: CircuitBreaker,
        *,
        windows: KeptWindows | None = None,
    ) -> None:
        """`windows`: where windows are kept; None: they are not."""
        self.beside, self.recent = BesideCounter(journal), Recent()
        self._windows = windows
        self._registry = registry
        self._journal = journal
        self._metrics = metrics
        self._shadow = shadow
        self._breaker = breaker
        self._throttle = Throttle()

    def answer(self, questions: Sequence[Question]) -> list[Result]:
        """Answer each question with the current snapshot, as `predict` does."""
        return self.predict(self._registry.snapshot, questions)

    def predict(self, snapshot: Snapshot, questions: Sequence[Question]) -> list[Result]:
        """Answer each question, in order. A ServiceError is a result, and is not raised.

        The caller passes the results to `note`, after the answers if that can be.
        """
        routes = [route(snapshot, q.version, q.user, q.source.opens, q.timeframe) for q in questions]
        detector_results = self._ask(snapshot, routes, questions)
        results = self._results(snapshot, routes, questions, detector_results)
        if snapshot.experiment is not None:
            self._record(snapshot, snapshot.experiment, routes, questions, results)
        return results

    def note(self, questions: Sequence[Question], results: Sequence[Result]) -> None:
        """Count the answers, and keep them for the dashboard. No answer waits for that: it needs 11 µs for one."""
        answered: dict[tuple[str, Signal], int] = {}
        warned: list[Prediction] = []
        confidences, keep, windows = self._metrics.confidences.kept, self.recent.keep, self._windows
        at, now = time.time(), time.perf_counter()
        for question, result in zip(questions, results, strict=True):
            if isinstance(result, Answered):
                prediction, reason, exposure = result
                exposed = (
                    None if exposure is None else (exposure.experiment_id, exposure.variant, exposure.prediction_id)
                )
                recent = (at, now - question.since, question.pair, question.timeframe, prediction, reason, exposed)
                keep(recent)
                if windows is not None:
                    windows.keep(question.source, recent)
                key = (prediction.version, prediction.decision.signal)
                answered[key] = answered.get(key, 0) + 1
                confidences.append((prediction.version, prediction.decision.confidence))
                if prediction.warnings:
                    warned.append(prediction)
        if len(confidences) >= TOGETHER:
            self._metrics.confidences.flush()
        self._metrics.runs += 1
        for key, count in answered.items():
            self._metrics.predictions[key].inc(count)
            self.recent.answered += count
        if warned:
            self._metrics.warned(warned)

    def _ask(self, snapshot: Snapshot, routes: Sequence[Route], questions: Sequence[Question]) -> list[DetectorResult]:
        """The result of each question's first choice. Questions with the same first choice run together."""
        detector_results: dict[int, DetectorResult] = {}
        by_detector: dict[Detector, list[int]] = {}
        now = time.perf_counter()
        for i, chosen in enumerate(routes):
            try:
                if questions[i].until < now:
                    raise late_in_queue()
                # The version is nearly always loaded. If it is not, the snapshot raises the reason.
                detector = snapshot.detectors.get(chosen.version or "")
                if detector is None:
                    detector = snapshot.choose(chosen.version, "version" if chosen.named else None)
                if not chosen.named and (reason := self._breaker.reason(detector)) is not None:
                    raise ModelUnavailable(reason)
                by_detector.setdefault(detector, []).append(i)
            except ServiceError as error:
                detector_results[i] = error
        for detector, group in by_detector.items():
            detector_results |= self._run(detector, group, routes, questions)
        return [detector_results[i] for i in range(len(routes))]

    def _run(
        self, detector: Detector, group: Sequence[int], routes: Sequence[Route], questions: Sequence[Question]
    ) -> dict[int, DetectorResult]:
        found = dict(zip(group, detector.predict([questions[i].source for i in group]), strict=True))
        # A question that names a version has no fallback. Its failure is not counted, so that the circuit breaker does
        # not take the version away from other questions.
        self._breaker.note(detector, [detector_result for i, detector_result in found.items() if not routes[i].named])
        return found

    def _results(
        self,
        snapshot: Snapshot,
        routes: Sequence[Route],
        questions: Sequence[Question],
        detector_results: Sequence[DetectorResult],
    ) -> list[Result]:
        """The results. If a first choice cannot answer, another version's result takes its place."""
        results: list[Result] = []
        failed: list[int] = []
        for i, detector_result in enumerate(detector_results):
            if isinstance(detector_result, Prediction):
                results.append(Answered(detector_result))
                continue
            results.append(detector_result)
            # A version that the request names has no fallback: the client wants that one. Nor has a body that the first
            # choice refuses: the client must fix it.
            if isinstance(detector_result, ModelUnavailable) and not routes[i].named:
                failed.append(i)
        if failed:
            self._fall_back(snapshot, routes, questions, failed, results)
        return results

    def _fall_back(
        self,
        snapshot: Snapshot,
        routes: Sequence[Route],
        questions: Sequence[Question],
        failed: Sequence[int],
        results: list[Result],
    ) -> None:
        """Put into `results` the answer of the first version of the fallback order that has one."""
        for version in snapshot.order:
            detector = snapshot.detectors[version]
            if self._breaker.reason(detector) is not None:
                continue
            group = [i for i in failed if routes[i].version != version and not isinstance(results[i], Answered)]
            for i, detector_result in self._run(detector, group, routes, questions).items() if group else ():
                why = results[i]
                if not isinstance(detector_result, Prediction) or not isinstance(why, ModelUnavailable):
                    continue
                wanted = str(routes[i].version)
                results[i] = Answered(detector_result, why.message)
                self._metrics.fallbacks[wanted, version].inc()
                if self._throttle.passes(wanted):
                    event = LogEvent("fallback_used", version=wanted, served_by=version, error=why)
                    log.warning(event, extra={"request_id": questions[i].request_id})

    def _record(
        self,
        snapshot: Snapshot,
        experiment: Experiment,
        routes: Sequence[Route],
        questions: Sequence[Question],
        results: list[Result],
    ) -> None:
        """Record what the experiment decided, in one append, add each exposure to its result, and count the rest."""
        records: list[Record] = []
        beside: list[bool] = []
        shadowed: list[tuple[Exposure, Question]] = []
        is_shadow, exposed = experiment.mode == "shadow", self._metrics.exposed
        now = _Now(now_micros(), time.perf_counter())
        for i, (chosen, question) in enumerate(zip(routes, questions, strict=True)):
            if (assigned := chosen.assigned) is None:
                beside.append(chosen.named)
                continue
            result = results[i]
            if isinstance(result, Answered):
                exposure = _exposure(snapshot, assigned, question, result, now)
                results[i] = Answered(result.prediction, result.fallback_reason, exposure)
                records.append(exposure)
                exposed[assigned.variant] += 1
                if is_shadow and result.fallback_reason is None:
                    shadowed.append((exposure, question))
            else:
                records += _unanswered(snapshot, assigned, question, result)
        if records:
            self._journal.append(records)
        if beside:
            self.beside.add(experiment.experiment_id, beside)
        for exposure, question in shadowed:
            self._shadow.add(exposure, question.source)


def _unanswered(
    snapshot: Snapshot, assigned: Assigned, question: Question, error: ServiceError
) -> Iterator[Failure | Refusal]:
    """The record of a request without an answer, if the variant is the cause and not the client."""
    if isinstance(error, ModelUnavailable):
        yield Failure(now_micros(), assigned.experiment.experiment_id, assigned.variant)
    elif isinstance(error, (InsufficientData, InvalidInput)) and _refused(snapshot, assigned, question):
        yield Refusal(now_micros(), assigned.experiment.experiment_id, assigned.variant)


def _refused(snapshot: Snapshot, assigned: Assigned, question: Question) -> bool:
    """Whether the input does not suit the assigned version alone. One that suits neither is the client's fault.

    If the other version is not loaded, it cannot tell, and only the assigned one counts.
    """
    own, other = (
        snapshot.detectors.get(assigned.experiment.version_of(variant)) for variant in _OWN_AND_OTHER[assigned.variant]
    )
    if own is None or own.suits(question.source):  # a value that is too large is not a requirement
        return False
    return other is None or other.suits(question.source)


class _Now(NamedTuple):
    """The present time: in microseconds since 1970, and of time.perf_counter."""

    micros: Micros
    counter: float


def _exposure(snapshot: Snapshot, assigned: Assigned, question: Question, result: Answered, now: _Now) -> Exposure:
    experiment, variant, block = assigned
    prediction, source = result.prediction, question.source
    decision = prediction.decision
    latency_us = int((now.counter - question.since) * 1e6)
    limit_ms = experiment.guardrails.max_p99_ms
    # In the order of the fields, because 19 names take four times as long.
    return Exposure(
        new_prediction_id(now.micros),
        now.micros,
        experiment.experiment_id,
        variant,
        prediction.version,
        result.fallback_reason,
        None if question.user is None else pseudonym(question.user, snapshot.user_key),
        question.pair,
        question.timeframe,
        source.candle_key(),
        decision.signal,
        decision.confidence,
        decision.stage1_prob,
        decision.stage2_prob,
        latency_us,
        limit_ms is not None and latency_us > limit_ms * 1000,  # slow
        tuple([warning.code for warning in prediction.warnings]) if prediction.warnings else (),
        source.window_key() if experiment.mode == "shadow" else "",
        block,
    )
