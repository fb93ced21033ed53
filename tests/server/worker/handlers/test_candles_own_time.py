"""A version that computes features from the candles' own times: every way of sending candles passes their times."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from aiohttp import web

from core.experiments.records import Refusal, ShadowScore
from server.settings import Settings
from tests import bundles
from tests.server.client import Client, Post
from tests.server.grpc.caller import message, outputs, served
from tests.server.open_inference.tensors_of import FIRST, HOUR, bars, binary, body, times
from tests.server.open_inference.tensors_of import outputs as tensors
from tests.server.questions import asks, candle, candles
from tests.server.worker_fixture import Worker, experiment, running

# The version's probability: the mean of the hours of its window of four candles, as a share of a day.
MEAN = {20: (16 + 17 + 18 + 19) / 4 / 24, 12: (8 + 9 + 10 + 11) / 4 / 24}
INFER = "/v2/models/reversal/versions/v5/infer"


@pytest.fixture
def models(models: Path) -> Path:
    """v1, v2 and v3 as everywhere; v5 knows the hour only, v6 the hour and the close."""
    bundles.write(models, "v5", features=("hour",), stage2_features=None, scale=(0.0, 24.0))
    bundles.write(models, "v6", features=("close", "hour"), stage2_features=("close", "week_sin"), scale=(0.0, 24.0))
    bundles.write_order(models, "v1", "v2", "v3", "v5", "v6")
    return models


def timed(count: int = 20, later: float = 0.0, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """A request to v5 with hourly candles from midnight on. later: hours that are added to each timestamp."""
    data = [candle(timestamp=FIRST + HOUR * (k + later)) for k in range(count)]
    return {"pair": "EUR/USD", "version": "v5", "data": data} | fields


def assert_refused(answer: dict[str, Any], path: str, *words: str) -> None:
    assert answer["code"] == "VALIDATION_ERROR", answer
    assert [each["path"] for each in answer["details"]] == [path]
    for word in ("missing", "v5", "hour", "timestamp", *words):
        assert word in answer["details"][0]["message"]


@pytest.mark.parametrize("path", ["/reversal/predict", "/reversal/predict_raw", "/predict"])
async def test_candles_are_answered_by_their_opening_times(post: Post, path: str) -> None:
    closing = timed(later=1.0, timestamps="close")
    unsorted = timed()
    unsorted["data"] = unsorted["data"][::-1]
    iso = timed()
    for k, each in enumerate(iso["data"]):
        each["timestamp"] = f"2025-01-01T{k + 2:02}:00:00+02:00"
    for sent in (timed(), closing, unsorted, iso):
        status, answer = await post(path, sent)
        assert status == 200, answer
        assert answer["data"]["factors"]["technical"] == pytest.approx(MEAN[20], abs=1e-6)


@pytest.mark.parametrize("path", ["/reversal/predict", "/reversal/predict_raw", "/predict"])
async def test_candles_without_timestamps_are_a_422_that_says_what_to_send(post: Post, path: str) -> None:
    status, answer = await post(path, candles(version="v5"))
    assert status == 422
    assert_refused(answer, "data[0].timestamp", "another version")
    status, answer = await post(path, candles(version="v6"))
    assert "v6 computes hour, week_sin from" in answer["error"]
    status, answer = await post(path, candles(3, version="v5"))
    assert (status, answer["code"]) == (422, "INSUFFICIENT_DATA")


async def test_the_parts_of_a_batch_with_and_without_times(post: Post) -> None:
    items = [timed(), candles(version="v5"), candles(version="v1"), timed(12), timed(20, later=24 * 365)]
    _, answer = await post("/reversal/predict/batch", {"items": items})
    one, refused, other, two, three = answer["data"]["results"]
    assert_refused(refused, "data[0].timestamp")
    found = [each["data"]["stage1_prob"] for each in (one, two, three)]
    assert found == pytest.approx([MEAN[20], MEAN[12], MEAN[20]], abs=1e-6)
    assert other["data"]["model_version"] == "v1"


async def test_a_comparison_with_and_without_times(post: Post) -> None:
    _, answer = await post("/reversal/compare", timed(version=None, versions=["v1", "v5"]))
    found = answer["data"]["predictions"]
    assert found["v5"]["stage1_prob"] == pytest.approx(MEAN[20], abs=1e-6)
    _, answer = await post("/reversal/compare", candles(versions=["v1", "v5"]))
    found = answer["data"]["predictions"]
    assert (found["v1"]["signal"], found["v5"]["code"]) == ("hold", "VALIDATION_ERROR")
    status, answer = await post("/reversal/compare", candles(versions=["v5"]))
    assert status == 422
    assert_refused(answer, "data[0].timestamp")


async def test_ready_made_windows_need_no_times(post: Post) -> None:
    window = {"pair": "EUR/USD", "version": "v5", "features": [[6.0]] * 4, "features_scaled": False}
    status, answer = await post("/reversal/predict", window)
    assert (status, answer["data"]["stage1_prob"]) == (200, pytest.approx(0.25, abs=1e-6))


@pytest.mark.parametrize("form", ["json", "binary"])
async def test_tensors_with_and_without_times(client: Client, form: str) -> None:
    async def infer(request: dict[str, Any]) -> tuple[int, Any]:
        data, headers = binary(request)
        sent = {"json": request} if form == "json" else {"data": data, "headers": headers}
        response = await client.post(INFER, **sent)
        raw = await response.read()
        if response.status != 200:
            return response.status, (await response.json())["error"]
        return response.status, tensors(raw, response.headers.get("Inference-Header-Content-Length"))[1]["stage1_prob"]

    stamps = times(2)
    stamps[1] = stamps[1][::-1]
    assert await infer(body(candles=bars(0.4, 0.4), timestamps=stamps)) == (
        200,
        pytest.approx([MEAN[20]] * 2, abs=1e-6),
    )
    closing = body(candles=bars(0.4), timestamps=times() + HOUR, parameters={"timestamps": "close"})
    assert await infer(closing) == (200, pytest.approx([MEAN[20]], abs=1e-6))
    status, error = await infer(body(candles=bars(0.4)))
    assert (status, error.split(":")[0]) == (400, "timestamps")
    assert all(word in error for word in ("missing", "v5", "hour"))


async def test_grpc_with_and_without_times(client: Client) -> None:
    async with served(client.app) as caller:
        asked = body(candles=bars(0.4), timestamps=times())
        found = await caller.called("ModelInfer", message(asked, raw=True, version="v5"))
        assert found.code is grpc.StatusCode.OK, found
        assert outputs(found.answer)["stage1_prob"] == pytest.approx([MEAN[20]], abs=1e-6)
        refused = await caller.called("ModelInfer", message(body(candles=bars(0.4)), raw=True, version="v5"))
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert all(word in refused.text for word in ("timestamps", "missing", "v5", "hour"))


async def test_it_is_shown_that_timestamps_are_required(client: Client) -> None:
    for version, required in (("v1", False), ("v5", True), ("v6", True)):
        data = (await (await client.get(f"/reversal/models/{version}")).json())["data"]
        assert data["requires_timestamps"] is required
        parameters = (await (await client.get(f"/v2/models/reversal/versions/{version}/config")).json())["parameters"]
        assert parameters["requires_timestamps"]["string_value"] == str(required).lower()


class TestBesideOtherVersions:
    @pytest.fixture
    async def worker(
        self, settings: Settings, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
    ) -> AsyncIterator[Worker]:
        async with running(settings, aiohttp_client) as made:
            yield made

    async def test_an_active_version_refuses_candles_without_times_and_nothing_falls_back(self, worker: Worker) -> None:
        await worker.serve(active="v5")
        assert (await worker.predict(timed(version=None)))["model_version"] == "v5"
        for _ in range(20):  # refusals are no failures of the version
            status, answer = await worker.post("/reversal/predict", candles())
            assert status == 422
            assert_refused(answer, "data[0].timestamp")
        assert (await worker.predict(timed(version=None)))["model_version"] == "v5"

    async def test_as_a_fallback_it_is_passed_over_without_times(self, worker: Worker, models: Path) -> None:
        await asyncio.to_thread(bundles.write_order, models, "v5", "v1", "v2")
        await worker.serve(experiment(), without=("v2",))
        for sent, version in ((timed(), "v5"), (candles(), "v1")):
            data = await worker.predict(sent | {"version": None, "user_id": "alice"})
            assert (data["model_version"], data["served_by"]) == (version, version)
            assert "v2" in data["fallback_reason"]
        await worker.serve(experiment(), without=("v1", "v2", "v3", "v6"))
        status, answer = await worker.post("/reversal/predict", candles(user_id="alice"))
        assert (status, answer["code"]) == (503, "MODEL_UNAVAILABLE")  # of what the client asked for
        assert "v2" in answer["error"]

    async def test_a_variant_refuses_candles_without_times_and_that_is_counted(self, worker: Worker) -> None:
        await worker.serve(experiment(variant_b="v5"))
        status, answer = await worker.post("/reversal/predict", candles(user_id="alice"))
        assert status == 422
        assert_refused(answer, "data[0].timestamp")
        (refusal,) = await worker.records()
        assert isinstance(refusal, Refusal)
        assert refusal.variant == "B"

    async def test_shadow_scores_candles_with_times_and_counts_those_without(self, worker: Worker) -> None:
        await worker.serve(experiment(mode="shadow", variant_b="v5"))
        await worker.predict(timed(version=None))
        await worker.predict(candles())
        await worker.shadow.close()
        scores = [record for record in await worker.records() if isinstance(record, ShadowScore)]
        assert [score.b_signal is None for score in scores] == [False, True]
        direct = await worker.predict(timed())
        assert scores[0].b_confidence == direct["confidence"]

    async def test_requests_that_run_together_keep_their_own_times(self, worker: Worker) -> None:
        await worker.serve(active="v5")
        items = [timed(20, later=hours, version=None) for hours in np.arange(-12.0, 4.0, 0.25).tolist()]
        _, answer = await worker.post("/reversal/predict/batch", {"items": items})
        found = [each["data"]["stage1_prob"] for each in answer["data"]["results"]]
        expected = [np.mean([(k + hours) % 24 for k in range(16, 20)]) / 24 for hours in np.arange(-12.0, 4.0, 0.25)]
        assert found == pytest.approx(expected, abs=1e-6)
        assert (await worker.predict(asks(0.5, version="v1")))["model_version"] == "v1"
