"""From questions to answers, all of them recorded that an experiment decided."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from core.errors import DeadlineExceeded, ModelUnavailable, ServiceError
from core.experiments.assignment import pseudonym
from core.experiments.experiment import Variant, now_micros
from core.experiments.records import Exposure, Failure, Record, new_prediction_id
from core.inference.decision import Signal
from core.inference.detector import Detector, Outcome, Prediction
from core.journals.journal import Journal
from core.serving.circuit_breaker import Breaker
from core.serving.routing import Assigned, Question, Route, detector_for, route
from core.serving.snapshot import Serving
from server.http.log_throttle import Throttle
from server.worker.metrics import Metrics
from server.worker.shadow import Shadow

log = logging.getLogger(__name__)


class Answered(NamedTuple):
    """An answer. fallback_reason: why another version than the first choice gave it.

    exposure: what was recorded of it, where an experiment decided who answers.
    """

    prediction: Prediction
    fallback_reason: str | None = None
    exposure: Exposure | None = None


Result: TypeAlias = Answered | ServiceError


class Predictor:
    """Answers with what is served, falls back, and writes down exposures before anybody sees the answer."""

    def __init__(self, journal: Journal, metrics: Metrics, shadow: Shadow, breaker: Breaker) -> None:
        self._journal = journal
        self._metrics = metrics
        self._shadow = shadow
        self._breaker = breaker
        self._throttle = Throttle()

    def predict(self, serving: Serving, questions: Sequence[Question]) -> list[Result]:
        """Answer each question, in order; raises no ServiceError."""
        routes = [route(serving, question.version, question.user) for question in questions]
        outcomes = self._ask(serving, routes, questions)
        results = self._results(serving, routes, questions, outcomes)
        if serving.experiment is not None:
            self._record(serving, routes, questions, results)
        answered: dict[tuple[str, Signal], int] = {}
        warned: list[Prediction] = []
        for result in results:
            if isinstance(result, Answered):
                prediction = result.prediction
                key = (prediction.version, prediction.decision.signal)
                answered[key] = answered.get(key, 0) + 1
                if prediction.warnings:
                    warned.append(prediction)
        for key, count in answered.items():
            self._metrics.predictions[key].inc(count)
        if warned:
            self._metrics.warned(warned)
        return results

    def _ask(self, serving: Serving, routes: Sequence[Route], questions: Sequence[Question]) -> list[Outcome]:
        """The outcome of each first choice; those of the same version run together."""
        outcomes: dict[int, Outcome] = {}
        by_detector: dict[Detector, list[int]] = {}
        now = time.perf_counter()
        for i, chosen in enumerate(routes):
            try:
                if questions[i].until < now:
                    raise DeadlineExceeded("the request's time was over before its turn came")
                detector = detector_for(serving, chosen)
                if not chosen.named and (reason := self._breaker.reason(detector)) is not None:
                    raise ModelUnavailable(reason)
                by_detector.setdefault(detector, []).append(i)
            except ServiceError as error:
                outcomes[i] = error
        for detector, group in by_detector.items():
            outcomes |= self._run(detector, group, routes, questions)
        return [outcomes[i] for i in range(len(routes))]

    def _run(
        self, detector: Detector, group: Sequence[int], routes: Sequence[Route], questions: Sequence[Question]
    ) -> dict[int, Outcome]:
        found = dict(zip(group, detector.predict([questions[i].source for i in group]), strict=True))
        # Who names a version is answered by that one alone: what it cannot answer there is nobody else's business.
        self._breaker.note(detector, [outcome for i, outcome in found.items() if not routes[i].named])
        return found

    def _results(
        self, serving: Serving, routes: Sequence[Route], questions: Sequence[Question], outcomes: Sequence[Outcome]
    ) -> list[Result]:
        """The outcomes, or another version's where the first choice cannot answer."""
        results: list[Result] = []
        failed: list[int] = []
        for i, outcome in enumerate(outcomes):
            if isinstance(outcome, Prediction):
                results.append(Answered(outcome))
                continue
            results.append(outcome)
            # A version that was asked for by name is the one that the client wants, and a body that does not fit the
            # first choice is the client's to mend.
            if isinstance(outcome, ModelUnavailable) and not routes[i].named:
                failed.append(i)
        if failed:
            self._stand_in(serving, routes, questions, failed, results)
        return results

    def _stand_in(
        self,
        serving: Serving,
        routes: Sequence[Route],
        questions: Sequence[Question],
        failed: Sequence[int],
        results: list[Result],
    ) -> None:
        """Put into `results` the answer of the first version of the fallback order that has one, if any has."""
        for version in serving.order:
            detector = serving.detectors[version]
            if self._breaker.reason(detector) is not None:
                continue
            group = [i for i in failed if routes[i].version != version and not isinstance(results[i], Answered)]
            for i, outcome in self._run(detector, group, routes, questions).items() if group else ():
                why = results[i]
                if not isinstance(outcome, Prediction) or not isinstance(why, ModelUnavailable):
                    continue
                wanted = str(routes[i].version)
                results[i] = Answered(outcome, why.message)
                self._metrics.fallbacks[wanted, version].inc()
                if self._throttle.passes(wanted):
                    log.warning("version %s stands in for %s: %s", version, wanted, why)

    def _record(
        self,
        serving: Serving,
        routes: Sequence[Route],
        questions: Sequence[Question],
        results: list[Result],
    ) -> None:
        """Write what the experiment is to know of the `results`, in one append, and add the exposures to them."""
        records: list[Record] = []
        exposed: Counter[Variant] = Counter()
        shadowed: list[tuple[Exposure, Question]] = []
        for i, (chosen, question) in enumerate(zip(routes, questions, strict=True)):
            if chosen.assigned is None:
                continue
            result = results[i]
            if isinstance(result, Answered):
                exposure = _exposure(serving, chosen.assigned, question, result)
                results[i] = result._replace(exposure=exposure)
                records.append(exposure)
                exposed[exposure.variant] += 1
                if chosen.assigned.experiment.mode == "shadow" and result.fallback_reason is None:
                    shadowed.append((exposure, question))
            elif isinstance(result, ModelUnavailable):
                experiment, variant = chosen.assigned
                records.append(Failure(now_micros(), experiment.experiment_id, variant))
        if records:
            self._journal.append(records)
        for variant, count in exposed.items():
            self._metrics.exposures[(variant,)].inc(count)
        for exposure, question in shadowed:
            self._shadow.add(exposure, question.source)


def _exposure(serving: Serving, assigned: Assigned, question: Question, result: Answered) -> Exposure:
    now = now_micros()
    latency_us = int((time.perf_counter() - question.since) * 1e6)
    limit_ms = assigned.experiment.guardrails.max_p99_ms
    decision = result.prediction.decision
    return Exposure(
        prediction_id=new_prediction_id(now),
        at=now,
        experiment_id=assigned.experiment.experiment_id,
        variant=assigned.variant,
        version=result.prediction.version,
        fallback_reason=result.fallback_reason,
        user=None if question.user is None else pseudonym(question.user, serving.user_key),
        pair=question.pair,
        timeframe=question.timeframe,
        candle=question.source.candle_key(),
        signal=decision.signal,
        confidence=decision.confidence,
        stage1_prob=decision.stage1_prob,
        stage2_prob=decision.stage2_prob,
        latency_us=latency_us,
        slow=limit_ms is not None and latency_us > limit_ms * 1000,
        warnings=tuple([warning.code for warning in result.prediction.warnings]),
    )
