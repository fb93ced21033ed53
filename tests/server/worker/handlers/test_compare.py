from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import bundles
from tests.server.client import Post
from tests.server.questions import asks, candle, candles, window


async def test_all_loaded_versions_answer_by_default(post: Post) -> None:
    status, answer = await post("/reversal/compare", candles())
    assert status == 200
    data = answer["data"]
    assert set(data) == {"pair", "timeframe", "predictions", "consensus", "disagreement", "timestamp"}
    assert list(data["predictions"]) == ["v1", "v2", "v3"]
    assert {p["signal"] for p in data["predictions"].values()} == {"hold"}
    assert (data["consensus"], data["disagreement"]) == ("hold", False)


async def test_an_entry_equals_the_answer_of_predict(post: Post) -> None:
    _, compared = await post("/reversal/compare_raw", {**candles(), "data": [candle(0.9)] * 20})
    for version, entry in compared["data"]["predictions"].items():
        _, single = await post("/reversal/predict", {**candles(), "data": [candle(0.9)] * 20, "version": version})
        assert entry | {"timestamp": ""} == single["data"] | {"timestamp": ""}


async def test_versions_that_disagree(post: Post) -> None:
    body = {**candles(), "data": [candle(0.55)] * 20, "versions": ["v1", "v2", "v1"]}
    _, answer = await post("/reversal/compare", body)
    assert [p["signal"] for p in answer["data"]["predictions"].values()] == ["short", "hold"]
    assert (answer["data"]["consensus"], answer["data"]["disagreement"]) == (None, True)


async def test_one_failing_version_holds_its_error_and_there_is_no_consensus(post: Post, models: Path) -> None:
    bundles.write(models, "v4", features=["sma_50"], stage2_features=["sma_50"])
    await post("/reversal/models/v4/load")
    _, answer = await post("/reversal/compare", candles(versions=["v1", "v4"]))
    failed = answer["data"]["predictions"]["v4"]
    assert (set(failed), failed["code"]) == ({"error", "code"}, "INSUFFICIENT_DATA")
    assert all(each in failed["error"] for each in ("v4", "53", "20"))
    assert answer["data"]["predictions"]["v1"]["signal"] == "hold"
    assert (answer["data"]["consensus"], answer["data"]["disagreement"]) == (None, False)


async def test_a_version_that_is_not_loaded_is_an_entry(post: Post) -> None:
    await post("/reversal/models/v2/unload")
    _, answer = await post("/reversal/compare", candles(versions=["v1", "v2"]))
    assert answer["data"]["predictions"]["v2"]["code"] == "MODEL_UNAVAILABLE"


async def test_if_all_versions_fail_it_is_a_503_unless_the_body_is_at_fault(post: Post) -> None:
    await post("/reversal/models/v2/unload")
    status, answer = await post("/reversal/compare", candles(versions=["v2"]))
    assert (status, answer["code"]) == (503, "MODEL_UNAVAILABLE")
    assert answer["error"].startswith("v2: ")
    status, answer = await post("/reversal/compare", candles(3))
    assert (status, answer["code"], answer["details"][0]["path"]) == (422, "INSUFFICIENT_DATA", "data")


async def test_one_matrix_is_an_error_only_for_versions_that_need_two(post: Post) -> None:
    _, answer = await post("/reversal/compare", asks(0.9))
    codes = {version: entry.get("code") for version, entry in answer["data"]["predictions"].items()}
    assert codes == {"v1": None, "v2": "VALIDATION_ERROR", "v3": None}


async def test_a_window_for_each_stage_fits_all_versions(post: Post) -> None:
    _, answer = await post("/reversal/compare", asks(0.82, 0.32))
    assert [entry["signal"] for entry in answer["data"]["predictions"].values()] == ["long", "long", "hold"]


async def test_features_by_version(post: Post) -> None:
    features = {"v1": window(0.1), "v2": {"stage1": window(0.9), "stage2": window(0.9)}}
    _, answer = await post("/reversal/compare", {"pair": "EUR/USD", "features": features})
    predictions = answer["data"]["predictions"]
    assert (predictions["v1"]["signal"], predictions["v2"]["signal"]) == ("hold", "short")
    assert predictions["v3"]["code"] == "VALIDATION_ERROR"
    assert predictions["v3"]["error"].startswith("features.v3: ")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"versions": []}, "versions"),
        ({"versions": "v1"}, "versions"),
        ({"versions": ["v1", "v9"]}, "versions[1]"),
        ({"versions": ["v1", 1]}, "versions[1]"),
        ({"versions": ["v1", "v" * 65]}, "versions[1]"),
        ({"features": {"v9": [[1, 1]]}}, "features.v9"),
        ({"features": {"v9": [[1, 1]]}, "versions": ["v1"]}, "features.v9"),
        ({"features": {"stage1": [[1, "x"]]}}, "features.stage1[0][1]"),
        ({"features": {"stage1": [[1, 1]], "stage2": 3}}, "features.stage2"),
        ({"features": {"v1": [[1, None]]}}, "features.v1[0][1]"),
        ({"features": {"v1": {"stage1": [["x"]]}}}, "features.v1.stage1[0][0]"),
        ({"features": {"v1": {}}}, "features.v1.stage1"),
        ({"features": {"v" * 65: [[1, 1]]}}, "features"),
        ({"pair": "x"}, "pair"),
        ({"data": [candle(high=None)]}, "data[0].high"),
    ],
)
async def test_a_bad_value_is_a_422_that_names_its_place(post: Post, change: dict[str, Any], path: str) -> None:
    status, answer = await post("/reversal/compare", candles(**change))
    assert (status, [detail["path"] for detail in answer["details"]]) == (422, [path])


async def test_malformed_json_within_features_is_a_400(post: Post) -> None:
    status, answer = await post("/reversal/compare", b'{"pair":"EUR/USD","features":{"v1":[[NaN]]}}')
    assert (status, answer["code"]) == (400, "MALFORMED_JSON")
