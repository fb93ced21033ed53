"""Explain a version's answer: the Shapley values of each stage's probability (docs/explain.md)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.bundles.manifest import Direction
from core.errors import Conflict, InvalidInput, ModelUnavailable
from core.inference.decision import after_stage2, gate_opens, of_classes
from core.inference.detector import Detector
from core.inference.explanation import Shapley, shapley
from core.inference.inputs import WindowSource
from core.inference.stage_runner import Floats32, StageRunner

Method: TypeAlias = Literal["exact", "sampling"]
# The name of the number of reference windows, in requests and in errors.
BACKGROUND = "background"
_ADVICE = "the page docs/explain.md says how a conversion adds them"


class ExplainedStage(NamedTuple):
    """The values of one stage's probability.

    probability_of: what it is the probability of. used: whether the signal depends on it, which is false for the second
    stage of a hold. features: by name; they sum to value - base_value. standard_errors: None if the method is exact.
    """

    probability_of: Literal["reversal", "long", "short"]
    used: bool
    base_value: float
    value: float
    features: dict[str, float]
    method: Method
    standard_errors: dict[str, float] | None


class Explanation(NamedTuple):
    """The values of both stages. background: the reference windows. stage2: None if the version has no direction."""

    background: int
    stage1: ExplainedStage
    stage2: ExplainedStage | None

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        stages = {"stage1": self.stage1, "stage2": self.stage2}
        return {BACKGROUND: self.background} | {
            label: None if stage is None else stage._asdict() for label, stage in stages.items()
        }


def explain(
    detector: Detector, source: WindowSource, background: int = 1, between: Callable[[], None] = lambda: None
) -> Explanation:
    """Explain the answer for a source.

    background: the number of reference windows: 1 is the reference window of the bundle, more are so many of its stored
    ones. between: called after each run of a network; what it raises ends the work.
    Raises ServiceError as a prediction does, Conflict if the bundle has no reference window, and InvalidInput if it has
    too few stored windows.
    """
    runners = detector.runners
    references = [_references(detector, runner, background) for runner in runners]
    found = [
        shapley(partial(_answers, detector, runner), window, compared, between)
        for runner, window, compared in zip(runners, detector.inputs(source), references, strict=True)
    ]
    # A network of classes has the answers of both stages.
    columns = [(k, column) for k, each in enumerate(found) for column in range(len(each.value))]
    first, *rest = [_column(found[k], column) for k, column in columns]
    names = [runners[k].stage.scaled_features or runners[k].stage.features for k, _ in columns]
    p1, manifest = float(first.value[0]), detector.manifest
    stage1 = _explained(first, names[0], "reversal", used=True)
    if not rest or manifest.positive is None:
        return Explanation(background, stage1, None)
    (second,) = rest
    direction = after_stage2(p1, float(second.value[0]), manifest.positive, manifest.confidence_weights).direction
    if direction != manifest.positive:
        second = _opposite(second)
    stage2 = _explained(second, names[1], direction or manifest.positive, used=gate_opens(p1, manifest.threshold))
    return Explanation(background, stage1, stage2)


def _references(detector: Detector, runner: StageRunner, background: int) -> Floats32:
    """The reference windows of a stage; of the stored ones an even spread."""
    place = f"version {detector.manifest.version}, {runner.label}"
    if background == 1:
        if not len(runner.reference):
            raise Conflict(f"{place}: its bundle has no background window to explain with; {_ADVICE}")
        return runner.reference
    stored = len(runner.stored)
    if background > stored:
        what = f"has {stored} stored windows" if stored else "has no stored windows"
        most = f"send at most {stored}" if stored > 1 else f"leave {BACKGROUND} out"
        raise InvalidInput.at(BACKGROUND, f"{place}: its bundle {what}, not {background}; {most}; {_ADVICE}")
    chosen: Floats32 = runner.stored[np.linspace(0, stored - 1, background).round().astype(np.intp)]
    return chosen


def _answers(detector: Detector, runner: StageRunner, inputs: Floats32) -> NDArray[np.float64]:
    """The stage's probability for each window, or the two that a network of classes gives."""
    found = runner.probabilities(inputs)
    if not runner.valid(found).all():
        place = f"version {detector.manifest.version}, {runner.label}"
        raise ModelUnavailable(f"{place}: an answer for the explanation is not {runner.expected}")
    if runner.answer:
        return np.array([of_classes(*answer) for answer in found.tolist()])
    return found[:, None].astype(np.float64)


def _column(found: Shapley, column: int) -> Shapley:
    """The values of one answer."""
    some = slice(column, column + 1)
    errors = None if found.errors is None else found.errors[some]
    return Shapley(found.base[some], found.value[some], found.features[some], errors)


def _opposite(found: Shapley) -> Shapley:
    """The values of the opposite probability."""
    return Shapley(1.0 - found.base, 1.0 - found.value, -found.features, found.errors)


def _explained(
    found: Shapley, names: tuple[str, ...], probability_of: Direction | Literal["reversal"], *, used: bool
) -> ExplainedStage:
    def by_name(values: NDArray[np.float64]) -> dict[str, float]:
        return dict(zip(names, values[0].tolist(), strict=True))

    return ExplainedStage(
        probability_of=probability_of,
        used=used,
        base_value=float(found.base[0]),
        value=float(found.value[0]),
        features=by_name(found.features),
        method="exact" if found.errors is None else "sampling",
        standard_errors=None if found.errors is None else by_name(found.errors),
    )
