"""A loaded version, which turns windows into decisions."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np

from core import yielding
from core.bundles.bundle import Bundle
from core.errors import BundleRefused, InvalidInput, ModelUnavailable, OutOfRange, ServiceError
from core.features.candles import Candles
from core.inference.decision import Decision, after_stage1, after_stage2, of_classes
from core.inference.inputs import CandleWindows, Windows, WindowSource
from core.inference.requirements import InputRequirements
from core.inference.stage_runner import Floats32, StageRunner
from core.inference.warnings import Warned, few_candles, no_stage2, out_of_range


class Spent(NamedTuple):
    """The seconds that a run of predictions took. All predictions of the run share them.

    features: computing the windows. stage1, stage2: the scaler and the network; stage2 is 0.0 if no gate opened, or if
    one network serves both stages.
    """

    features: float
    stage1: float
    stage2: float


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """A version's answer to one request. Each request makes one, and a NamedTuple takes longer.

    opens: the opening time of the last candle, as in WindowSource. began: when the run began, of time.perf_counter.
    """

    version: str
    decision: Decision
    warnings: tuple[Warned, ...]
    spent: Spent
    opens: float | None = None
    began: float = 0.0


# Each request of a batch has its own result, so that one bad item does not affect the others.
DetectorResult: TypeAlias = Prediction | ServiceError

# The outcome of a source until a stage has decided or an error has occurred.
_UNDECIDED = ModelUnavailable("no stage has decided")


class _Pending(msgspec.Struct, eq=False):
    """A source on its way through the stages.

    p1: Stage 1's probability. p2: that of the direction, if Stage 1 has classes. outside: for each stage with inputs
    out of range, the features that are furthest outside.
    """

    source: WindowSource
    p1: float = math.nan
    p2: float = math.nan
    outcome: Decision | ServiceError = _UNDECIDED
    outside: tuple[str, ...] = ()


class _Group(NamedTuple):
    """The sources of one kind, and their windows."""

    windows: Windows
    members: list[_Pending]
    scaled: bool
    by_stage: bool


class Detector:
    """A version that is ready to predict. Safe to use from several threads; keeps no state between calls."""

    def __init__(self, bundle: Bundle, *, refuse_out_of_range: bool = False) -> None:
        """Load the graphs and warm up. Raises BundleRefused.

        refuse_out_of_range: inputs far outside the training data give OutOfRange instead of a warning.
        """
        self._refuses = refuse_out_of_range
        self.manifest, self.digest = bundle.manifest, bundle.digest
        # 0 for a version that takes ready-made features only.
        self.required_candles = self.manifest.required_candles or 0
        self.recommended_candles = self.manifest.recommended_candles or 0
        self._needs = InputRequirements(self.manifest)
        self._stage1 = StageRunner("stage1", self.manifest.stage1, bundle)
        stage2 = self.manifest.stage2
        self._stage2 = StageRunner("stage2", stage2, bundle) if stage2 else None
        self.runners = [runner for runner in (self._stage1, self._stage2) if runner is not None]
        self._positive, self._has_classes = self.manifest.positive, self.manifest.classes is not None
        # With equal limits, Stage 2 finds nothing new in a window that Stage 1 has checked.
        self._same_limits = self._stage2 is not None and self._stage2.limits == self._stage1.limits
        self._warm_up()

    def predict(self, sources: Sequence[WindowSource]) -> list[DetectorResult]:
        """Answer all sources, in order, with one run of each stage.

        A ServiceError is returned as the result of its source, not raised.
        """
        began = perf_counter()
        pending = [_Pending(source) for source in sources]
        # NumPy's warnings are turned off, because overflows are detected before an input reaches a network.
        with np.errstate(all="ignore"):
            spent = self._decide(pending, began)
        return [
            one.outcome if isinstance(one.outcome, ServiceError) else self._prediction(one, one.outcome, spent, began)
            for one in pending
        ]

    def inputs(self, source: WindowSource) -> list[Floats32]:
        """The scaled window of each stage, (steps, features), as `predict` computes it. Raises ServiceError."""
        source.check(self._needs)
        with np.errstate(all="ignore"):  # as in predict
            group = _Group(source.gather([source], self._needs), [_Pending(source)], source.scaled, source.by_stage)
            found = [_inputs(runner, [group])[0] for runner in self.runners]
        for runner, window in zip(self.runners, found, strict=True):
            if overflow := self._overflow(runner, window, source):
                raise overflow
        return found

    def suits(self, source: WindowSource) -> bool:
        """Whether the input meets this version's requirements, such as the number of candles."""
        try:
            source.check(self._needs)
        except ServiceError:
            return False
        return True

    def _decide(self, pending: Sequence[_Pending], began: float) -> Spent:
        """Set the outcome of each source. `began`: when the run began."""
        groups = self._gather(pending)
        rows = [one for group in groups for one in group.members]  # the rows of Stage 1's input
        passed: list[_Pending] = []  # the rows with an open gate
        gathered = first_known = perf_counter()
        try:
            if rows:
                inputs = _inputs(self._stage1, groups)
                for one, answer in zip(rows, self._answers(self._stage1, inputs, rows), strict=True):
                    if one.outcome is _UNDECIDED:
                        one.p1, one.p2 = of_classes(*answer) if self._has_classes else (answer, math.nan)
                        one.outcome = after_stage1(one.p1, self.manifest.threshold, self._positive) or _UNDECIDED
                first_known = perf_counter()
                passed = [one for one in rows if one.outcome is _UNDECIDED]
                if passed:
                    self._decide_direction(passed, rows, groups, inputs)
        except ModelUnavailable as error:
            for one in pending:
                if one.outcome is _UNDECIDED:
                    one.outcome = error
        ended = perf_counter()
        second = ended - first_known if passed and self._stage2 is not None else 0.0
        return Spent(gathered - began, first_known - gathered, second)

    def _gather(self, pending: Sequence[_Pending]) -> list[_Group]:
        """Return the windows of all sources that pass their check; set the error of the others."""
        kinds: dict[Hashable, list[_Pending]] = {}
        for one in pending:
            try:
                one.source.check(self._needs)
            except ServiceError as error:
                one.outcome = error
            else:
                kinds.setdefault(one.source.kind, []).append(one)
        groups = []
        for members in kinds.values():
            source = members[0].source
            windows = source.gather([one.source for one in members], self._needs)
            groups.append(_Group(windows, members, source.scaled, source.by_stage))
        return groups

    def _decide_direction(
        self, passed: Sequence[_Pending], rows: Sequence[_Pending], groups: Sequence[_Group], inputs1: Floats32
    ) -> None:
        """Set the outcome of the rows with an open gate, by Stage 2. Raises ModelUnavailable if the stage fails.

        `inputs1` is Stage 1's input for all `rows`. With classes, Stage 1 has given the direction too.
        """
        if self._positive is None:
            return
        if self._stage2 is None:
            for one in passed:
                one.outcome = after_stage2(one.p1, one.p2, self._positive, self.manifest.confidence_weights)
            return
        # Whether Stage 2 takes the same input as Stage 1.
        shared = self._needs.one_window and not any(group.by_stage for group in groups)
        if not shared:
            inputs = _inputs(self._stage2, groups)
        elif len(passed) == len(rows):
            inputs = inputs1
        else:
            inputs = inputs1[[one.outcome is _UNDECIDED for one in rows]]
        checked = shared and self._same_limits
        for one, p2 in zip(passed, self._answers(self._stage2, inputs, passed, checked=checked), strict=True):
            if one.outcome is _UNDECIDED:
                one.outcome = after_stage2(one.p1, p2, self._positive, self.manifest.confidence_weights)

    def _answers(
        self, runner: StageRunner, inputs: Floats32, rows: Sequence[_Pending], *, checked: bool = False
    ) -> list[Any]:
        """Return the stage's answer for each row: its probability, or those of its classes.

        If a row gets an error instead, its answer is meaningless. Rows out of range are marked, unless the input has
        been `checked` before. Raises ModelUnavailable if ONNX Runtime fails.
        """
        odd = [] if checked else runner.odd(inputs)
        if not odd:
            found = runner.probabilities(inputs)
        else:
            for k in odd:
                self._mark_odd(runner, inputs[k], rows[k])
            good = np.array([one.outcome is _UNDECIDED for one in rows])
            found = np.full((len(rows), *runner.answer), np.nan, np.float32)
            if good.any():
                found[good] = runner.probabilities(inputs[good])
        answers: list[Any] = found.tolist()
        # The comparison is false for NaN. For a few numbers it takes less time than `valid`.
        valid = runner.valid(found).tolist() if runner.answer else [0.0 <= each <= 1.0 for each in answers]
        for one, answer, is_valid in zip(rows, answers, valid, strict=True):
            if not is_valid and one.outcome is _UNDECIDED:
                place = f"version {self.manifest.version}, {runner.label}"
                one.outcome = ModelUnavailable(f"{place} answered {answer}, expected {runner.expected}")
        return answers

    def _mark_odd(self, runner: StageRunner, window: Floats32, one: _Pending) -> None:
        """Mark a row as an error if its window has an overflow, or as out of range otherwise."""
        if runner is self._stage2 and self._same_limits and self._needs.one_window and not one.source.by_stage:
            # Stage 1 has checked this window with the same limits. A second finding would depend on the other sources
            # of the run, because Stage 2's input is only checked again if one of them has a window for each stage.
            return
        if (overflow := self._overflow(runner, window, one.source)) is not None:
            one.outcome = overflow
            return
        finding = runner.describe_out_of_range(window)
        if self._refuses:
            message = out_of_range(self.manifest.version, (finding,)).message
            one.outcome = OutOfRange(one.source.place(runner.label), message)
        else:
            one.outside += (finding,)

    def _overflow(self, runner: StageRunner, window: Floats32, source: WindowSource) -> InvalidInput | None:
        """The error for the first value of a stage's window that is not finite; None if there is none."""
        if (finite := np.isfinite(window)).all():
            return None
        row, column = np.argwhere(~finite)[0]
        return source.overflow(runner.label, self._needs, int(row), int(column))

    def _prediction(self, one: _Pending, decision: Decision, spent: Spent, began: float) -> Prediction:
        version, source = self.manifest.version, one.source
        warnings = source.warnings
        if one.outside:
            warnings += (out_of_range(version, one.outside),)
        given = source.candles_given
        if given is not None and given < self.recommended_candles:
            warnings += (few_candles(given, self.recommended_candles),)
        if decision.reversal_detected and self._positive is None:
            warnings += (no_stage2(version),)
        return Prediction(version, decision, warnings, spent, source.opens, began)

    def trouble(self) -> str | None:
        """Run every graph on zeros, for one window and for several. Returns the error of the first failure, or None."""
        try:
            for runner in self.runners:
                runner.check()
        except ModelUnavailable as error:
            return str(error)
        return None

    def _warm_up(self) -> None:
        """Run every graph for one window and for several, so that memory is allocated before the first request.

        This also checks the outputs, because a graph can return other shapes than it declares.
        """
        if (trouble := self.trouble()) is not None:
            raise BundleRefused(f"bundle {self.manifest.version}: warm-up failed: {trouble}")
        if self.manifest.inputs == "features":
            return
        yielding.give_way()
        # The answer does not matter. This prediction computes the weights of the fast table.
        count = self.recommended_candles
        self.predict([CandleWindows(Candles(np.ones((5, count)), range(count)))])


def _inputs(runner: StageRunner, groups: Sequence[_Group]) -> Floats32:
    """The stage's input for all undecided sources. Raises ModelUnavailable if a scaler fails."""
    arrays = []
    for group in groups:
        which = [k for k, one in enumerate(group.members) if one.outcome is _UNDECIDED]
        if which:
            values = group.windows.of(runner.label, which if len(which) < len(group.members) else None)
            arrays.append(values.astype(np.float32) if group.scaled else runner.scale(values))
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
