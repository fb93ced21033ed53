"""One loaded version: windows in, decisions out."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from time import perf_counter
from typing import NamedTuple, TypeAlias

import numpy as np

from core import stepwise
from core.bundle import Bundle
from core.candles import Candles
from core.decision import Decision, decide, gate_opens
from core.errors import BundleRefused, ModelUnavailable, ServiceError
from core.stage import Floats32, StageRunner
from core.windows import CandleWindows, Needs, Windows, WindowSource


class Warned(NamedTuple):
    """Something the client should know about an answer that is nevertheless good."""

    code: str
    message: str


class Spent(NamedTuple):
    """Seconds of the run in which a prediction was made, shared by all that ran together.

    features: making the windows. stage1, stage2: scaling them and the network; stage2 is 0.0 where no gate opened.
    """

    features: float
    stage1: float
    stage2: float


class Prediction(NamedTuple):
    """A version's answer to one request."""

    version: str
    decision: Decision
    warnings: tuple[Warned, ...]
    spent: Spent


# Each request of a batch has its own outcome: one bad item does not spoil the others.
Outcome: TypeAlias = Prediction | ServiceError


class _Group(NamedTuple):
    """Sources of one kind: their windows, and which of those asked they are."""

    windows: Windows
    indices: list[int]
    scaled: bool
    by_stage: bool


class Detector:
    """A version ready to predict. Safe to use from several threads: nothing of a call is kept."""

    def __init__(self, bundle: Bundle) -> None:
        """Load and warm up; raises BundleRefused."""
        self.manifest = bundle.manifest
        self.digest = bundle.digest
        self.required_candles = self.manifest.required_candles
        self.recommended_candles = self.manifest.recommended_candles
        self._needs = Needs(self.manifest)
        self._stage1 = StageRunner("stage1", self.manifest.stage1, bundle)
        stage2 = self.manifest.stage2
        self._stage2 = StageRunner("stage2", stage2, bundle) if stage2 else None
        self._positive = stage2.positive if stage2 else None
        self._warm_up()

    def predict(self, sources: Sequence[WindowSource]) -> list[Outcome]:
        """Answer each source, in order, with one run a stage for all of them. Raises nothing of ServiceError."""
        # What overflows is looked for where it would do harm, so NumPy need not warn of it on the way.
        with np.errstate(all="ignore"):
            return self._predict(sources)

    def _predict(self, sources: Sequence[WindowSource]) -> list[Outcome]:
        began = perf_counter()
        outcomes: list[Outcome | None] = [None] * len(sources)
        groups = self._gather(sources, outcomes)
        asked = [i for group in groups for i in group.indices]
        gathered = perf_counter()
        first, second, opened = [], {}, []
        if asked:
            try:
                inputs = _inputs(self._stage1, [(group, None) for group in groups])
                first = self._probabilities(self._stage1, inputs, asked, sources, outcomes)
            except ModelUnavailable as error:
                return [error if outcome is None else outcome for outcome in outcomes]
        if self._stage2 is not None:
            threshold = self.manifest.threshold
            opened = [k for k, p1 in enumerate(first) if gate_opens(p1, threshold)]
        first_known = perf_counter()
        if self._stage2 is not None and opened:
            owners = [asked[k] for k in opened]
            try:
                inputs = self._inputs2(self._stage2, groups, inputs, opened)
                found = self._probabilities(self._stage2, inputs, owners, sources, outcomes)
                second = dict(zip(opened, found, strict=True))
            except ModelUnavailable as error:
                for i in owners:
                    outcomes[i] = error
        second_known = perf_counter()
        spent = Spent(gathered - began, first_known - gathered, second_known - first_known if opened else 0.0)
        for k, i in enumerate(asked):
            if outcomes[i] is None:
                outcomes[i] = self._prediction(first[k], second.get(k), sources[i], spent)
        return [outcome for outcome in outcomes if outcome is not None]

    def _gather(self, sources: Sequence[WindowSource], outcomes: list[Outcome | None]) -> list[_Group]:
        """The windows of all that pass their check; the others get their error in `outcomes`."""
        kinds: dict[Hashable, list[int]] = {}
        for i, source in enumerate(sources):
            try:
                source.check(self._needs)
            except ServiceError as error:
                outcomes[i] = error
            else:
                kinds.setdefault(source.kind, []).append(i)
        groups = []
        for indices in kinds.values():
            one = sources[indices[0]]
            windows = one.gather([sources[i] for i in indices], self._needs)
            groups.append(_Group(windows, indices, one.scaled, one.by_stage))
        return groups

    def _inputs2(self, runner: StageRunner, groups: Sequence[_Group], inputs1: Floats32, opened: list[int]) -> Floats32:
        """Stage 2's input for the windows behind an open gate: Stage 1's, where that is the same."""
        if self._needs.one_window and not any(group.by_stage for group in groups):
            return inputs1 if len(opened) == len(inputs1) else inputs1[opened]
        parts: list[tuple[_Group, list[int] | None]] = []
        begin = 0
        for group in groups:
            end = begin + len(group.indices)
            which = [k - begin for k in opened if begin <= k < end]
            if which:
                parts.append((group, which if len(which) < len(group.indices) else None))
            begin = end
        return _inputs(runner, parts)

    def _probabilities(
        self,
        runner: StageRunner,
        inputs: Floats32,
        owners: Sequence[int],
        sources: Sequence[WindowSource],
        outcomes: list[Outcome | None],
    ) -> list[float]:
        """The stage's probability for each window; NaN where its owner gets an error in `outcomes` instead.

        Raises ModelUnavailable where ONNX Runtime fails.
        """
        # The sum is not finite where any value is not. It may also overflow by itself: then all are looked at.
        if math.isfinite(np.add.reduce(inputs, axis=None)):
            found = runner.probabilities(inputs)
        else:
            finite = np.isfinite(inputs)
            good = finite.all(axis=(1, 2))
            for k in np.flatnonzero(~good).tolist():
                row, column = np.argwhere(~finite[k])[0]
                source = sources[owners[k]]
                outcomes[owners[k]] = source.overflow(runner.label, runner.stage, int(row), int(column))
            found = np.full(len(owners), np.nan, np.float32)
            if good.any():
                found[good] = runner.probabilities(inputs[good])
        probabilities: list[float] = found.tolist()
        for k, probability in enumerate(probabilities):
            if not 0.0 <= probability <= 1.0 and outcomes[owners[k]] is None:  # true for NaN
                outcomes[owners[k]] = ModelUnavailable(
                    f"version {self.manifest.version}, {runner.label} answered {probability}, which is no probability"
                )
                probabilities[k] = math.nan
        return probabilities

    def _prediction(self, p1: float, p2: float | None, source: WindowSource, spent: Spent) -> Prediction:
        manifest = self.manifest
        decision = decide(
            p1, p2, threshold=manifest.threshold, positive=self._positive, weights=manifest.confidence_weights
        )
        warnings: tuple[Warned, ...] = ()
        given = source.candles_given
        if given is not None and given < self.recommended_candles:
            warnings += (
                Warned(
                    "FEW_CANDLES",
                    f"{given} candles were given, {self.recommended_candles} are recommended:"
                    " with fewer, exponential means still depend on where the series starts",
                ),
            )
        if decision.reversal_detected and self._positive is None:
            warnings += (
                Warned("NO_STAGE2", f"version {manifest.version} detects reversals but has no stage for direction"),
            )
        return Prediction(manifest.version, decision, warnings, spent)

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
        stepwise.pause()
        # Whatever its answer: this makes the weights by which features are computed.
        self.predict([CandleWindows(Candles(np.ones((5, self.recommended_candles))))])

    @staticmethod
    def _try(runner: StageRunner, batch: int) -> None:
        stepwise.pause()
        shape = (batch, runner.stage.sequence_length, runner.stage.num_features)
        scaled = runner.scale(np.zeros(shape))
        if scaled.shape != shape or not np.isfinite(scaled).all():
            raise ModelUnavailable(
                f"{runner.label}'s scaler makes of {shape} zeros {scaled.shape} values, not all finite"
            )
        found = runner.probabilities(scaled)
        if found.shape != (batch,) or not ((found >= 0.0) & (found <= 1.0)).all():
            raise ModelUnavailable(f"{runner.label} answered {found.tolist()}, expected {batch} probabilities")


def _inputs(runner: StageRunner, parts: Sequence[tuple[_Group, list[int] | None]]) -> Floats32:
    """The network's input for these windows of each group, or all; raises ModelUnavailable where a scaler fails."""
    arrays = []
    for group, which in parts:
        values = group.windows.of(runner.label, runner.stage, which)
        arrays.append(values.astype(np.float32) if group.scaled else runner.scale(values))
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
