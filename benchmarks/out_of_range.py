"""The share of windows that get the warning OUT_OF_RANGE, for normal prices and for other price levels.

    python -m benchmarks.out_of_range [--models models/onnx] [--first 4358]

The windows are the hours of EUR/USD of 2017 from bar 4,358 on, on which no part of v3.0 and v3.1 was fitted. They are
used unchanged, and with all prices multiplied: unchanged prices should not be flagged, other price levels should be.
--limits scaler: each stage gets the limits of its scaler only, like a bundle without limits. --cost: print the cost of
the check instead. --distances: print the distances by which the margins of core/bundles/limits.py were chosen instead.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from timeit import timeit
from typing import Literal

import msgspec
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from benchmarks import stages
from core.bundles.bundle import Bundle
from core.bundles.repository import Repository
from core.features.candles import Candles
from core.inference.detector import Detector, Prediction
from core.inference.inputs import CandleWindows
from core.inference.stage_runner import StageRunner
from lab.history import History, read
from training import dataset

HISTORY = Path(__file__).parents[1] / "training" / "data" / "eurusd_1h_2017.csv"
FIRST = 4_358
FACTORS = (1.0, 1.13, 100.0, 0.01)
# Windows in a batch.
_TOGETHER = 64


def share(detector: Detector, history: History, first: int, factor: float) -> tuple[float, int]:
    """Return the share of flagged windows among those that end at bar `first` or later, and the number of windows."""
    rows = history.rows.copy()
    rows[:, :4] *= factor
    count = detector.recommended_candles
    ends = range(max(first, count - 1) + 1, len(rows) + 1)
    sources = [CandleWindows(Candles.from_rows(rows[end - count : end])) for end in ends]
    flagged = 0
    for begin in range(0, len(sources), _TOGETHER):
        for outcome in detector.predict(sources[begin : begin + _TOGETHER]):
            if not isinstance(outcome, Prediction):
                raise outcome
            flagged += any(warning.code == "OUT_OF_RANGE" for warning in outcome.warnings)
    return flagged / len(sources), len(sources)


def without_limits(bundle: Bundle) -> Bundle:
    """Return the same bundle without limits, as an older release wrote it."""
    manifest = bundle.manifest
    stage1 = msgspec.structs.replace(manifest.stage1, limits=None)
    stage2 = None if manifest.stage2 is None else msgspec.structs.replace(manifest.stage2, limits=None)
    return bundle._replace(manifest=msgspec.structs.replace(manifest, stage1=stage1, stage2=stage2))


def detector_of(bundle: Bundle, limits: Literal["bundle", "scaler"]) -> Detector:
    """Return a detector with the limits of the bundle, or with those of its scalers."""
    return Detector(bundle if limits == "bundle" else without_limits(bundle))


def cost(batch: int, rounds: int = 20, calls: int = 2_000) -> tuple[float, float]:
    """Return the microseconds of one check of Stage 1's input, and of a check for finite values only, as medians."""
    runner = StageRunner("stage1", stages.bundle().manifest.stage1, stages.bundle())
    shape = (batch, runner.stage.sequence_length, runner.stage.num_features)
    inputs = np.random.default_rng(1).uniform(-1.0, 1.0, shape).astype(np.float32)
    checks: tuple[Callable[[], object], ...] = (
        lambda: runner.odd(inputs),
        lambda: math.isfinite(np.add.reduce(inputs, axis=None)),
    )
    times = [[timeit(check, number=calls) / calls * 1e6 for check in checks] for _ in range(rounds)]
    ours, plain = (statistics.median(column) for column in zip(*times, strict=True))
    return ours, plain


def distances(history: History, first: int, names: Sequence[str], factor: float) -> dict[str, tuple[float, float]]:
    """Return the smallest and the largest distance of the later windows by scaler, fitted on the bars before `first`.

    For a scaler that knows the range of the training data, the distance is how far the worst value of a window lies
    outside that range, in widths of the range. For a scaler that divides by a deviation, it is the largest absolute
    mean of a feature over the window, in deviations.
    """
    rows = history.rows[first:].copy()
    rows[:, :4] *= factor
    later = dataset.table(Candles.from_rows(rows), names)
    trained = dataset.table(Candles.from_rows(history.rows[:first]), names)
    found = {}
    for scaler in (StandardScaler(), RobustScaler(), MinMaxScaler()):
        scaled = scaler.fit(trained).transform(later)
        windows = sliding_window_view(scaled, dataset.SEQUENCE_LENGTH, axis=0)
        if isinstance(scaler, MinMaxScaler):
            worst = np.maximum(-windows.min(axis=2), windows.max(axis=2) - 1.0).max(axis=1)
        else:
            worst = np.abs(windows.mean(axis=2)).max(axis=1)
        found[type(scaler).__name__] = (float(worst.min()), float(worst.max()))
    return found


def main() -> None:
    """Measure, and print the result."""
    options_of = argparse.ArgumentParser(description=__doc__)
    options_of.add_argument("--models", type=Path, default=Path("models/onnx"))
    options_of.add_argument("--data", type=Path, default=HISTORY)
    options_of.add_argument("--first", type=int, default=FIRST)
    options_of.add_argument("--limits", choices=("bundle", "scaler"), default="bundle")
    options_of.add_argument("--cost", action="store_true", help="print the cost of the check instead")
    options_of.add_argument("--distances", action="store_true", help="print the distances instead")
    options = options_of.parse_args()
    if options.distances:
        for version in Repository(options.models).listing().versions:
            names = Repository(options.models).read_manifest(version).stage1.features
            for factor in FACTORS[:2]:
                for scaler, (least, most) in distances(read(options.data), options.first, names, factor).items():
                    print(f"{version} x {factor:g} {scaler}: {least:.2f} to {most:.2f}")
        return
    if options.cost:
        for batch in (1, 32):
            ours, plain = cost(batch)
            print(f"{batch} windows: {ours:.1f} us, a check for finite values only {plain:.1f} us")
        return
    repository, history = Repository(options.models), read(options.data)
    print("| version | windows |", *(f" x {factor:g} |" for factor in FACTORS), sep="")
    print("|---|---|", "---|" * len(FACTORS), sep="")
    for version in repository.listing().versions:
        detector = detector_of(repository.read(version), options.limits)
        shares = [share(detector, history, options.first, factor) for factor in FACTORS]
        print(f"| {version} | {shares[0][1]:,} |", *(f" {100 * flagged:.2f} % |" for flagged, _ in shares), sep="")


if __name__ == "__main__":
    main()
