"""Answers questions, and records every answer that an experiment decided."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from core.errors import InsufficientData, InvalidInput, ModelUnavailable, ServiceError
from core.experiments.assignment import pseudonym
from core.experiments.experiment import Micros, Variant, now_micros
from core.experiments.records import Exposure, Failure, Record, Refusal, new_prediction_id, prediction_moment
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

# The present time: in microseconds since 1970, of time.perf_counter, and as ids of predictions have it.
_Now: TypeAlias = tuple[Micros, float, str]
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

        The caller calls `note` with the same questions once it has the results.
        """
        routes = [route(snapshot, q.version, q.user, q.source.opens, q.timeframe) for q in questions]
        detector_results = self._ask(snapshot, routes, questions)
        results = self._results(snapshot, routes, questions, detector_results)
        if snapshot.experiment is not None:
            micros = now_micros()
            now = micros, time.perf_counter(), prediction_moment(micros)
            self._record(snapshot, routes, questions, results, now)
        return results

    def note(self, questions: Sequence[Question], results: Sequence[Result]) -> None:
        """Count the answers, and keep them for the dashboard. No answer waits for that."""
        at, now = time.time(), time.perf_counter()
        answered: dict[tuple[str, Signal], int] = {}
        warned: list[Prediction] = []
        confidences, keep, windows = self._metrics.confidences.kept, self.recent.keep, self._windows
        for question, result in zip(questions, results, strict=True):
            if isinstance(result, Answered):
                prediction, pair, timeframe = result.prediction, question.pair, question.timeframe
                reason, exposure = result.fallback_reason, result.exposure
                recent = (at, now - question.since, pair, timeframe, prediction, reason, exposure)
                keep(recent)
                if windows is not None:
                    windows.keep(question.source, recent)
                version, decision = prediction.version, prediction.decision
                key = (version, decision.signal)
                answered[key] = answered.get(key, 0) + 1
                confidences.append((version, decision.confidence))
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
        routes: Sequence[Route],
        questions: Sequence[Question],
        results: Sequence[Result],
        now: _Now,
    ) -> None:
        """Record what the experiment decided, in one append, add each exposure to its answer, and count the rest."""
        records: list[Record] = []
        beside: list[bool] = []
        exposed = self._metrics.exposed
        for chosen, question, result in zip(routes, questions, results, strict=True):
            assigned = chosen.assigned
            if assigned is None:
                beside.append(chosen.named)
            elif isinstance(result, Answered):
                exposure = _exposure(snapshot, assigned, question, result, now)
                result.exposure = exposure
                records.append(exposure)
                exposed[assigned.variant] += 1
            else:
                records += _unanswered(snapshot, assigned, question, result)
        if records:
            self._journal.append(records)
        experiment = snapshot.experiment
        if experiment is None:
            return
        if beside:
            self.beside.add(experiment.experiment_id, beside)
        if experiment.mode == "shadow":
            for question, result in zip(questions, results, strict=True):
                if isinstance(result, Answered) and result.exposure is not None and result.fallback_reason is None:
                    self._shadow.add(result.exposure, question.source)


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


def _exposure(snapshot: Snapshot, assigned: Assigned, question: Question, answer: Answered, now: _Now) -> Exposure:
    micros, counter, moment = now
    experiment, variant, block = assigned
    prediction, source, user = answer.prediction, question.source, question.user
    decision, warnings = prediction.decision, prediction.warnings
    latency_us = int((counter - question.since) * 1e6)
    limit_ms = experiment.guardrails.max_p99_ms
    # In the order of the fields, because 19 names take four times as long.
    return Exposure(
        new_prediction_id(moment),
        micros,
        experiment.experiment_id,
        variant,
        prediction.version,
        answer.fallback_reason,
        None if user is None else pseudonym(user, snapshot.user_key),
        question.pair,
        question.timeframe,
        source.candle_key(),
        decision.signal,
        decision.confidence,
        decision.stage1_prob,
        decision.stage2_prob,
        latency_us,
        limit_ms is not None and latency_us > limit_ms * 1000,  # slow
        tuple([warning.code for warning in warnings]) if warnings else (),
        source.window_key() if experiment.mode == "shadow" else "",
        block,
    )
