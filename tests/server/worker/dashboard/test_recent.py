from __future__ import annotations

import os

import pytest

from server.protocol.pages import AskWindow, OfExperiment, Watch, Watched
from server.settings import Settings
from server.worker.app_keys import PREDICTOR
from server.worker.dashboard.recent import KEPT
from server.worker.dashboard.showing import Showing
from server.worker.open_inference.readiness import Readiness
from tests.server.questions import asks, candle
from tests.server.worker_fixture import Worker, experiment


def watched(worker: Worker, after: int = 0) -> Watched:
    registry, recent = worker.registry, worker.app[PREDICTOR].recent
    return Showing(recent, None, registry, Readiness.of(worker.app), worker.journal).watched(Watch(1, after))


async def test_an_answer_is_shown_without_its_candles_and_its_user(worker: Worker) -> None:
    await worker.serve(experiment())
    data = [candle(timestamp=f"2026-01-02T{hour:02}:00:00Z") for hour in range(20)]
    answers = [
        await worker.predict(asks(0.82, 0.32, version="v2", pair="USD/JPY", timeframe="4h")),
        await worker.predict({"pair": "EUR/USD", "data": data, "user_id": "user123"}),
    ]
    found = watched(worker)
    assert (found.question, found.last, len(found.signals)) == (1, 2, 2)
    named, exposed = found.signals
    assert (named.pair, named.timeframe, named.version, named.threshold) == ("USD/JPY", "4h", "v2", 0.6)
    assert (named.experiment, named.prediction_id, named.candle_time) == (None, None, None)
    assert (exposed.experiment, exposed.prediction_id) == (OfExperiment("v30_vs_v31", "A"), answers[1]["prediction_id"])
    assert exposed.candle_time == answers[1]["candle_time"] == "2026-01-02T19:00:00Z"
    for signal, answer in zip(found.signals, answers, strict=True):
        assert signal.signal == answer["signal"]
        assert (signal.confidence, signal.stage1_prob, signal.stage2_prob) == tuple(
            answer[field] for field in ("confidence", "stage1_prob", "stage2_prob")
        )
        assert signal.warnings == tuple(warning["code"] for warning in answer.get("warnings", ()))
        assert signal.worker == os.getpid()
        assert 0.0 < signal.latency_ms < 10_000.0
    assert named.at < exposed.at
    assert "user123" not in repr(vars(worker.app[PREDICTOR].recent))


async def test_only_what_is_new_is_told_and_at_most_the_last_hundred(worker: Worker) -> None:
    await worker.predict(asks(0.1))
    assert watched(worker, after=1).signals == ()
    items = [asks(0.1, timeframe="4h") for _ in range(KEPT)] + [asks(0.9, version="v9"), asks(0.1)]
    assert (await worker.post("/reversal/predict/batch", {"items": items}))[0] == 200
    found = watched(worker, after=1)
    assert found.last == 2 + KEPT  # a refused item is no answer
    assert [signal.timeframe for signal in found.signals] == ["4h"] * (KEPT - 1) + ["1h"]
    assert [signal.timeframe for signal in watched(worker, after=found.last - 2).signals] == ["4h", "1h"]


async def test_a_fallback_is_shown_with_its_reason(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = worker.registry.snapshot.detectors["v1"]
    monkeypatch.setattr(worker.breaker, "reason", lambda it: "version v1 is broken" if it is detector else None)
    await worker.predict(asks(0.1, version=None))
    found = watched(worker)
    assert [(signal.version, signal.fallback_reason) for signal in found.signals] == [("v3", "version v1 is broken")]
    assert found.failing == {"v1": "version v1 is broken"}


async def test_the_threshold_of_an_unloaded_version_is_remembered(worker: Worker) -> None:
    await worker.predict(asks(0.1, 0.1, version="v2"))
    recent, readiness = worker.app[PREDICTOR].recent, Readiness.of(worker.app)
    showing = Showing(recent, None, worker.registry, readiness, worker.journal)
    showing.watched(Watch(1, 0))
    await worker.serve(without=("v2",))
    assert showing.watched(Watch(2, 0)).signals[0].threshold == 0.6


async def test_the_trouble_of_a_worker_is_told(worker: Worker) -> None:
    assert watched(worker).trouble is None
    await worker.serve(active=None, without=("v1", "v2", "v3"))
    assert watched(worker).trouble == "no version is active"


async def test_windows_are_not_kept_by_default(worker: Worker, settings: Settings) -> None:
    assert not settings.keep_windows
    await worker.predict({"pair": "EUR/USD", "data": [candle()] * 20})
    showing = Showing(worker.app[PREDICTOR].recent, None, worker.registry, Readiness.of(worker.app), worker.journal)
    assert showing.answer(AskWindow(3, "EUR/USD", "1h")).places == ()  # type: ignore[union-attr]
