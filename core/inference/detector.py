"""One loaded version: windows in, decisions out."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple, TypeAlias

import numpy as np

from core import yielding
from core.bundles.bundle import Bundle
from core.errors import BundleRefused, ModelUnavailable, OutOfRange, ServiceError
from core.features.candles import Candles
from core.inference.decision import Decision, after_stage1, after_stage2
from core.inference.inputs import CandleWindows, InputRequirements, Windows, WindowSource
from core.inference.stage_runner import Floats32, StageRunner
from core.inference.warnings import Warned, few_candles, no_stage2


class Spent(NamedTuple):
    """Seconds of the run in which a prediction was made, shared by all that ran together.

    features: making the windows. stage1, stage2: scaling them and the network; stage2 is 0.0 where no gate opened.
    """

    features: float
    stage1: float
    stage2: float


class Prediction(NamedTuple):
    """A version's answer to one request. opens: when the last candle does, as of WindowSource."""

    version: str
    decision: Decision
    warnings: tuple[Warned, ...]
    spent: Spent
    opens: float | None = None


# Each request of a batch has its own outcome: one bad item does not spoil the others.
DetectorResult: TypeAlias = Prediction | ServiceError


# What a source has until a stage has decided, or something is wrong with it.
_UNDECIDED = ModelUnavailable("no stage has decided")


@dataclass(slots=True, eq=False)
class _Asked:
    """One source on its way through the stages. outside: how each stage's input is out of range, if it is."""

    source: WindowSource
    p1: float = math.nan
    outcome: Decision | ServiceError = _UNDECIDED
    outside: tuple[str, ...] = ()


class _Group(NamedTuple):
    """Sources of one kind, and their windows."""

    windows: Windows
    members: list[_Asked]
    scaled: bool
    by_stage: bool


class Detector:
    """A version ready to predict. Safe to use from several threads: nothing of a call is kept."""

    def __init__(self, bundle: Bundle, *, refuse_out_of_range: bool = False) -> None:
        """Load and warm up; raises BundleRefused.

        refuse_out_of_range: what lies far outside what a stage was fitted on is OutOfRange instead of a warning.
        """
        self._refuses = refuse_out_of_range
        self.manifest = bundle.manifest
        self.digest = bundle.digest
        self.required_candles = self.manifest.required_candles
        self.recommended_candles = self.manifest.recommended_candles
        self._needs = InputRequirements(self.manifest)
        self._stage1 = StageRunner("stage1", self.manifest.stage1, bundle)
        stage2 = self.manifest.stage2
        self._stage2 = StageRunner("stage2", stage2, bundle) if stage2 else None
        self._positive = stage2.positive if stage2 else None
        # Whether what Stage 1 finds odd in a window is all that Stage 2 would find in the same one.
        self._same_limits = self._stage2 is not None and self._stage2.limits == self._stage1.limits
        self._warm_up()

    def predict(self, sources: Sequence[WindowSource]) -> list[DetectorResult]:
        """Answer each source, in order, with one run a stage for all of them. Raises nothing of ServiceError."""
        asked = [_Asked(source) for source in sources]
        # What overflows is looked for where it would do harm, so NumPy need not warn of it on the way.
        with np.errstate(all="ignore"):
            spent = self._decide(asked)
        return [
            one.outcome if isinstance(one.outcome, ServiceError) else self._prediction(one, one.outcome, spent)
            for one in asked
        ]

    def _decide(self, asked: Sequence[_Asked]) -> Spent:
        """Give each its outcome."""
        began = perf_counter()
        groups = self._gather(asked)
        rows = [one for group in groups for one in group.members]  # those of Stage 1's input
        behind: list[_Asked] = []  # those behind an open gate
        gathered = first_known = perf_counter()
        try:
            if rows:
                inputs = _inputs(self._stage1, groups)
                for one, p1 in zip(rows, self._probabilities(self._stage1, inputs, rows), strict=True):
                    if one.outcome is _UNDECIDED:
                        one.p1 = p1
                        one.outcome = after_stage1(p1, self.manifest.threshold, self._positive) or _UNDECIDED
                first_known = perf_counter()
                behind = [one for one in rows if one.outcome is _UNDECIDED]
                if behind:
                    self._decide_behind(behind, rows, groups, inputs)
        except ModelUnavailable as error:
            for one in asked:
                if one.outcome is _UNDECIDED:
                    one.outcome = error
        ended = perf_counter()
        return Spent(gathered - began, first_known - gathered, ended - first_known if behind else 0.0)

    def _gather(self, asked: Sequence[_Asked]) -> list[_Group]:
        """The windows of all that pass their check; the others get their error."""
        kinds: dict[Hashable, list[_Asked]] = {}
        for one in asked:
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

    def _decide_behind(
        self, behind: Sequence[_Asked], rows: Sequence[_Asked], groups: Sequence[_Group], inputs1: Floats32
    ) -> None:
        """Give those behind an open gate their outcome by Stage 2. Raises ModelUnavailable where the stage fails.

        `inputs1` is Stage 1's input, of all `rows`.
        """
        if self._stage2 is None or self._positive is None:
            return
        # Whether Stage 1's input is Stage 2's as well.
        shared = self._needs.one_window and not any(group.by_stage for group in groups)
        if not shared:
            inputs = _inputs(self._stage2, groups)
        elif len(behind) == len(rows):
            inputs = inputs1
        else:
            inputs = inputs1[[one.outcome is _UNDECIDED for one in rows]]
        looked_at = shared and self._same_limits
        found = self._probabilities(self._stage2, inputs, behind, looked_at=looked_at)
        for one, p2 in zip(behind, found, strict=True):
            if one.outcome is _UNDECIDED:
                one.outcome = after_stage2(one.p1, p2, self._positive, self.manifest.confidence_weights)

    def _probabilities(
        self, runner: StageRunner, inputs: Floats32, rows: Sequence[_Asked], *, looked_at: bool = False
    ) -> list[float]:
        """The stage's probability for each row; one without a meaning where the row gets an error instead.

        Of rows that are out of range that is noted, unless the input has been looked at. Raises ModelUnavailable where
        ONNX Runtime fails.
        """
        odd = [] if looked_at else runner.odd(inputs)
        if not odd:
            found = runner.probabilities(inputs)
        else:
            for k in odd:
                self._look(runner, inputs[k], rows[k])
            good = np.array([one.outcome is _UNDECIDED for one in rows])
            found = np.full(len(rows), np.nan, np.float32)
            if good.any():
                found[good] = runner.probabilities(inputs[good])
        probabilities: list[float] = found.tolist()
        for one, probability in zip(rows, probabilities, strict=True):
            if not 0.0 <= probability <= 1.0 and one.outcome is _UNDECIDED:  # true for NaN
                one.outcome = ModelUnavailable(
                    f"version {self.manifest.version}, {runner.label} answered {probability}, which is no probability"
                )
        return probabilities

    def _look(self, runner: StageRunner, window: Floats32, one: _Asked) -> None:
        """Note what is odd about a window: it overflows, or it is out of range."""
        if runner is self._stage2 and self._same_limits and self._needs.one_window and not one.source.by_stage:
            return  # it was Stage 1's: what is told of a source must not depend on those that run with it
        finite = np.isfinite(window)
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            one.outcome = one.source.overflow(runner.label, self._needs, int(row), int(column))
        elif self._refuses:
            one.outcome = OutOfRange(one.source.place(runner.label), runner.oddity(window))
        else:
            one.outside += (runner.oddity(window),)

    def _prediction(self, one: _Asked, decision: Decision, spent: Spent) -> Prediction:
        version, source = self.manifest.version, one.source
        warnings = source.warnings
        if one.outside:
            warnings += (Warned("OUT_OF_RANGE", "; ".join(one.outside)),)
        given = source.candles_given
        if given is not None and given < self.recommended_candles:
            warnings += (few_candles(given, self.recommended_candles),)
        if decision.reversal_detected and self._positive is None:
            warnings += (no_stage2(version),)
        return Prediction(version, decision, warnings, spent, source.opens)

    def trouble(self) -> str | None:
        """Run every graph, for one window and for several; returns why one fails on what any version can answer."""
        try:
            for runner in filter(None, (self._stage1, self._stage2)):
                for batch in (1, 8):
                    self._try(runner, batch)
        except ModelUnavailable as error:
            return str(error)
        return None

    def _warm_up(self) -> None:
        """Run every graph once, for one window and for several, so that the first request finds memory allocated.

        A graph's declared shape is not yet what it answers, so that is checked here too.
        """
        if (trouble := self.trouble()) is not None:
            raise BundleRefused(f"bundle {self.manifest.version}: warm-up: {trouble}")
        yielding.give_way()
        # Whatever its answer: this makes the weights by which features are computed.
        self.predict([CandleWindows(Candles(np.ones((5, self.recommended_candles))))])

    @staticmethod
    def _try(runner: StageRunner, batch: int) -> None:
        yielding.give_way()
        shape = (batch, runner.stage.sequence_length, runner.stage.num_features)
        scaled = runner.scale(np.zeros(shape))
        if scaled.shape != shape or not np.isfinite(scaled).all():
            raise ModelUnavailable(
                f"{runner.label}'s scaler makes of {shape} zeros {scaled.shape} values, not all finite"
            )
        found = runner.probabilities(scaled)
        if found.shape != (batch,) or not ((found >= 0.0) & (found <= 1.0)).all():
            raise ModelUnavailable(f"{runner.label} answered {found.tolist()}, expected {batch} probabilities")


def _inputs(runner: StageRunner, groups: Sequence[_Group]) -> Floats32:
    """The network's input for all that are undecided; raises ModelUnavailable where a scaler fails."""
    arrays = []
    for group in groups:
        which = [k for k, one in enumerate(group.members) if one.outcome is _UNDECIDED]
        if which:
            values = group.windows.of(runner.label, which if len(which) < len(group.members) else None)
            arrays.append(values.astype(np.float32) if group.scaled else runner.scale(values))
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
