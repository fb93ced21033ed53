from __future__ import annotations

import asyncio
import dataclasses
import gzip
import io
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from server.http.app_keys import BATCH_ADMISSION
from server.settings import Settings
from tests import bundles
from tests.server.client import Client, Post
from tests.server.questions import asks, candle, candles, window
from tests.waiting import until

DETECTED = {
    "reversal_detected": True,
    "direction": "long",
    "technical": pytest.approx(0.82, abs=1e-6),
    "pattern": pytest.approx(0.68, abs=1e-6),
}


async def test_the_golden_answer(post: Post) -> None:
    status, answer = await post("/reversal/predict", asks(0.82, 0.32, timeframe="4h", user_id="user123"))
    assert status == 200
    data = answer["data"]
    assert data == {
        "pair": "EUR/USD",
        "timeframe": "4h",
        "signal": "long",
        "confidence": pytest.approx(0.75, abs=1e-6),
        "stage1_prob": pytest.approx(0.82, abs=1e-6),
        "stage2_prob": pytest.approx(0.68, abs=1e-6),
        "model_version": "v1",
        "factors": DETECTED,
        "timestamp": data["timestamp"],
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", data["timestamp"])
    # The inner time is in UTC, the outer one in the configured zone. Both are the same second.
    outer = datetime.fromisoformat(answer["timestamp"])
    assert outer == datetime.fromisoformat(data["timestamp"])
    assert outer.utcoffset() != datetime.fromisoformat(data["timestamp"]).utcoffset()


async def test_hold_below_the_threshold(post: Post) -> None:
    _, answer = await post("/reversal/predict", asks(0.4523))
    assert answer["data"]["signal"] == "hold"
    assert answer["data"]["confidence"] == pytest.approx(0.5477, abs=1e-6)
    assert answer["data"]["stage2_prob"] is None
    assert answer["data"]["factors"] == {
        "reversal_detected": False,
        "direction": None,
        "technical": pytest.approx(0.4523, abs=1e-6),
        "pattern": None,
    }
    assert answer["data"]["timeframe"] == "1h"


async def test_the_threshold_itself_passes(post: Post) -> None:
    _, answer = await post("/reversal/predict", asks(0.5, 0.75))
    assert answer["data"]["signal"] == "short"


async def test_no_stage_2_holds_with_a_warning(post: Post) -> None:
    _, answer = await post("/reversal/predict", asks(0.9, version="v3"))
    assert (answer["data"]["signal"], answer["data"]["model_version"]) == ("hold", "v3")
    assert [warning["code"] for warning in answer["data"]["warnings"]] == ["NO_STAGE2"]


async def test_a_signal_from_candles(post: Post) -> None:
    _, answer = await post("/reversal/predict", candles())
    assert answer["data"]["signal"] == "hold"
    assert answer["data"]["stage1_prob"] == pytest.approx(0.4, abs=1e-6)
    _, answer = await post("/reversal/predict", {**candles(), "data": [candle(0.9)] * 8, "timeframe": None})
    assert (answer["data"]["signal"], answer["data"]["timeframe"]) == ("short", "1h")


async def test_unsorted_candles_are_sorted_by_time(post: Post) -> None:
    rising = [candle(0.1 * i, timestamp=f"2025-10-16T{i:02}:00:00Z") for i in range(1, 9)]
    _, in_order = await post("/reversal/predict", {"pair": "EUR/USD", "data": rising})
    _, reversed_ = await post("/reversal/predict", {"pair": "EUR/USD", "data": rising[::-1]})
    # Without timestamps the client's order is kept, so the reversed candles are another series.
    bare = [{k: v for k, v in row.items() if k != "timestamp"} for row in rising[::-1]]
    _, unsorted = await post("/reversal/predict", {"pair": "EUR/USD", "data": bare})
    assert reversed_["data"]["stage1_prob"] == in_order["data"]["stage1_prob"]
    assert unsorted["data"]["stage1_prob"] != in_order["data"]["stage1_prob"]


async def test_features_take_precedence_over_data(post: Post) -> None:
    for data in ([], [candle(0.9)], None):
        _, answer = await post("/reversal/predict", asks(0.25, data=data))
        assert answer["data"]["stage1_prob"] == pytest.approx(0.25, abs=1e-6)


async def test_raw_features_go_through_the_scaler(post: Post, models: Path) -> None:
    bundles.write(models, "v4", scale=(1.0, 2.0), stage2_scale=(1.0, 2.0))
    assert (await post("/reversal/models/v4/load"))[0] == 200
    _, answer = await post("/reversal/predict", asks(1.5, version="v4", features_scaled=False))
    assert answer["data"]["stage1_prob"] == pytest.approx(0.25, abs=1e-6)


async def test_legacy_predict(post: Post) -> None:
    status, answer = await post("/predict", asks(0.82, 0.32, add_indicators=True))
    assert status == 200
    assert answer["data"] == {
        "prediction": "long",
        "signal": "long",
        "confidence": pytest.approx(0.75, abs=1e-6),
        "factors": {
            "technical": pytest.approx(0.82, abs=1e-6),
            "sentiment": 0.5,
            "pattern": pytest.approx(0.68, abs=1e-6),
        },
        "model_version": "v1",
        "timestamp": answer["data"]["timestamp"],
    }
    _, answer = await post("/predict", asks(0.1))
    assert (answer["data"]["prediction"], answer["data"]["factors"]["pattern"]) == ("hold", 0.5)


async def test_predict_raw_is_predict(post: Post) -> None:
    _, raw = await post("/reversal/predict_raw", candles(100))
    _, plain = await post("/reversal/predict", candles(100))
    assert raw["data"] | {"timestamp": ""} == plain["data"] | {"timestamp": ""}


@pytest.mark.parametrize(
    "users",
    [{"user_id": None}, {"user_id": ""}, {"user_id": "x" * 256}, {"user_id": 42}, {"userId": "用户7"},
     {"user_id": 42, "userId": "42"}, {"user_id": "", "userId": "a"}, {"user_id": 10**30}],
)  # fmt: skip
async def test_users_that_are_accepted(post: Post, users: dict[str, Any]) -> None:
    assert (await post("/reversal/predict", asks(0.1, **users)))[0] == 200


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"pair": None}, "pair"),
        ({"pair": "EURUSD"}, "pair"),
        ({"pair": "EUR/USD\n"}, "pair"),
        ({"pair": "eur/usd"}, "pair"),
        ({"timeframe": "7x"}, "timeframe"),
        ({"timeframe": 1}, "timeframe"),
        ({"version": "v9"}, "version"),
        ({"version": ""}, "version"),
        ({"version": 3}, "version"),
        ({"version": "v" * 65}, "version"),
        ({"user_id": "x" * 257}, "user_id"),
        ({"user_id": 1.5}, "user_id"),
        ({"user_id": True}, "user_id"),
        ({"user_id": ["a"]}, "user_id"),
        ({"user_id": "a", "userId": "b"}, "userId"),
        ({"features_scaled": "yes"}, "features_scaled"),
        ({"data": None}, "data"),
        ({"data": 3}, "data"),
        ({"data": {}}, "data.open"),
        ({"data": [candle()] * 2001}, "data"),
        ({"data": [candle(), 3]}, "data[1]"),
        ({"data": [candle(), candle(high=None)]}, "data[1].high"),
        ({"data": [candle(close="1.1")]}, "data[0].close"),
        ({"data": [candle(close=True)]}, "data[0].close"),
        ({"data": [candle(open=0)]}, "data[0].open"),
        ({"data": [candle(low=-1.0)]}, "data[0].low"),
        ({"data": [candle(volume=-1)]}, "data[0].volume"),
        ({"data": [candle(volume=None)]}, "data[0].volume"),
        ({"data": [candle(volume=1e301)]}, "data[0].volume"),
        ({"data": [{"open": 1, "high": 1, "low": 1}]}, "data[0].close"),
        ({"data": [candle(), candle(high=0.1)]}, "data[1].high"),
        ({"data": [candle(), candle(high=0.45, open=0.5)]}, "data[1].high"),
        ({"data": [candle(), candle(low=0.45, high=0.6)]}, "data[1].low"),
        ({"data": [candle(timestamp=1), candle()]}, "data[1].timestamp"),
        ({"data": [candle(timestamp="yesterday")]}, "data[0].timestamp"),
        ({"data": [candle(timestamp=True)]}, "data[0].timestamp"),
        ({"data": [candle(timestamp="2025-10-16T09:00:00." + "0" * 40 + "Z")]}, "data[0].timestamp"),
        ({"data": [candle(timestamp=5), candle(timestamp=6), candle(timestamp=5)]}, "data[2].timestamp"),
        ({"features": 3}, "features"),
        ({"features": []}, "features"),
        ({"features": window(0.1)[:3]}, "features"),
        ({"features": [[0.1, 0.1], [0.1], [0.1, 0.1], [0.1, 0.1]]}, "features[1]"),
        ({"features": [[0.1, 0.1], [0.1, None], [0.1, 0.1], [0.1, 0.1]]}, "features[1][1]"),
        ({"features": [[0.1, 0.1], [0.1, 1e39], [0.1, 0.1], [0.1, 0.1]]}, "features[1][1]"),
        ({"features": [0.1, 0.1]}, "features[0]"),
        ({"features": {}}, "features.stage1"),
        ({"features": {"stage1": window(0.1)}}, "features.stage2"),
        ({"features": {"stage1": window(0.9), "stage2": window(0.9)[:2]}}, "features.stage2"),
        ({"features": {"stage1": [["a"]]}}, "features.stage1[0][0]"),
        ({"features": window(0.9), "version": "v2"}, "features"),
    ],
)
async def test_a_bad_value_is_a_422_that_names_its_place(post: Post, change: dict[str, Any], path: str) -> None:
    status, answer = await post("/reversal/predict", candles(**change))
    assert status == 422
    assert [detail["path"] for detail in answer["details"]] == [path]
    assert answer["code"] == (
        "UNKNOWN_VERSION" if change in ({"version": "v9"}, {"version": ""}) else "VALIDATION_ERROR"
    )
    assert answer["details"][0]["message"] in answer["error"]


async def test_an_absent_pair_is_named(post: Post) -> None:
    status, answer = await post("/reversal/predict", {"data": []})
    assert (status, [detail["path"] for detail in answer["details"]]) == (422, ["pair"])
    assert "missing; found data" in answer["error"]


@pytest.mark.parametrize("number", ["1e400", "9" * 400])
async def test_a_number_beyond_float64_names_its_place(post: Post, number: str) -> None:
    body = b'{"pair":"EUR/USD","data":[{"open":1,"high":%s,"low":1,"close":1}]}' % number.encode()
    status, answer = await post("/reversal/predict", body)
    assert (status, answer["details"][0]["path"]) == (422, "data[0].high")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("high", 1.1e12),
        ("high", 1e39),
        ("close", 0.9e-12),
        ("close", 0),
        ("low", -1),
        ("volume", 1.1e18),
        ("volume", -1),
    ],
)
async def test_prices_and_volumes_have_bounds(post: Post, field: str, value: float) -> None:
    data = [candle(timestamp=1000 - i) for i in range(8)]
    data[6][field] = value
    status, answer = await post("/reversal/predict", {"pair": "EUR/USD", "data": data})
    assert (status, answer["details"][0]["path"]) == (422, f"data[6].{field}")


@pytest.mark.parametrize("price", [1e-12, 1e12])
async def test_the_bounds_themselves_are_accepted(post: Post, price: float) -> None:
    data = [candle(price, volume=1e18) for _ in range(8)]
    assert (await post("/reversal/predict", {"pair": "EUR/USD", "data": data}))[0] == 200


@pytest.mark.parametrize("count", [0, 7])
async def test_too_few_candles_name_both_numbers(post: Post, count: int) -> None:
    status, answer = await post("/reversal/predict", candles(count))
    assert (status, answer["code"], answer["details"][0]["path"]) == (422, "INSUFFICIENT_DATA", "data")
    assert all(re.search(rf"\b{number}\b", answer["error"]) for number in (8, count))


@pytest.mark.parametrize(
    ("body", "byte"),
    [
        (b"", 0),
        (b"{", 1),
        (b'{"pair": NaN}', 9),
        (b'{"pair":"EUR/USD","data":[{"open":1,"high":NaN,"low":1,"close":1}]}', 43),
        (b'{"pair":"EUR/USD","features":[[Infinity]]}', 31),
        (b'{"pair":"EUR/USD","unknown":[1,NaN]}', 31),
        (b'{"pair":5,"user_id":NaN}', 20),
        (b'{"pair":"EUR/USD"} x', 19),
        (b'{"pair":"\xff"}', 9),
        (b'{"pair":"EUR/USD","data":[],"unknown":"\xff"}', 39),
        (b"{'pair'}", 1),
    ],
)
async def test_malformed_json_is_a_400_with_the_byte(post: Post, body: bytes, byte: int) -> None:
    status, answer = await post("/reversal/predict", body)
    assert (status, answer["code"]) == (400, "MALFORMED_JSON")
    assert f"(byte {byte})" in answer["error"]


@pytest.mark.parametrize("field", [b"unknown", b"pair", b"features"])
async def test_nesting_too_deep_is_a_400(post: Post, field: bytes) -> None:
    status, answer = await post("/reversal/predict", b'{"%s":%s}' % (field, b"[" * 200_000 + b"]" * 200_000))
    assert (status, answer["code"]) == (400, "MALFORMED_JSON")
    assert "nested" in answer["error"]


@pytest.mark.parametrize("body", [[], "text", 3, None, True])
async def test_a_body_that_is_not_an_object_is_a_422(post: Post, body: object) -> None:
    status, answer = await post("/reversal/predict", body)
    assert (status, answer["code"]) == (422, "VALIDATION_ERROR")


async def test_content_types(client: Client) -> None:
    body = b'{"pair":"EUR/USD","data":[]}'
    for content_type, status in [
        ("application/json", 422),
        ("application/json; charset=utf-8", 422),
        ("", 422),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        (None, 422),
    ]:
        headers = {} if content_type is None else {"Content-Type": content_type}
        skip = ["Content-Type"] if content_type is None else []
        response = await client.post("/reversal/predict", data=body, headers=headers, skip_auto_headers=skip)
        assert response.status == status, content_type
        answer = await response.json()
        assert answer["code"] == ("UNSUPPORTED_MEDIA_TYPE" if status == 415 else "INSUFFICIENT_DATA")


async def test_a_packed_body_is_unpacked_and_a_corrupt_one_is_a_400(client: Client) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    packed = gzip.compress(json.dumps(asks(0.1)).encode())
    response = await client.post("/reversal/predict", data=io.BytesIO(packed), headers=headers)
    assert response.status == 200
    headers["Content-Encoding"] = "rot13"
    response = await client.post("/reversal/predict", data=io.BytesIO(packed), headers=headers)
    assert (response.status, (await response.json())["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    headers["Content-Encoding"] = "gzip"
    response = await client.post("/reversal/predict", data=io.BytesIO(b"not packed"), headers=headers)
    answer = await response.json()
    assert (response.status, answer["code"]) == (400, "MALFORMED_JSON")
    assert "gzip" in answer["error"]


async def test_a_version_that_is_not_loaded_is_a_503(post: Post) -> None:
    assert (await post("/reversal/models/v2/unload"))[0] == 200
    status, answer = await post("/reversal/predict", asks(0.1, version="v2"))
    assert (status, answer["code"]) == (503, "MODEL_UNAVAILABLE")
    assert "v2" in answer["error"]


async def test_a_stage_that_returns_nan_is_a_503(post: Post, models: Path) -> None:
    bundles.write(models, "v4", kind="root")
    assert (await post("/reversal/models/v4/load"))[0] == 200
    status, answer = await post("/reversal/predict", asks(1.0, version="v4"))
    assert (status, answer["code"]) == (503, "MODEL_UNAVAILABLE")
    assert all(each in answer["error"] for each in ("v4", "stage1", "nan"))
    assert (await post("/reversal/predict", asks(0.5, version="v4")))[0] == 200


class TestBatch:
    async def test_items_are_answered_in_order_and_fail_independently(self, post: Post) -> None:
        items: list[Any] = [
            asks(0.1, pair="USD/JPY"), asks(0.82, 0.32), {"pair": "EUR/USD"}, candles(3), asks(0.9, version="v3"),
            asks(0.1, version="v9"), 7, candles(),
        ]  # fmt: skip
        status, answer = await post("/reversal/predict/batch", {"items": items})
        assert status == 200
        results = answer["data"]["results"]
        assert [result["success"] for result in results] == [True, True, False, False, True, False, False, True]
        assert [result.get("code") for result in results] == [
            None, None, "VALIDATION_ERROR", "INSUFFICIENT_DATA", None, "UNKNOWN_VERSION", "VALIDATION_ERROR", None,
        ]  # fmt: skip
        assert results[0]["data"]["pair"] == "USD/JPY"
        assert results[1]["data"]["factors"] == DETECTED
        assert results[2]["details"][0]["path"] == "data"
        assert results[4]["data"]["model_version"] == "v3"
        for result in results:
            assert (result["data"] is None) is not result["success"]
            assert (result["error"] is None) is result["success"]

    async def test_each_item_equals_the_single_answer(self, post: Post) -> None:
        items = [asks(i / 100, (100 - i) / 100, version=f"v{1 + i % 2}") for i in range(100)]
        _, answer = await post("/reversal/predict/batch", {"items": items})
        for item, result in zip(items, answer["data"]["results"], strict=True):
            _, single = await post("/reversal/predict", item)
            for key in ("signal", "model_version", "factors"):
                assert result["data"][key] == single["data"][key]
            assert result["data"]["confidence"] == pytest.approx(single["data"]["confidence"], abs=1e-6)

    async def test_sizes(self, post: Post) -> None:
        assert (await post("/reversal/predict/batch", {"items": []}))[1]["data"] == {"results": []}
        status, answer = await post("/reversal/predict/batch", {"items": [asks(0.1)] * 1024})
        assert (status, len(answer["data"]["results"])) == (200, 1024)
        status, answer = await post("/reversal/predict/batch", {"items": [asks(0.1)] * 1025})
        assert (status, answer["details"][0]["path"]) == (422, "items")
        status, answer = await post("/reversal/predict/batch", {})
        assert (status, answer["details"][0]["path"]) == (422, "items")

    async def test_other_requests_are_answered_between_its_slices(self, post: Post, client: Client) -> None:
        finished = []
        batches = client.app[BATCH_ADMISSION]

        async def large() -> None:
            await post("/reversal/predict/batch", {"items": [candles(120)] * 1024})
            finished.append("batch")

        async def small() -> None:
            await until(lambda: batches.inside > 0)
            await client.get("/livez")
            finished.append("livez")

        await asyncio.gather(large(), small())
        assert finished == ["livez", "batch"]

    async def test_a_malformed_batch_is_a_400(self, post: Post) -> None:
        status, answer = await post("/reversal/predict/batch", b'{"items":[{"pair":NaN}]}')
        assert (status, answer["code"]) == (400, "MALFORMED_JSON")
        assert "(byte 18)" in answer["error"]


HOUR_MS = 3_600_000


def hours(count: int = 20, last: int = 1_760_605_200_000, price: float = 0.4) -> list[dict[str, Any]]:
    return [candle(price, timestamp=last - HOUR_MS * (count - 1 - i)) for i in range(count)]


class TestTimes:
    @pytest.mark.parametrize("path", ["/reversal/predict", "/predict"])
    async def test_an_answer_gives_its_candle_and_the_end_of_its_validity(self, post: Post, path: str) -> None:
        _, answer = await post(path, {"pair": "EUR/USD", "data": hours()})
        assert answer["data"]["candle_time"] == "2025-10-16T09:00:00Z"
        assert answer["data"]["valid_until"] == "2025-10-16T11:00:00Z"
        assert "warnings" not in answer["data"]

    async def test_a_closing_time_belongs_to_the_candle_that_opened_before(self, post: Post) -> None:
        _, answer = await post("/reversal/predict", {"pair": "EUR/USD", "data": hours(), "timestamps": "close"})
        assert answer["data"]["candle_time"] == "2025-10-16T08:00:00Z"
        assert answer["data"]["valid_until"] == "2025-10-16T10:00:00Z"

    async def test_the_last_millisecond_of_a_candle_is_its_end(self, post: Post) -> None:
        body = {"pair": "EUR/USD", "data": hours(last=1_760_605_199_999), "timestamps": "close"}
        _, answer = await post("/reversal/predict", body)
        assert answer["data"]["candle_time"] == "2025-10-16T08:00:00Z"
        body["data"] = hours(last=1_760_605_199_500)
        _, answer = await post("/reversal/predict", body)
        assert answer["data"]["candle_time"] == "2025-10-16T07:59:59.500000Z"

    async def test_without_timestamps_or_candles_there_are_no_times(self, post: Post) -> None:
        for body in (candles(), asks(0.1)):
            _, answer = await post("/reversal/predict", body)
            assert not {"candle_time", "valid_until"} & set(answer["data"])

    async def test_every_entry_of_a_batch_and_a_comparison_has_the_times(self, post: Post) -> None:
        body = {"pair": "EUR/USD", "data": hours(last=1_760_605_200_000)}
        _, answer = await post("/reversal/predict/batch", {"items": [body]})
        assert answer["data"]["results"][0]["data"]["candle_time"] == "2025-10-16T09:00:00Z"
        _, answer = await post("/reversal/compare", body | {"timeframe": "4h"})
        for entry in answer["data"]["predictions"].values():
            assert entry["candle_time"] == "2025-10-16T09:00:00Z"
            assert [warning["code"] for warning in entry["warnings"]] == ["SPACING"]

    async def test_the_end_of_the_calendar_is_no_error(self, post: Post) -> None:
        last = 253_402_300_799_000
        _, answer = await post("/reversal/predict", {"pair": "EUR/USD", "data": hours(last=last)})
        assert (answer["data"]["candle_time"], answer["data"]["valid_until"]) == ("9999-12-31T23:59:59Z", None)

    async def test_a_candle_that_opens_before_the_calendar_is_named(self, post: Post) -> None:
        data = [candle(timestamp=f"0001-01-01T00:{i:02}:00Z") for i in range(20)]
        status, answer = await post("/reversal/predict", {"pair": "EUR/USD", "data": data, "timestamps": "close"})
        assert (status, answer["details"][0]["path"]) == (422, "data[0].timestamp")


class TestOutOfRange:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return dataclasses.replace(settings, out_of_range="refuse")

    @pytest.mark.parametrize(
        ("body", "path"),
        [
            ({"data": hours(price=40.0)}, "data"),
            ({"features": window(40.0)}, "features"),
            ({"features": {"stage1": window(0.9), "stage2": window(40.0)}}, "features.stage2"),
        ],
    )
    async def test_with_the_setting_refuse_it_is_a_422_that_names_the_input(
        self, post: Post, body: dict[str, Any], path: str
    ) -> None:
        status, answer = await post("/reversal/predict", {"pair": "EUR/USD"} | body)
        assert (status, answer["code"], answer["details"][0]["path"]) == (422, "OUT_OF_RANGE", path)
        _, answer = await post("/reversal/predict/batch", {"items": [{"pair": "EUR/USD"} | body, asks(0.1)]})
        assert [result.get("code") for result in answer["data"]["results"]] == ["OUT_OF_RANGE", None]
        status, answer = await post("/reversal/compare", {"pair": "EUR/USD", "versions": ["v1"]} | body)
        assert (status, answer["code"]) == (422, "OUT_OF_RANGE")
