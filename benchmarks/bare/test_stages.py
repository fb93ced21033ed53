"""Time of each stage in ONNX Runtime, and of the whole detector, by the number of windows."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import bodies, stages
from core.inference.detector import Detector, Prediction
from server.api import decoding

WINDOWS = (1, 2, 4, 8, 16, 32, 64, 128)


@pytest.mark.parametrize("windows", WINDOWS)
@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_run(benchmark: BenchmarkFixture, stage: str, windows: int) -> None:
    found = benchmark(stages.run, stage, bodies.windows(windows))
    assert found.shape == (windows, 1)


@pytest.mark.parametrize("windows", WINDOWS)
@pytest.mark.parametrize("kind", ["features", "120 candles"])
def test_detector(benchmark: BenchmarkFixture, kind: str, windows: int) -> None:
    requests = [bodies.encoded(body) for body in bodies.asking(kind)]
    items = [requests[i % len(requests)] for i in range(windows)]
    detector = Detector(stages.bundle())

    def asked() -> tuple[tuple[list[object]], dict[str, object]]:
        # A source can cache what it computes, so each round gets new ones.
        return ([decoding.prediction(item, since=0.0).source for item in items],), {}

    rounds = max(50, 1500 // windows)
    outcomes = benchmark.pedantic(  # type: ignore[no-untyped-call]
        detector.predict, setup=asked, rounds=rounds, warmup_rounds=20
    )
    assert all(isinstance(outcome, Prediction) and outcome.decision.reversal_detected for outcome in outcomes)
