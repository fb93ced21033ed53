from __future__ import annotations

import asyncio
import struct
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from core.experiments.assignment import assign, pseudonym
from core.experiments.experiment import Guardrails
from core.experiments.records import Exposure, Failure, Refusal, ShadowScore
from core.features.candle_keys import candle_key_of_time, candle_key_of_window
from core.inference.inputs import GivenWindows
from core.serving.circuit_breaker import FAILURES
from server.settings import Settings
from server.worker.pace import LARGE
from tests import bundles
from tests.core.journals import samples
from tests.server.client import Client
from tests.server.questions import asks, candle, candles, window
from tests.server.worker_fixture import USER_KEY, Worker, experiment, running
from tests.waiting import until

A_USER, B_USER = "user123", "alice"


@pytest.fixture
def tries(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The worker retries failing versions only after this event is set."""
    allowed, retry = threading.Event(), worker.breaker.retry
    monkeypatch.setattr(worker.breaker, "retry", lambda detector: allowed.wait(20) and retry(detector))
    yield allowed
    allowed.set()


async def until_the_next_millisecond() -> None:
    now = time.time_ns() // 1_000_000
    await until(lambda: time.time_ns() // 1_000_000 > now)


@pytest.fixture
async def worker(
    settings: Settings, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> AsyncIterator[Worker]:
    """v1 is active, and variant A against v2; v3 is last in the fallback order."""
    async with running(settings, aiohttp_client) as made:
        yield made


def at(hour: int, price: float = 0.4) -> dict[str, Any]:
    return candle(price, timestamp=f"2025-10-16T{hour:02}:00:00Z")


HOURS = [at(hour) for hour in range(1, 11)]
LAST_HOUR = "t:1760608800000"


class TestVariants:
    @pytest.mark.parametrize(("user", "variant", "version"), [(A_USER, "A", "v1"), (B_USER, "B", "v2")])
    async def test_a_user_gets_the_variant_of_the_hash(
        self, worker: Worker, user: str, variant: str, version: str
    ) -> None:
        await worker.serve(experiment(), active="v3")
        data = await worker.predict(candles(user_id=user))
        assert data["model_version"] == version
        assert data["experiment"] == {"experiment_id": "v30_vs_v31", "variant": variant}
        assert not {"served_by", "fallback_reason"} & set(data)
        (exposure,) = await worker.exposures()
        assert exposure == Exposure(
            prediction_id=data["prediction_id"],
            at=exposure.at,
            experiment_id="v30_vs_v31",
            variant=variant,  # type: ignore[arg-type]
            version=version,
            fallback_reason=None,
            user=pseudonym(user, USER_KEY),
            pair="EUR/USD",
            timeframe="1h",
            candle=exposure.candle,
            signal=data["signal"],
            confidence=data["confidence"],
            stage1_prob=data["stage1_prob"],
            stage2_prob=data["stage2_prob"],
            latency_us=exposure.latency_us,
            slow=False,
            warnings=("NO_TIMESTAMPS",),
        )
        assert abs(exposure.at / 1e6 - time.time()) < 60
        assert 0 < exposure.latency_us < 60_000_000

    @pytest.mark.parametrize(
        "users", [{"userId": B_USER}, {"user_id": "", "userId": B_USER}, {"user_id": B_USER, "userId": B_USER}]
    )
    async def test_both_spellings_of_the_user_are_read(self, worker: Worker, users: dict[str, Any]) -> None:
        await worker.serve(experiment())
        assert (await worker.predict(candles(**users)))["experiment"]["variant"] == "B"

    async def test_an_integer_is_the_user_of_its_decimal_form(self, worker: Worker) -> None:
        await worker.serve(experiment(traffic_split=0.3574))  # 42 is in bucket 3573
        for user in (42, "42"):
            assert (await worker.predict(candles(user_id=user)))["experiment"]["variant"] == "A"
        assert len({exposure.user for exposure in await worker.exposures()}) == 1
        await worker.serve(experiment(traffic_split=0.3573))
        assert (await worker.predict(candles(user_id=42)))["experiment"]["variant"] == "B"

    @pytest.mark.parametrize("users", [{}, {"user_id": None}, {"user_id": ""}, {"user_id": "", "userId": None}])
    async def test_a_request_without_a_user_takes_part_in_no_split_experiment(
        self, worker: Worker, users: dict[str, Any]
    ) -> None:
        await worker.serve(experiment(), active="v3")
        data = await worker.predict(candles(**users))
        assert data["model_version"] == "v3"
        assert not {"experiment", "prediction_id"} & set(data)
        assert await worker.records() == []

    async def test_without_an_experiment_nothing_is_recorded(self, worker: Worker) -> None:
        await worker.serve(None)
        data = await worker.predict(candles(user_id=B_USER))
        assert data["model_version"] == "v1"
        assert not {"experiment", "prediction_id", "served_by", "fallback_reason"} & set(data)
        assert await worker.records() == []

    @pytest.mark.parametrize("user", [A_USER, B_USER, None])
    async def test_in_shadow_mode_a_answers_every_request(self, worker: Worker, user: str | None) -> None:
        await worker.serve(experiment(mode="shadow"), active="v3")
        data = await worker.predict(candles(user_id=user))
        assert data["model_version"] == "v1"
        assert data["experiment"]["variant"] == "A"
        (exposure,) = await worker.exposures()
        assert exposure.user == (None if user is None else pseudonym(user, USER_KEY))

    @pytest.mark.parametrize("mode", ["split", "shadow"])
    async def test_a_named_version_wins_and_is_not_recorded(self, worker: Worker, mode: str) -> None:
        await worker.serve(experiment(mode=mode))
        data = await worker.predict(candles(user_id=B_USER, version="v3"))
        assert data["model_version"] == "v3"
        assert not {"experiment", "prediction_id"} & set(data)
        status, _ = await worker.post("/reversal/compare", candles(user_id=B_USER))
        assert status == 200
        assert await worker.records() == []

    async def test_the_other_endpoints_take_part(self, worker: Worker) -> None:
        await worker.serve(experiment())
        for path in ("/predict", "/reversal/predict_raw"):
            _, answer = await worker.post(path, candles(user_id=B_USER))
            data = answer["data"]
            assert (data["model_version"], data["experiment"]["variant"]) == ("v2", "B")
            assert (await worker.exposures())[-1].prediction_id == data["prediction_id"]
        assert len(await worker.exposures()) == 2

    async def test_ids_are_unique_and_sort_by_time(self, worker: Worker) -> None:
        await worker.serve(experiment())
        ids = []
        for _ in range(20):
            ids.append((await worker.predict(candles(user_id=B_USER)))["prediction_id"])
            await until_the_next_millisecond()  # ids of the same millisecond have no order
        assert ids == sorted(set(ids))
        assert [exposure.prediction_id for exposure in await worker.exposures()] == ids

    async def test_a_stopped_experiment_decides_nothing(self, worker: Worker) -> None:
        await worker.serve(experiment())
        await worker.predict(candles(user_id=B_USER))
        await worker.serve(None)
        assert (await worker.predict(candles(user_id=B_USER)))["model_version"] == "v1"
        assert len(await worker.exposures()) == 1


class TestCandles:
    async def key(self, worker: Worker, **fields: Any) -> str:  # noqa: ANN401
        await worker.predict({"pair": "EUR/USD", "user_id": A_USER} | fields)
        return (await worker.exposures())[-1].candle

    async def test_the_time_of_the_last_candle_is_its_key(self, worker: Worker) -> None:
        await worker.serve(experiment())
        assert await self.key(worker, data=HOURS) == LAST_HOUR == candle_key_of_time(1760608800000)
        assert await self.key(worker, data=HOURS[::-1]) == LAST_HOUR
        assert await self.key(worker, data=HOURS[1:]) == LAST_HOUR
        for unit in (1, 1000):
            data = [candle(timestamp=(1760608800 - 3600 * i) * unit) for i in range(10)]
            assert await self.key(worker, data=data) == LAST_HOUR

    async def test_the_candle_time_of_features_is_their_key(self, worker: Worker) -> None:
        await worker.serve(experiment())
        for given in ("2025-10-16T10:00:00Z", 1760608800, 1760608800000):
            assert await self.key(worker, features=window(0.4), candle_time=given) == LAST_HOUR
        answer = await worker.predict(asks(0.4, candle_time="2025-10-16T10:00:00Z", user_id=A_USER))
        assert answer["candle_time"] == "2025-10-16T10:00:00Z"

    async def test_in_crossover_mode_a_user_has_one_variant_for_24_candles(self, worker: Worker) -> None:
        await worker.serve(experiment(mode="crossover", traffic_split=0.5))
        day, hour = 1760572800, 3600
        for number in range(3 * 24):
            await worker.predict(asks(0.4, 0.4, candle_time=day + number * hour, user_id=A_USER))
        found = await worker.exposures()
        first = day // (24 * hour)
        assert [each.block for each in found] == [f"1h:{first + number // 24}" for number in range(3 * 24)]
        for each in found:
            assert each.variant == assign(A_USER, experiment(mode="crossover", traffic_split=0.5), each.block)
        assert {each.variant for each in found[:24]} != {"A", "B"}

    async def test_without_times_the_values_are_the_key(self, worker: Worker) -> None:
        await worker.serve(experiment())
        keys = [
            await self.key(worker, data=[candle(0.4)] * 10),
            await self.key(worker, data=[candle(0.4)] * 11),
            await self.key(worker, data=[candle(0.4, volume=2.0)] * 10),
            await self.key(worker, features=window(0.4)),
            await self.key(worker, features=window(0.41)),
            await self.key(worker, features={"stage1": window(0.4), "stage2": window(0.4)}),
            await self.key(worker, features=window(0.4), features_scaled=False),
        ]
        assert len(set(keys)) == len(keys)
        assert {key[:2] for key in keys} == {"w:"}
        assert await self.key(worker, data=[candle(0.4)] * 10) == keys[0]
        assert await self.key(worker, features=window(0.4)) == keys[3]
        values = list(chain.from_iterable(window(0.4)))
        assert keys[3] == candle_key_of_window(b"scaled" + struct.pack(f"{len(values)}d", *values))
        stages: dict[str, Any] = {"stage1": window(0.4), "stage2": window(0.5)}
        turned = dict(reversed(stages.items()))
        assert GivenWindows(turned, scaled=True).window_key() == GivenWindows(stages, scaled=True).window_key()

    async def test_features_that_no_stage_uses_are_ignored(self, worker: Worker) -> None:
        await worker.serve(experiment(variant_a="v3"))
        assert (await self.key(worker, features={"stage1": window(0.4), "stage2": [[1.0], []]}))[:2] == "w:"


class TestFallback:
    async def test_the_fallback_order_answers_for_a_variant_that_is_not_loaded(
        self, worker: Worker, caplog: pytest.LogCaptureFixture
    ) -> None:
        await worker.serve(experiment(), without=("v2",))
        for _ in range(3):
            data = await worker.predict(candles(user_id=B_USER))
            assert (data["model_version"], data["served_by"]) == ("v1", "v1")
            assert "v2" in data["fallback_reason"]
            assert data["experiment"] == {"experiment_id": "v30_vs_v31", "variant": "B"}
        exposures = await worker.exposures()
        recorded = [(e.variant, e.version, e.fallback_reason) for e in exposures]
        assert recorded == [("B", "v1", data["fallback_reason"])] * 3
        assert exposures[-1].prediction_id == data["prediction_id"]
        assert caplog.text.count("fallback_used version=v2 served_by=v1 error=") == 1
        assert (await worker.numbers())['reversal_fallbacks_total{served_by="v1",version="v2"}'] == 3

    async def test_a_version_that_returns_nan_falls_back(self, worker: Worker, models: Path) -> None:
        await asyncio.to_thread(bundles.write, models, "v4", kind="root")
        await worker.serve(experiment(variant_b="v4"))
        data = await worker.predict(asks(1.0, 1.0, user_id=B_USER))
        assert data["served_by"] == "v1"
        assert all(each in data["fallback_reason"] for each in ("v4", "stage1", "nan"))
        data = await worker.predict(asks(0.5, 0.5, user_id=B_USER))
        assert data["model_version"] == "v4"
        assert "served_by" not in data

    async def test_the_active_version_falls_back_without_an_experiment(self, worker: Worker, models: Path) -> None:
        await asyncio.to_thread(bundles.write, models, "v4", kind="root")
        await worker.serve(None, active="v4")
        for path in ("/reversal/predict", "/predict"):
            _, answer = await worker.post(path, asks(1.0, 1.0))
            assert (answer["data"]["model_version"], answer["data"]["served_by"]) == ("v1", "v1")
            assert "experiment" not in answer["data"]
        assert await worker.records() == []

    async def test_the_next_of_the_order_is_tried_if_the_first_fails_too(self, worker: Worker, models: Path) -> None:
        for version in ("v1", "v4"):
            await asyncio.to_thread(bundles.write, models, version, kind="root")
        await worker.serve(None, active="v4")
        data = await worker.predict(asks(1.0, 1.0))
        assert data["served_by"] == "v2"
        assert all(each in data["fallback_reason"] for each in ("v4", "stage1", "nan"))

    async def test_a_version_that_keeps_failing_is_skipped_until_it_is_healthy(
        self, worker: Worker, models: Path, tries: threading.Event
    ) -> None:
        await asyncio.to_thread(bundles.write, models, "v4", kind="root")
        await worker.serve(None, active="v4")
        for _ in range(FAILURES):
            await worker.predict(asks(1.0, 1.0))
        data = await worker.predict(asks(0.5, 0.5))  # v4 could answer this
        assert data["served_by"] == "v1"
        assert all(each in data["fallback_reason"] for each in ("v4", "3 times", "stage1", "nan"))
        data = await worker.predict(asks(0.5, 0.5, version="v4"))  # a named version is not skipped
        assert "served_by" not in data
        tries.set()
        v4 = worker.registry.snapshot.detectors["v4"]
        await until(lambda: worker.breaker.reason(v4) is None)
        data = await worker.predict(asks(0.5, 0.5))
        assert (data["model_version"], "served_by" in data) == ("v4", False)

    async def test_failures_of_a_named_version_are_not_counted(self, worker: Worker, models: Path) -> None:
        await asyncio.to_thread(bundles.write, models, "v4", kind="root")
        await worker.serve(None, active="v4")
        for _ in range(FAILURES):
            status, _ = await worker.post("/reversal/predict", asks(1.0, 1.0, version="v4"))
            assert status == 503
        assert "served_by" not in await worker.predict(asks(0.5, 0.5))

    @pytest.mark.usefixtures("tries")
    async def test_a_version_that_keeps_failing_is_no_fallback(self, worker: Worker, models: Path) -> None:
        await asyncio.to_thread(bundles.write, models, "v1", kind="root")
        await worker.serve(None, active="v9")
        for _ in range(FAILURES):
            assert (await worker.predict(asks(1.0, 1.0)))["served_by"] == "v2"
        assert (await worker.predict(asks(0.5, 0.5)))["served_by"] == "v2"

    async def test_a_fallback_whose_window_was_not_sent_is_skipped(self, worker: Worker) -> None:
        # v2, the next of the order, refuses a single matrix. The client did not ask for v2 and must not see that.
        await worker.serve(experiment(variant_a="v4"), without=("v1",))
        data = await worker.predict(asks(0.9, user_id=A_USER))
        assert data["served_by"] == "v3"

    async def test_without_any_fallback_the_error_is_that_of_the_first_choice(self, worker: Worker) -> None:
        await worker.serve(experiment(), without=("v1", "v2", "v3"))
        status, answer = await worker.post("/reversal/predict", candles(user_id=B_USER))
        assert (status, answer["code"]) == (503, "MODEL_UNAVAILABLE")
        assert "v2" in answer["error"]
        (record,) = await worker.records()
        assert record == Failure(record.at, "v30_vs_v31", "B")
        status, answer = await worker.post("/reversal/predict", candles())
        assert (status, answer["code"]) == (503, "MODEL_UNAVAILABLE")
        assert "active" in answer["error"]
        assert len(await worker.records()) == 1

    async def test_a_variant_without_a_bundle_falls_back(self, worker: Worker) -> None:
        await worker.serve(experiment(variant_b="v9"))
        data = await worker.predict(candles(user_id=B_USER))
        assert data["served_by"] == "v1"
        assert "v9" in data["fallback_reason"]

    async def test_a_named_version_has_no_fallback(self, worker: Worker) -> None:
        await worker.serve(experiment())
        await worker.serve(experiment(), without=("v2",))
        status, answer = await worker.post("/reversal/predict", candles(user_id=B_USER, version="v2"))
        assert (status, answer["code"]) == (503, "MODEL_UNAVAILABLE")
        assert "v2" in answer["error"]
        assert await worker.records() == []

    @pytest.mark.parametrize(
        ("body", "path"),
        [
            ({"pair": "EUR/USD", "features": window(0.9)[1:]}, "features"),
            ({"pair": "EUR/USD", "features": {"stage1": window(0.9), "stage2": window(1e39)}}, "features.stage2[0][0]"),
            (candles(3), "data"),
            (candles(timeframe="7x"), "timeframe"),
            (candles(userId="bob"), "userId"),
        ],
    )
    async def test_a_body_that_no_version_takes_has_no_fallback_and_is_not_recorded(
        self, worker: Worker, body: dict[str, Any], path: str
    ) -> None:
        await worker.serve(experiment())
        status, answer = await worker.post("/reversal/predict", body | {"user_id": B_USER})
        assert (status, answer["details"][0]["path"]) == (422, path)
        assert await worker.records() == []


class TestRefusals:
    @pytest.mark.parametrize("path", ["/reversal/predict", "/predict"])
    async def test_a_body_that_only_the_variant_refuses_is_recorded_for_it(self, worker: Worker, path: str) -> None:
        await worker.serve(experiment())
        body = asks(0.9, user_id=B_USER)  # each stage of v2 needs its own window
        status, answer = await worker.post(path, body)
        assert (status, answer["details"][0]["path"]) == (422, "features")
        (record,) = await worker.records()
        assert record == Refusal(record.at, "v30_vs_v31", "B")
        assert abs(record.at / 1e6 - time.time()) < 60
        assert (await worker.predict(body | {"user_id": A_USER}))["model_version"] == "v1"

    async def test_too_few_candles_for_the_variant_alone(self, worker: Worker, models: Path) -> None:
        await asyncio.to_thread(bundles.write, models, "v4", features=("sma_20", "close", "high"), length=3)
        await worker.serve(experiment(variant_b="v4"))
        status, answer = await worker.post("/reversal/predict", candles(10, user_id=B_USER))
        assert (status, answer["code"]) == (422, "INSUFFICIENT_DATA")
        status, _ = await worker.post("/reversal/predict", candles(3, user_id=B_USER))  # too few for v1 as well
        assert status == 422
        assert [type(record) for record in await worker.records()] == [Refusal]

    async def test_candles_for_a_variant_that_takes_features_only(self, worker: Worker, models: Path) -> None:
        await asyncio.to_thread(bundles.write, models, "v4", inputs="features")
        await worker.serve(experiment(variant_b="v4"))
        status, answer = await worker.post("/reversal/predict", candles(user_id=B_USER))
        assert (status, answer["code"], answer["details"][0]["path"]) == (422, "VALIDATION_ERROR", "data")
        (record,) = await worker.records()
        assert record == Refusal(record.at, "v30_vs_v31", "B")
        assert (await worker.predict(asks(0.9, user_id=B_USER)))["model_version"] == "v4"

    async def test_items_of_a_batch(self, worker: Worker) -> None:
        await worker.serve(experiment())
        items = [asks(0.9, user_id=B_USER), asks(0.9, user_id=A_USER), asks(0.9, user_id=B_USER), candles(user_id=7.5)]
        _, answer = await worker.post("/reversal/predict/batch", {"items": items})
        assert [result["success"] for result in answer["data"]["results"]] == [False, True, False, False]
        found = [(type(record), record.variant) for record in await worker.records()]  # type: ignore[union-attr]
        assert found == [(Refusal, "B"), (Exposure, "A"), (Refusal, "B")]

    async def test_the_assigned_version_decides_if_the_other_one_is_not_loaded(self, worker: Worker) -> None:
        await worker.serve(experiment(), without=("v1",), active="v3")
        assert (await worker.post("/reversal/predict", asks(0.9, user_id=B_USER)))[0] == 422
        assert [type(record) for record in await worker.records()] == [Refusal]

    async def test_in_shadow_mode_a_b_that_takes_features_only_cannot_score_candles(
        self, worker: Worker, models: Path
    ) -> None:
        await asyncio.to_thread(bundles.write, models, "v4", inputs="features")
        await worker.serve(experiment(mode="shadow", variant_b="v4"))
        await worker.predict(candles())
        await worker.predict(asks(0.9))
        await worker.shadow.close()
        scores = [record.b_signal for record in await worker.records() if isinstance(record, ShadowScore)]
        assert scores == [None, "short"]

    @pytest.mark.parametrize(("a", "refused"), [("v2", 1), ("v1", 0)])
    async def test_in_shadow_mode_only_those_of_a_count(self, worker: Worker, a: str, refused: int) -> None:
        await worker.serve(experiment(mode="shadow", variant_a=a, variant_b="v1" if a == "v2" else "v2"))
        await worker.post("/reversal/predict", asks(0.9))
        await worker.shadow.close()
        found = [record.variant for record in await worker.records() if isinstance(record, Refusal)]
        assert found == ["A"] * refused

    async def test_a_request_that_names_the_version_is_not_recorded(self, worker: Worker) -> None:
        await worker.serve(experiment())
        assert (await worker.post("/reversal/predict", asks(0.9, user_id=B_USER, version="v2")))[0] == 422
        assert await worker.records() == []


class TestBeside:
    async def test_predictions_beside_the_experiment_are_counted_by_reason(self, worker: Worker) -> None:
        await worker.serve(experiment())
        for body in (candles(), candles(user_id=None), candles(version="v1"), candles(version="v3", user_id=B_USER)):
            await worker.predict(body)
        items = [candles(), candles(user_id=A_USER), candles(version="v1")]
        await worker.post("/reversal/predict/batch", {"items": items})
        await worker.post("/reversal/predict", candles(2))  # refused, but asked for
        await worker.post("/reversal/predict", candles(timeframe="7x"))  # no request for a prediction
        await worker.post("/reversal/compare", candles())
        assert await worker.beside() == {("v30_vs_v31", "without_user"): 4, ("v30_vs_v31", "named_version"): 3}
        assert len(await worker.exposures()) == 1

    async def test_in_shadow_mode_every_request_without_a_version_takes_part(self, worker: Worker) -> None:
        await worker.serve(experiment(mode="shadow"))
        for body in (candles(), candles(version="v1"), candles(version="v2", user_id=B_USER)):
            await worker.predict(body)
        assert await worker.beside() == {("v30_vs_v31", "named_version"): 2}

    async def test_without_an_experiment_nothing_is_beside(self, worker: Worker) -> None:
        await worker.serve(None)
        await worker.predict(candles())
        assert await worker.beside() == {}

    async def test_a_switch_of_experiments_loses_no_count(self, worker: Worker) -> None:
        await worker.serve(experiment())
        await worker.predict(candles())
        await worker.serve(experiment(experiment_id="next"))
        await worker.predict(candles())
        await worker.serve(None)
        assert await worker.beside() == {("v30_vs_v31", "without_user"): 1, ("next", "without_user"): 1}
        assert await worker.beside() == {("v30_vs_v31", "without_user"): 1, ("next", "without_user"): 1}

    async def test_the_end_of_a_worker_loses_no_count(self, worker: Worker) -> None:
        await worker.serve(experiment())
        await worker.predict(candles())
        await worker.client.close()
        written = await worker.beside()
        assert written == {("v30_vs_v31", "without_user"): 1}

    async def test_counts_wait_while_the_journal_cannot_be_written(self, worker: Worker) -> None:
        await worker.serve(experiment())
        await worker.predict(candles())
        with samples.largest_file(0):
            await worker.predict(candles(user_id=B_USER))
            assert worker.journal.degraded
            worker.predictor.beside.flush()
            assert worker.journal.waiting == 1  # the exposure
            await worker.predict(candles())
        assert worker.journal.retry()
        assert await worker.beside() == {("v30_vs_v31", "without_user"): 2}


class TestGuardrails:
    @pytest.mark.parametrize(("limit", "slow"), [(1e-6, True), (1e6, False), (None, False)])
    async def test_an_answer_over_the_limit_is_slow(self, worker: Worker, limit: float | None, *, slow: bool) -> None:
        await worker.serve(experiment(guardrails=Guardrails(max_p99_ms=limit)))
        await worker.predict(candles(user_id=A_USER))
        assert [exposure.slow for exposure in await worker.exposures()] == [slow]


class TestBatch:
    async def test_every_item_has_its_own_user(self, worker: Worker) -> None:
        await worker.serve(experiment(), active="v3")
        users = [A_USER, B_USER, None, "user3", B_USER]
        items: list[Any] = [candles(user_id=user) for user in users]
        items += [candles(user_id=B_USER, version="v1"), candles(2, user_id=A_USER), 7]
        _, answer = await worker.post("/reversal/predict/batch", {"items": items})
        results = answer["data"]["results"]
        assert [result["success"] for result in results] == [True] * 6 + [False] * 2
        found = [(r["data"]["model_version"], r["data"].get("experiment", {}).get("variant")) for r in results[:6]]
        assert found == [("v1", "A"), ("v2", "B"), ("v3", None), ("v1", "A"), ("v2", "B"), ("v1", None)]
        ids = [r["data"]["prediction_id"] for r in results[:6] if "prediction_id" in r["data"]]
        assert [exposure.prediction_id for exposure in await worker.exposures()] == ids
        assert len(set(ids)) == 4

    async def test_a_slice_is_one_append(self, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
        await worker.serve(experiment())
        sizes = []
        append = worker.journal.append

        def counted(records: Any) -> None:  # noqa: ANN401
            sizes.append(len(records))
            append(records)

        monkeypatch.setattr(worker.journal, "append", counted)
        items = [asks(0.1, 0.1, user_id=f"user{i}") for i in range(2 * LARGE.items + 1)]
        await worker.post("/reversal/predict/batch", {"items": items})
        assert sizes == [LARGE.items, LARGE.items, 1]
        assert len(await worker.exposures()) == len(items)

    async def test_items_that_no_version_can_answer_are_failures_of_their_variants(self, worker: Worker) -> None:
        await worker.serve(experiment(), without=("v1", "v2", "v3"))
        items = [candles(user_id=A_USER), candles(), candles(user_id=B_USER), candles(timeframe=1, user_id=B_USER)]
        _, answer = await worker.post("/reversal/predict/batch", {"items": items})
        codes = [result["code"] for result in answer["data"]["results"]]
        assert codes == ["MODEL_UNAVAILABLE"] * 3 + ["VALIDATION_ERROR"]
        assert [r.variant for r in await worker.records() if isinstance(r, Failure)] == ["A", "B"]


async def test_an_answer_is_recorded_before_it_is_sent_even_if_the_disk_is_full(worker: Worker) -> None:
    await worker.serve(experiment())
    with samples.largest_file(0):
        data = await worker.predict(candles(user_id=B_USER))
        assert data["experiment"]["variant"] == "B"
        assert worker.journal.waiting == 1
    assert worker.journal.retry()
    assert [exposure.prediction_id for exposure in await worker.exposures()] == [data["prediction_id"]]
