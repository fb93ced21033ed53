"""Time of the parts of a request other than features and networks: decoding, decision and encoding."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import orjson
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import bodies, stages
from core.inference.decision import decide
from core.inference.detector import Detector, Prediction
from core.serving.routing import Answered
from server.api import answers, decoding
from server.http.clock import Clock
from server.http.envelope import success


@pytest.mark.parametrize("kind", ["features", "70 candles", "120 candles"])
def test_decoding(benchmark: BenchmarkFixture, kind: str) -> None:
    body = bodies.encoded(bodies.asking(kind)[0])
    assert benchmark(decoding.prediction, body, since=0.0).version == stages.VERSION


def test_decision(benchmark: BenchmarkFixture) -> None:
    found = benchmark(decide, 0.82, 0.32, threshold=0.5, positive="short")
    assert found.signal == "long"


def test_encoding(benchmark: BenchmarkFixture) -> None:
    question = decoding.prediction(bodies.encoded(bodies.asking("features")[0]), since=0.0)
    (outcome,) = Detector(stages.bundle()).predict([question.source])
    assert isinstance(outcome, Prediction)
    clock = Clock(ZoneInfo("UTC"))

    def encode() -> object:
        now = clock.now()
        return success(answers.answered(question, Answered(outcome), now), now).body

    assert orjson.loads(benchmark(encode))["data"]["signal"] == outcome.decision.signal
