"""Predictions by the Open Inference Protocol over REST: the same answers, records and limits as /reversal/predict."""

from __future__ import annotations

import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pytest
from aiohttp import web

from server.http.app_keys import ADMISSION, BATCH_ADMISSION
from server.settings import Settings
from tests import market
from tests.application import Build
from tests.server.client import Client
from tests.server.open_inference.tensors_of import FIRST, HEADER, HOUR, bars, binary, body, outputs, times, windows
from tests.server.questions import asks, candle
from tests.server.worker_fixture import Worker, experiment

INFER = "/v2/models/reversal/infer"
USER = {"user_id": "alice"}  # variant B
FORMS = ("nested", "binary", "mixed")


class Answer(NamedTuple):
    status: int
    head: dict[str, Any]
    values: dict[str, list[Any]]
    headers: dict[str, str]


async def sent(client: Client, data: bytes, headers: dict[str, str], path: str = INFER) -> Answer:
    response = await client.post(path, data=io.BytesIO(data), headers={"Content-Type": "application/json"} | headers)
    raw = await response.read()
    if response.status != 200:
        return Answer(response.status, json.loads(raw), {}, dict(response.headers))
    head, values = outputs(raw, response.headers.get(HEADER))
    return Answer(200, head, values, dict(response.headers))


async def asked(client: Client, request: dict[str, Any], form: str = "nested", path: str = INFER) -> Answer:
    """The answer to a request, whose tensors are sent in a form."""
    if form == "nested":
        return await sent(client, json.dumps(request).encode(), {}, path)
    data, headers = binary(request, None if form == "binary" else (request["inputs"][-1]["name"],))
    return await sent(client, data, headers, path)


@pytest.fixture
def real(settings: Settings) -> Settings:
    """The committed bundles."""
    return replace(settings, models=market.ONNX)


@pytest.mark.parametrize("form", FORMS)
class TestTheSameAnswerAsPredict:
    @pytest.fixture
    async def client(
        self, real: Settings, build: Build, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
    ) -> Client:
        return await aiohttp_client(await build(real))

    @pytest.mark.parametrize("version", market.VERSIONS)
    async def test_from_real_candles_to_the_last_bit(self, client: Client, form: str, version: str) -> None:
        path = f"/v2/models/reversal/versions/{version}/infer"
        for start in (4_400, 4_500, 4_613):
            native = market.body(start, 120) | {"version": version}
            rows = native["data"]
            series = [[[row[name] for name in ("open", "high", "low", "close", "volume")] for row in rows]]
            opens = [[int(datetime.fromisoformat(row["timestamp"]).timestamp() * 1e3) for row in rows]]
            answer = await asked(client, body(candles=series, timestamps=opens), form, path)
            expected = (await (await client.post("/reversal/predict", json=native)).json())["data"]
            assert answer.status == 200
            assert answer.values["signal"] == [expected["signal"]]
            for name in ("stage1_prob", "stage2_prob", "confidence"):
                value = np.nan if expected[name] is None else expected[name]
                assert np.array_equal(answer.values[name], [value], equal_nan=True)
            parameters = answer.head["parameters"]
            assert (parameters["candle_time"], parameters["valid_until"]) == (
                expected["candle_time"],
                expected["valid_until"],
            )
            warned = [each["code"] for each in json.loads(parameters.get("warnings", "[]"))]
            assert warned == [each["code"] for each in expected.get("warnings", ())]
            assert answer.head["model_version"] == version

    async def test_from_windows_to_the_last_bit(self, client: Client, form: str) -> None:
        draw = np.random.default_rng(1)
        one, two = (draw.normal(size=(1, 20, 12)).astype(np.float32) for _ in range(2))
        raw = draw.normal(1.1, 0.01, size=(1, 20, 12))
        cases: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
            ("v3.0", {"features": one}, {"features": one[0].tolist()}),
            ("v3.0", {"raw_features": raw}, {"features": raw[0].tolist(), "features_scaled": False}),
            (
                "v3.1",
                {"features_stage1": one, "features_stage2": two},
                {"features": {"stage1": one[0].tolist(), "stage2": two[0].tolist()}},
            ),
            (
                "v3.1",
                {"raw_features_stage1": raw, "raw_features_stage2": raw},
                {"features": {"stage1": raw[0].tolist(), "stage2": raw[0].tolist()}, "features_scaled": False},
            ),
        ]
        for version, inputs, native in cases:
            answer = await asked(client, body(**inputs), form, f"/v2/models/reversal/versions/{version}/infer")
            request = native | {"pair": "EUR/USD", "version": version}
            expected = (await (await client.post("/reversal/predict", json=request)).json())["data"]
            for name in ("stage1_prob", "signal", "confidence"):
                assert answer.values[name] == [expected[name]], (version, name)


async def test_the_raw_form_answers_in_binary(worker: Worker) -> None:
    answer = await sent(worker.client, bars(0.9).tobytes(), {HEADER: "0", "Content-Type": "application/octet-stream"})
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert all("data" not in each for each in answer.head["outputs"])
    expected = await worker.predict({"pair": "EUR/USD", "data": [candle(0.9)] * 20})
    assert answer.values["signal"] == [expected["signal"]]
    assert answer.values["confidence"] == [expected["confidence"]]


@pytest.mark.parametrize("form", FORMS)
async def test_a_batch_has_an_answer_for_each_item(worker: Worker, form: str) -> None:
    prices = [i / 100 for i in range(1, 96)]
    request = body(candles=bars(*prices), timestamps=times(95), more={"id": "x" * 500})
    answer = await asked(worker.client, request, form)
    assert answer.head["id"] == "x" * 500
    assert answer.values["stage1_prob"] == pytest.approx(prices, abs=1e-6)
    assert answer.values["signal"] == ["hold"] * 49 + ["long"] + ["short"] * 45
    assert np.isnan(answer.values["stage2_prob"]).tolist() == [price < 0.5 for price in prices]
    assert [each["shape"] for each in answer.head["outputs"]] == [[95]] * 4
    assert json.loads(answer.head["parameters"]["candle_time"]) == ["2025-01-01T19:00:00Z"] * 95


async def test_a_warning_names_its_items(worker: Worker) -> None:
    request = body(candles=bars(0.1, 0.9))
    answer = await asked(worker.client, request, path="/v2/models/reversal/versions/v3/infer")
    found = {each["code"]: each["items"] for each in json.loads(answer.head["parameters"]["warnings"])}
    assert found == {"NO_TIMESTAMPS": [0, 1], "NO_STAGE2": [1]}


async def test_unsorted_candles_are_sorted_by_their_timestamps(worker: Worker) -> None:
    rising = np.concatenate([bars(0.04 * i, count=1) for i in range(1, 21)], axis=1)
    for stamps in (times(), times() // 1_000):  # milliseconds and seconds
        in_order = await asked(worker.client, body(candles=rising, timestamps=stamps))
        backwards = await asked(worker.client, body(candles=rising[:, ::-1], timestamps=stamps[:, ::-1]))
        assert backwards.values["stage1_prob"] == in_order.values["stage1_prob"] != [0.4]
        assert backwards.head["parameters"] == in_order.head["parameters"]


async def test_closing_times_are_opening_times_a_period_later(worker: Worker) -> None:
    request = body(candles=bars(0.4), timestamps=times() + HOUR, parameters={"timestamps": "close"})
    answer = await asked(worker.client, request)
    assert answer.head["parameters"]["candle_time"] == "2025-01-01T19:00:00Z"


class TestExperiments:
    async def test_a_user_gets_its_variant_and_is_recorded(self, worker: Worker) -> None:
        await worker.serve(experiment())
        request = body(candles=bars(0.9), timestamps=times(), parameters=USER | {"pair": "GBP/USD", "timeframe": "4h"})
        answer = await asked(worker.client, request, "binary")
        (exposure,) = await worker.exposures()
        assert (exposure.variant, exposure.pair, exposure.timeframe) == ("B", "GBP/USD", "4h")
        assert exposure.candle == f"t:{FIRST + 19 * HOUR}"
        parameters = answer.head["parameters"]
        assert (parameters["experiment_id"], parameters["variant"]) == ("v30_vs_v31", "B")
        assert parameters["prediction_id"] == exposure.prediction_id
        assert answer.head["model_version"] == "v2"

    async def test_without_a_user_there_is_no_experiment(self, worker: Worker) -> None:
        await worker.serve(experiment())
        answer = await asked(worker.client, body(candles=bars(0.9)))
        assert "experiment_id" not in answer.head["parameters"]
        assert await worker.exposures() == []
        assert await worker.beside() == {("v30_vs_v31", "without_user"): 1}

    async def test_each_item_of_a_batch_is_recorded(self, worker: Worker) -> None:
        await worker.serve(experiment())
        answer = await asked(worker.client, body(candles=bars(0.1, 0.9, 0.2), parameters=USER))
        exposures = await worker.exposures()
        found = json.loads(answer.head["parameters"]["prediction_id"])
        assert found == [exposure.prediction_id for exposure in exposures]
        assert len({*found}) == 3

    async def test_a_version_in_the_path_wins(self, worker: Worker) -> None:
        await worker.serve(experiment())
        answer = await asked(
            worker.client, body(candles=bars(0.9), parameters=USER), path="/v2/models/reversal/versions/v3/infer"
        )
        assert (answer.head["model_version"], await worker.exposures()) == ("v3", [])


async def test_it_is_a_prediction_to_all_metrics(worker: Worker) -> None:
    await asked(worker.client, body(candles=bars(0.9, 0.1, 0.2)))
    await asked(worker.client, body(candles=bars(0.9)))
    await asked(worker.client, body(candles=bars(0.9, count=2)))
    worker.metrics.timings.flush()
    worker.metrics.inference.flush()
    found = await worker.numbers()
    assert found['reversal_predictions_total{signal="short",version="v1"}'] == 2
    assert found['reversal_predictions_total{signal="hold",version="v1"}'] == 2
    assert found['reversal_prediction_errors_total{code="INSUFFICIENT_DATA"}'] == 1
    assert found['reversal_prediction_warnings_total{code="NO_TIMESTAMPS"}'] == 4
    assert found["reversal_prediction_seconds_count"] == 1
    assert found['reversal_v2_requests_total{result="success",version="v1"}'] == 2
    assert found['reversal_v2_requests_total{result="fail",version="v1"}'] == 1
    assert found['reversal_v2_inferences_total{version="v1"}'] == 4
    assert found['reversal_v2_executions_total{version="v1"}'] == 2


V2, V9 = "/v2/models/reversal/versions/v2/infer", "/v2/models/reversal/versions/v9/infer"
OTHER, OTHER_V1 = "/v2/models/other/infer", "/v2/models/other/versions/v1/infer"


class TestRefusals:
    @pytest.mark.parametrize(
        ("request_", "named"),
        [
            (body(candles=-bars(0.4, 0.4)), "candles[0][0][0]: open"),
            (body(candles=bars(0.4, 1e13)), "candles[1][0][0]: open"),
            (body(candles=bars(0.4) * [1, 1, 1, 1, 2e18]), "candles[0][0][4]: volume"),
            (body(candles=bars(0.4) * [1, 0.5, 1, 1, 1]), "candles[0][0][1]: high"),
            (body(candles=bars(0.4) * [1, 1, 1.5, 1, 1]), "candles[0][0][1]: high"),
            (body(candles=bars(0.4) * [1, 2, 1.5, 1, 1]), "candles[0][0][2]: low"),
            (body(candles=bars(0.4), timestamps=times(2)), "timestamps.shape"),
            (body(candles=bars(0.4), timestamps=times(1, 19)), "timestamps.shape"),
            (body(candles=bars(0.4), timestamps=times() * 0), "timestamps[0][1]"),
            (body(candles=bars(0.4), timestamps=times() * 10**6), "timestamps[0][0]"),
            (body(timestamps=times()), "timestamps: is only"),
            (body(), "inputs: an input is missing"),
            (body(features=windows(0.1), candles=bars(0.4)), "features: cannot"),
            (body(features=windows(0.1), raw_features=windows(0.1)), "raw_features: cannot"),
            (body(features=windows(0.1), timestamps=times()), "timestamps: cannot"),
            (body(features_stage2=windows(0.1)), "features_stage1 is missing"),
            (body(features_stage1=windows(0.1, 0.2), features_stage2=windows(0.1)), "features_stage2.shape"),
            (body(features=windows(0.1)[:, :3]), "features: must have 4 rows"),
            (body(features=windows(0.1)[:, :, :1]), "features[0][0]: must have 2"),
            (body(features=windows(1e39)), "features[0][0][0]: must be a finite"),
            (body(raw_features=windows(0.1, 1e39)), "raw_features[1][0][0]"),
            (body(candles=bars(0.4), parameters={"candle_time": 0}), "parameters.candle_time"),
            (body(features=windows(0.1), parameters={"candle_time": "x"}), "parameters.candle_time"),
            (body(candles=bars(0.4), parameters={"user_id": "a", "userId": "b"}), "parameters.userId"),
            (body(candles=bars(0.4), parameters={"user_id": 10**256}), "parameters.user_id"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    async def test_a_fault_is_named_and_nothing_is_recorded(
        self, worker: Worker, request_: dict[str, Any], named: str
    ) -> None:
        await worker.serve(experiment())
        for form in ("nested", "binary"):
            answer = await asked(worker.client, request_, form)
            assert (answer.status, answer.head["code"], sorted(answer.head)) == (
                *(400, "VALIDATION_ERROR"),
                ["code", "error"],
            )
            assert named in answer.head["error"]
        assert await worker.exposures() == []

    @pytest.mark.parametrize(
        ("request_", "path", "refusal", "named"),
        [
            (body(candles=bars(0.4, count=5)), INFER, (400, "INSUFFICIENT_DATA"), "needs at least"),
            (body(candles=bars(0.4)), OTHER, (404, "NOT_FOUND"), '"other"'),
            (body(candles=bars(0.4)), OTHER_V1, (404, "NOT_FOUND"), '"other"'),
            (body(candles=bars(0.4)), V9, (404, "UNKNOWN_VERSION"), '"v9"'),
            (body(candles=bars(0.4, 0.5)), V9, (404, "UNKNOWN_VERSION"), '"v9"'),
            (body(features=windows(0.9)), V2, (400, "VALIDATION_ERROR"), "features: must be sent as one"),
            (body(features_stage1=windows(0.9)), V2, (400, "VALIDATION_ERROR"), "features_stage2: missing"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    async def test_a_refusal_has_its_status(
        self, worker: Worker, request_: dict[str, Any], path: str, refusal: tuple[int, str], named: str
    ) -> None:
        answer = await asked(worker.client, request_, "nested", path)
        assert (answer.status, answer.head["code"]) == refusal
        assert named in answer.head["error"]

    @pytest.mark.parametrize("data", [b"", b"{", b"{}", bars(0.4).tobytes()], ids=["empty", "cut", "{}", "binary"])
    async def test_an_unknown_version_is_404_whatever_the_body_is(self, worker: Worker, data: bytes) -> None:
        answer = await sent(worker.client, data, {}, V9)
        assert (answer.status, answer.head["code"], '"v9"' in answer.head["error"]) == (404, "UNKNOWN_VERSION", True)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    async def test_a_number_that_is_not_finite_is_named(self, worker: Worker, value: float) -> None:
        series = bars(0.4, 0.4)
        series[1, 17, 3] = value
        answer = await asked(worker.client, body(candles=series), "binary")
        assert (answer.status, answer.head["code"]) == (400, "VALIDATION_ERROR")
        assert "candles[1][17][3]" in answer.head["error"]

    async def test_one_bad_item_refuses_the_batch(self, worker: Worker) -> None:
        await worker.serve(experiment())
        series = bars(*[0.4] * 40)
        series[39, 3, 3] = 7.0
        answer = await asked(worker.client, body(candles=series, parameters=USER), "binary")
        assert (answer.status, "candles[39][3][1]" in answer.head["error"]) == (400, True)
        assert await worker.exposures() == []

    @pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml"])
    async def test_another_content_type_is_refused(self, worker: Worker, content_type: str) -> None:
        answer = await sent(worker.client, b"{}", {"Content-Type": content_type})
        assert (answer.status, answer.head["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")

    async def test_a_body_of_more_than_32_mib_is_refused(self, worker: Worker) -> None:
        answer = await sent(worker.client, bytes((32 << 20) + 1), {HEADER: "0"})
        assert (answer.status, answer.head["code"]) == (413, "PAYLOAD_TOO_LARGE")

    async def test_a_timeout_of_the_request_is_a_deadline(self, worker: Worker) -> None:
        for prices in ([0.4], [0.4] * 3):
            request = body(candles=bars(*prices), parameters={"timeout": 1})
            answer = await asked(worker.client, request)
            assert (answer.status, answer.head["code"]) == (504, "DEADLINE_EXCEEDED")
            assert (await asked(worker.client, request | {"parameters": {"timeout": 10**9}})).status == 200
        answer = await sent(worker.client, b"{}", {"X-Request-Timeout-Ms": "soon"})
        assert (answer.status, "X-Request-Timeout-Ms" in answer.head["error"]) == (400, True)

    @pytest.mark.parametrize("prices", [[0.4], [0.4, 0.5]])
    async def test_the_limits_of_requests_in_progress_hold(self, worker: Worker, prices: list[float]) -> None:
        admission = worker.app[ADMISSION if len(prices) == 1 else BATCH_ADMISSION]
        entered = 0
        while admission.inside < admission._most:  # noqa: SLF001
            admission.enter()
            entered += 1
        answer = await asked(worker.client, body(candles=bars(*prices)))
        assert (answer.status, answer.head["code"]) == (503, "OVERLOADED")
        assert int(answer.headers["Retry-After"]) >= 1
        for _ in range(entered):
            admission.leave()
        assert (await asked(worker.client, body(candles=bars(*prices)))).status == 200
        assert admission.inside == worker.app[ADMISSION].inside == 0

    async def test_a_version_that_is_not_loaded_is_a_503(self, worker: Worker) -> None:
        await worker.serve(without=("v3",))
        answer = await asked(worker.client, body(candles=bars(0.4)), path="/v2/models/reversal/versions/v3/infer")
        assert (answer.status, answer.head["code"]) == (503, "MODEL_UNAVAILABLE")


async def test_both_ways_share_one_run(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request of the protocol and one of /reversal/predict wait in the same batcher."""
    assert (await worker.predict(asks(0.3)))["stage1_prob"] == pytest.approx(0.3)
    sizes: list[int] = []
    answer = worker.predictor.predict

    def counting(*arguments: Any) -> Any:  # noqa: ANN401
        sizes.append(len(arguments[1]))
        return answer(*arguments)

    monkeypatch.setattr(worker.predictor, "predict", counting)
    found = await asked(worker.client, body(features=windows(0.3)))
    assert found.values["stage1_prob"] == [(await worker.predict(asks(0.3)))["stage1_prob"]]
    assert sizes == [1, 1]


@pytest.mark.parametrize("count", [20, 501])
async def test_the_same_times_are_read_as_each_request_says(worker: Worker, count: int) -> None:
    """The times of a series of at most 500 candles are remembered."""
    last = FIRST + HOUR * (count - 1)
    for _ in range(2):
        for said, opened in (({}, last), ({"timestamps": "close"}, last - HOUR), ({"timeframe": "4h"}, last)):
            request = body(candles=bars(0.9, count=count), timestamps=times(1, count), parameters=said)
            answer = await asked(worker.client, request, "binary")
            told = answer.head["parameters"]["candle_time"]
            assert datetime.fromisoformat(told).timestamp() * 1e3 == opened
