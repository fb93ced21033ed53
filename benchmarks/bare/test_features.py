"""Time of the features of one window, by the number of candles from which they are computed."""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import bodies, stages
from core.features import catalogue


@pytest.mark.parametrize("candles", [70, 120, 250, 500, 1000])
def test_features(benchmark: BenchmarkFixture, candles: int) -> None:
    series = bodies.history().part(slice(1000, 1000 + candles)).candles
    stage = stages.bundle().manifest.stage1
    found = benchmark(catalogue.matrix, series, stage.features, stage.sequence_length)
    assert found.shape == (stage.sequence_length, stage.num_features)
    assert np.isfinite(found).all()
