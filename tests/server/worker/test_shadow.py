from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from core.experiments.records import Exposure, Record, ShadowScore
from server.settings import Settings
from server.worker import shadow
from tests import bundles
from tests.server.client import Client
from tests.server.questions import asks, candle
from tests.server.worker_fixture import Worker, experiment, running

SHADOW = experiment(mode="shadow")


@pytest.fixture
async def worker(
    settings: Settings, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> AsyncIterator[Worker]:
    """v1 answers, v2 scores: from candles at 0.9, v1 says short and v2 says long."""
    async with running(settings, aiohttp_client) as made:
        yield made


def market(price: float = 0.9, last_hour: int = 10, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    data = [candle(price, timestamp=f"2025-10-16T{hour:02}:00:00Z") for hour in range(last_hour - 9, last_hour + 1)]
    return {"pair": "EUR/USD", "data": data} | fields


async def scores(worker: Worker) -> list[ShadowScore]:
    """The scores in the journal after the queue is empty, without the failed ones."""
    await worker.shadow.close()
    return [score for score in await attempts(worker) if score.b_signal is not None]


async def failures(worker: Worker) -> int:
    """The number of inputs that B could not score."""
    found = [score for score in await attempts(worker) if score.b_signal is None]
    assert {(score.experiment_id, score.b_confidence) for score in found} <= {("v30_vs_v31", None)}
    return len(found)


async def attempts(worker: Worker) -> list[ShadowScore]:
    """The scores and failures in the journal."""
    return [record for record in await worker.records() if isinstance(record, ShadowScore)]


async def number(worker: Worker, name: str) -> float:
    return (await worker.numbers())[f"reversal_shadow_{name}_total"]


async def test_b_scores_what_a_answered(worker: Worker) -> None:
    await worker.serve(SHADOW)
    data = await worker.predict(market(timeframe="4h"))
    assert (data["model_version"], data["signal"]) == ("v1", "short")
    b = await worker.predict(market(version="v2"))
    (score,) = await scores(worker)
    (exposure,) = await worker.exposures()
    assert score == ShadowScore(
        at=score.at,
        experiment_id="v30_vs_v31",
        pair="EUR/USD",
        timeframe="4h",
        candle="t:1760608800000",
        a_signal="short",
        a_confidence=data["confidence"],
        b_signal="long",
        b_confidence=b["confidence"],
        window=exposure.window,
    )
    assert exposure.window.startswith("w:")
    assert await number(worker, "scored") == 1


async def test_scoring_starts_automatically(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    await worker.serve(SHADOW)
    scored = asyncio.Event()
    append = worker.journal.append

    def watched(records: Sequence[Record]) -> None:
        append(records)
        if isinstance(records[0], ShadowScore):
            scored.set()

    monkeypatch.setattr(worker.journal, "append", watched)
    await worker.predict(market())
    await scored.wait()
    assert [type(record) for record in await worker.records()] == [Exposure, ShadowScore]


async def test_the_answer_waits_for_its_exposure_and_not_for_b(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "COLLECT_SECONDS", 3600.0)
    await worker.serve(SHADOW)
    await worker.predict(market())
    assert [type(record) for record in await worker.records()] == [Exposure]
    assert len(await scores(worker)) == 1


async def test_a_candle_is_scored_once_however_many_users_ask(worker: Worker) -> None:
    await worker.serve(SHADOW)
    for user in ("a", "b", None, "a"):
        await worker.predict(market(user_id=user))
    assert len(await scores(worker)) == 1
    # It is not scored again later either. Other pairs, timeframes and times are other candles.
    await worker.predict(market())
    for other in (market(pair="USD/JPY"), market(timeframe="4h"), market(last_hour=11)):
        await worker.predict(other)
    found = [(score.pair, score.timeframe, score.candle) for score in await scores(worker)]
    assert found == [
        ("EUR/USD", "1h", "t:1760608800000"),
        ("USD/JPY", "1h", "t:1760608800000"),
        ("EUR/USD", "4h", "t:1760608800000"),
        ("EUR/USD", "1h", "t:1760612400000"),
    ]
    assert len(await worker.exposures()) == 8


async def test_two_inputs_that_end_with_the_same_candle_are_two_scores(worker: Worker) -> None:
    await worker.serve(SHADOW)
    long = market()
    for body in (long, {**long, "data": long["data"][1:]}, long):
        await worker.predict(body)
    found = await scores(worker)
    assert [score.candle for score in found] == ["t:1760608800000"] * 2
    assert [exposure.window for exposure in await worker.exposures()] == [found[i].window for i in (0, 1, 0)]
    assert found[0].window != found[1].window


async def test_the_next_experiment_scores_the_same_candle_again(worker: Worker) -> None:
    for name in ("first", "second"):
        await worker.serve(experiment(mode="shadow", experiment_id=name))
        await worker.predict(market())
        await worker.shadow.close()
    assert [score.experiment_id for score in await scores(worker)] == ["first", "second"]


async def test_answers_still_queued_when_the_experiment_ends_are_not_scored(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "COLLECT_SECONDS", 3600.0)
    for after in (None, experiment(mode="shadow", experiment_id="next")):
        await worker.serve(SHADOW)
        await worker.predict(market(last_hour=10 if after else 11))
        await worker.serve(after)
        assert await scores(worker) == []
    assert await number(worker, "failed") == 0


async def test_split_experiments_and_named_versions_have_no_shadow(worker: Worker) -> None:
    await worker.serve(experiment())
    await worker.predict(market(user_id="user123"))
    await worker.serve(SHADOW)
    await worker.predict(market(version="v1"))
    assert await scores(worker) == []


async def test_batches_are_scored_in_batches(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    await worker.serve(SHADOW)
    detector = worker.registry.snapshot.detectors["v2"]
    sizes = []
    predict = detector.predict

    def counted(sources: Any) -> Any:  # noqa: ANN401
        sizes.append(len(sources))
        return predict(sources)

    monkeypatch.setattr(detector, "predict", counted)
    await worker.post("/reversal/predict/batch", {"items": [market(last_hour=9 + i % 15, pair=f"AA{'ABC'[i // 15]}/USD")
                                                            for i in range(40)]})  # fmt: skip
    assert len(await scores(worker)) == 40
    assert max(sizes) == shadow.BATCH
    assert sum(sizes) == 40


async def test_a_full_queue_drops_and_counts_and_the_candle_can_be_queued_again(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "QUEUE", 2)
    await worker.serve(SHADOW)
    items = [market(pair=f"AA{letter}/USD") for letter in "ABCD"]
    _, answer = await worker.post("/reversal/predict/batch", {"items": items})
    assert [result["success"] for result in answer["data"]["results"]] == [True] * 4
    assert [score.pair for score in await scores(worker)] == ["AAA/USD", "AAB/USD"]
    assert await number(worker, "dropped") == 2
    for item in items[2:]:
        await worker.predict(item)
    assert [score.pair for score in await scores(worker)][2:] == ["AAC/USD", "AAD/USD"]


async def test_the_candle_used_longest_ago_is_forgotten_first(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "KEYS", 2)
    await worker.serve(SHADOW)
    for letter in "ABACBA":  # C makes it forget B, not A, because A was used again after B
        await worker.predict(market(pair=f"AA{letter}/USD"))
    assert [score.pair[2] for score in await scores(worker)] == ["A", "B", "C", "B", "A"]


class TestFailures:
    async def test_b_cannot_answer(self, worker: Worker, models: Path, caplog: pytest.LogCaptureFixture) -> None:
        await asyncio.to_thread(bundles.write, models, "v4", kind="root")
        await worker.serve(experiment(mode="shadow", variant_b="v4"))
        body = asks(1.0, 1.0)
        assert (await worker.predict(body))["signal"] == "short"
        await worker.predict(body | {"pair": "USD/JPY"})
        await worker.predict(asks(0.5, 0.5))
        assert len(await scores(worker)) == 1
        assert (await number(worker, "failed"), await number(worker, "scored")) == (2, 1)
        assert await failures(worker) == 2
        assert caplog.text.count("shadow_score_failed version=v4 error=") == 1
        assert "stage1" in caplog.text

    async def test_b_is_not_loaded(self, worker: Worker) -> None:
        await worker.serve(SHADOW, without=("v2",))
        assert (await worker.predict(market()))["signal"] == "short"
        assert await scores(worker) == []
        assert await number(worker, "failed") == 1
        assert await failures(worker) == 1

    async def test_a_candle_counts_once_however_many_users_ask(self, worker: Worker) -> None:
        await worker.serve(SHADOW, without=("v2",))
        for user in ("a", "b", None, "a"):
            await worker.predict(market(user_id=user))
        await worker.predict(market(last_hour=11))
        assert await scores(worker) == []
        assert await failures(worker) == 2

    async def test_b_needs_a_window_that_was_not_sent(self, worker: Worker) -> None:
        await worker.serve(SHADOW)
        assert (await worker.predict(asks(0.9)))["signal"] == "short"
        assert await scores(worker) == []
        assert await number(worker, "failed") == 1
        assert await failures(worker) == 1

    async def test_an_input_that_b_refuses_as_out_of_range_is_no_failure_of_b(
        self, worker: Worker, models: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        await asyncio.to_thread(bundles.write, models, "v4", scale=(0.0, 0.1), stage2_features=None)
        worker.registry.loader._refuse_out_of_range = True  # noqa: SLF001 - as the setting does
        await worker.serve(experiment(mode="shadow", variant_b="v4"))
        await worker.predict(market())
        assert await scores(worker) == []
        assert await number(worker, "failed") == 1
        assert await failures(worker) == 0
        assert "shadow_score_failed version=v4 error=OUT_OF_RANGE\n" in caplog.text

    async def test_b_raises_an_unexpected_error(self, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
        await worker.serve(SHADOW)

        def broken(sources: object) -> object:  # noqa: ARG001 - a detector's signature
            raise ZeroDivisionError("a surprise")

        monkeypatch.setattr(worker.registry.snapshot.detectors["v2"], "predict", broken)
        assert (await worker.predict(market()))["signal"] == "short"
        assert await scores(worker) == []
        assert await number(worker, "failed") == 1
        assert await failures(worker) == 1

    async def test_an_answer_by_a_fallback_is_not_scored(self, worker: Worker) -> None:
        await worker.serve(SHADOW, without=("v1",), active="v2")
        data = await worker.predict(market())
        assert (data["served_by"], data["experiment"]["variant"]) == ("v2", "A")
        assert await scores(worker) == []
        assert await number(worker, "failed") == 0
        assert await failures(worker) == 0


async def test_closing_ends_in_time_and_counts_the_dropped_answers(worker: Worker) -> None:
    await worker.serve(SHADOW)
    await worker.predict(market())
    await worker.shadow.close(seconds=0)
    assert await scores(worker) == []
    assert await number(worker, "dropped") == 1
