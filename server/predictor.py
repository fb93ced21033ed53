"""From questions to answers, all of them recorded that an experiment decided."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from core.assignment import pseudonym
from core.decision import Signal
from core.detector import Detector, Outcome, Prediction
from core.errors import ModelUnavailable, ServiceError
from core.experiments import Variant, now_micros
from core.exposures import Exposure, Failure, Record, new_prediction_id
from core.journal import Journal
from core.routing import Assigned, Question, Route, detector_for, route, stand_in
from core.serving import Serving
from server.metrics import Metrics
from server.shadow import Shadow
from server.throttle import Throttle

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

    def __init__(self, journal: Journal, metrics: Metrics, shadow: Shadow) -> None:
        self._journal = journal
        self._metrics = metrics
        self._shadow = shadow
        self._throttle = Throttle()

    def predict(self, serving: Serving, questions: Sequence[Question]) -> list[Result]:
        """Answer each question, in order; raises no ServiceError."""
        routes = [route(serving, question.version, question.user) for question in questions]
        results = [
            self._result(serving, chosen, question, outcome)
            for question, chosen, outcome in zip(questions, routes, _ask(serving, routes, questions), strict=True)
        ]
        if serving.experiment is not None:
            self._record(serving, routes, questions, results)
        answered: dict[tuple[str, Signal], int] = {}
        for result in results:
            if isinstance(result, Answered):
                key = (result.prediction.version, result.prediction.decision.signal)
                answered[key] = answered.get(key, 0) + 1
        for key, count in answered.items():
            self._metrics.predictions[key].inc(count)
        return results

    def _result(self, serving: Serving, chosen: Route, question: Question, outcome: Outcome) -> Result:
        if isinstance(outcome, Prediction):
            return Answered(outcome)
        # A version that was asked for by name is the one that the client wants, and a body that does not fit the
        # first choice is the client's to mend.
        if chosen.named or not isinstance(outcome, ModelUnavailable):
            return outcome
        prediction = stand_in(serving, chosen, question.source)
        if prediction is None:
            return outcome
        wanted = str(chosen.version)
        self._metrics.fallbacks[wanted, prediction.version].inc()
        if self._throttle.passes(wanted):
            log.warning("version %s stands in for %s: %s", prediction.version, wanted, outcome)
        return Answered(prediction, outcome.message)

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


def _ask(serving: Serving, routes: Sequence[Route], questions: Sequence[Question]) -> list[Outcome]:
    """The outcome of each first choice; those of the same version run together."""
    outcomes: dict[int, Outcome] = {}
    by_detector: dict[Detector, list[int]] = {}
    for i, chosen in enumerate(routes):
        try:
            by_detector.setdefault(detector_for(serving, chosen), []).append(i)
        except ServiceError as error:
            outcomes[i] = error
    for detector, group in by_detector.items():
        outcomes |= zip(group, detector.predict([questions[i].source for i in group]), strict=True)
    return [outcomes[i] for i in range(len(routes))]


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
    )
