"""One loaded version: windows in, decisions out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.bundle import Bundle
from core.decision import Decision, decide, gate_opens
from core.errors import BundleRefused, ModelUnavailable, ServiceError
from core.stage import Floats32, StageRunner
from core.windows import WindowSource


class Warned(NamedTuple):
    """Something the client should know about an answer that is nevertheless good."""

    code: str
    message: str


class Prediction(NamedTuple):
    """A version's answer to one request."""

    version: str
    decision: Decision
    warnings: tuple[Warned, ...]


# Each request of a batch has its own outcome: one bad item does not spoil the others.
Outcome: TypeAlias = Prediction | ServiceError


class Detector:
    """A version ready to predict. Immutable after construction, safe to use from several threads."""

    def __init__(self, bundle: Bundle) -> None:
        """Load and warm up; raises BundleRefused."""
        self.manifest = bundle.manifest
        self.digest = bundle.digest
        self.required_candles = self.manifest.required_candles
        self.recommended_candles = self.manifest.recommended_candles
        self._stage1 = StageRunner("stage1", self.manifest.stage1, bundle)
        stage2 = self.manifest.stage2
        self._stage2 = StageRunner("stage2", stage2, bundle) if stage2 else None
        self._positive = stage2.positive if stage2 else None
        self._warm_up()

    def predict(self, sources: Sequence[WindowSource]) -> list[Outcome]:
        """Answer each source, in order, with one run a stage for all of them. Raises nothing of ServiceError."""
        outcomes: list[Outcome | None] = [None] * len(sources)
        pending = []
        for i, source in enumerate(sources):
            try:
                source.check(self.manifest, self.required_candles)
                pending.append(i)
            except ServiceError as error:
                outcomes[i] = error
        first = self._run(self._stage1, sources, pending, outcomes)
        gated = [] if self._stage2 is None else [i for i, p in first.items() if gate_opens(p, self.manifest.threshold)]
        second = self._run(self._stage2, sources, gated, outcomes) if self._stage2 and gated else {}
        for i, p1 in first.items():
            if outcomes[i] is None:
                outcomes[i] = self._prediction(p1, second.get(i), sources[i])
        return [outcome for outcome in outcomes if outcome is not None]

    def _run(
        self,
        runner: StageRunner,
        sources: Sequence[WindowSource],
        indices: list[int],
        outcomes: list[Outcome | None],
    ) -> dict[int, float]:
        """The stage's probability for each of `indices`; those that fail get their error in `outcomes` instead."""
        try:
            windows = _windows(runner, sources, indices)
            finite: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(windows), axis=(1, 2))
            if not finite.all():
                for k in np.flatnonzero(~finite):
                    row, column = np.argwhere(~np.isfinite(windows[k]))[0]
                    outcomes[indices[k]] = sources[indices[k]].overflow(
                        runner.label, runner.stage, int(row), int(column)
                    )
                indices = [i for i, good in zip(indices, finite, strict=True) if good]
                windows = windows[finite]
            probabilities = runner.probabilities(windows).tolist() if indices else []
        except ModelUnavailable as error:
            for i in indices:
                outcomes[i] = error
            return {}
        found = {}
        for i, probability in zip(indices, probabilities, strict=True):
            if 0.0 <= probability <= 1.0:  # false for NaN
                found[i] = probability
            else:
                outcomes[i] = ModelUnavailable(
                    f"version {self.manifest.version}, {runner.label} answered {probability}, which is no probability"
                )
        return found

    def _prediction(self, p1: float, p2: float | None, source: WindowSource) -> Prediction:
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
        return Prediction(manifest.version, decision, warnings)

    def _warm_up(self) -> None:
        """Run every graph once, for one window and for several, so that the first request finds memory allocated.

        A graph's declared shape is not yet what it answers, so that is checked here too.
        """
        for runner in (self._stage1, self._stage2):
            if runner is None:
                continue
            try:
                for batch in (1, 8):
                    self._try(runner, batch)
            except ModelUnavailable as error:
                raise BundleRefused(f"bundle {self.manifest.version}: warm-up: {error}") from error

    @staticmethod
    def _try(runner: StageRunner, batch: int) -> None:
        shape = (batch, runner.stage.sequence_length, runner.stage.num_features)
        scaled = runner.scale(np.zeros(shape))
        if scaled.shape != shape or not np.isfinite(scaled).all():
            raise ModelUnavailable(
                f"{runner.label}'s scaler makes of {shape} zeros {scaled.shape} values, not all finite"
            )
        found = runner.probabilities(scaled)
        if found.shape != (batch,) or not ((found >= 0.0) & (found <= 1.0)).all():
            raise ModelUnavailable(f"{runner.label} answered {found.tolist()}, expected {batch} probabilities")


def _windows(runner: StageRunner, sources: Sequence[WindowSource], indices: list[int]) -> Floats32:
    """The network's input for each of `indices`, scaled in one run where there is anything to scale."""
    stage = runner.stage
    values = np.empty((len(indices), stage.sequence_length, stage.num_features))
    for k, i in enumerate(indices):
        values[k] = sources[i].window(runner.label, stage)
    scaled = np.array([sources[i].scaled for i in indices], dtype=bool)
    if not scaled.any():
        return runner.scale(values)
    with np.errstate(over="ignore"):
        out = values.astype(np.float32)
    if not scaled.all():
        out[~scaled] = runner.scale(values[~scaled])
    return out
