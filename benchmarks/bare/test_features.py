"""Time of the features of a window: by the number of candles, by the kind of features, and of many windows at once."""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import bodies, stages
from core.features import catalogue
from core.features.candles import Candles
from core.features.table import Table

IN_ATR = ("true_range_atr", "body_atr", "upper_wick_atr", "lower_wick_atr", "gap_atr", "move_10_atr")
CLOCK = ("hour_sin", "hour_cos", "week_sin", "week_cos")
MEANS = ("sma_20_distance", "bb_position", "efficiency_10", "range_20_atr", "atr_ratio_5_50", "volatility_ratio_5_50")
# By kind: the features, and the bars of a window.
KINDS = {
    "v3.1": (stages.bundle().manifest.stage1.features, 20),
    "v3.1 and the clock": ((*stages.bundle().manifest.stage1.features, *CLOCK), 20),
    "in ATR": (IN_ATR, 86),
    "in ATR and the clock": ((*IN_ATR, *CLOCK), 86),
    "in ATR, and means": ((*IN_ATR, *MEANS), 86),
}


def series(first: int, candles: int) -> Candles:
    part = bodies.history().part(slice(first, first + candles))
    # As a request has them.
    return Candles(part.candles.values, tuple(np.asarray(part.candles.times).tolist()))


@pytest.mark.parametrize("candles", [70, 120, 250, 500, 1000])
def test_features(benchmark: BenchmarkFixture, candles: int) -> None:
    stage = stages.bundle().manifest.stage1
    found = benchmark(catalogue.matrix, series(1000, candles), stage.features, stage.sequence_length)
    assert found.shape == (stage.sequence_length, stage.num_features)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("windows", [1, 32])
@pytest.mark.parametrize("kind", KINDS)
def test_table(benchmark: BenchmarkFixture, kind: str, windows: int) -> None:
    names, rows = KINDS[kind]
    table = Table(names, rows)
    found = benchmark(table, [series(1000 + 10 * i, 140) for i in range(windows)])
    assert found.shape == (windows, rows, len(names))
    assert np.isfinite(found).all()
