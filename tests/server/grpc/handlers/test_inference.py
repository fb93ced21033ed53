"""Predictions by gRPC: the same answers, records and limits as those over REST."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import grpc
import numpy as np
import pytest
from aiohttp import web

from server.grpc import open_inference_pb2 as pb
from server.http.app_keys import ADMISSION, BATCH_ADMISSION, BODY_MEMORY
from server.settings import Settings
from tests import market
from tests.application import Build
from tests.server.client import Client
from tests.server.grpc.caller import Called, Caller, message, outputs, put, scalars, served, warned
from tests.server.open_inference.tensors_of import FIRST, HOUR, bars, body, times, windows
from tests.server.worker_fixture import Worker, experiment

FORMS = pytest.mark.parametrize("raw", [True, False], ids=["raw", "contents"])
USER = {"user_id": "alice"}  # variant B


async def asked(caller: Caller, request: dict[str, Any], *, raw: bool = True, **of: Any) -> Called:  # noqa: ANN401
    """How a prediction ends. `of`: the model or the version."""
    return await caller.called("ModelInfer", message(request, raw=raw, **of))


async def answered(caller: Caller, request: dict[str, Any], *, raw: bool = True, **of: Any) -> pb.ModelInferResponse:  # noqa: ANN401
    found = await asked(caller, request, raw=raw, **of)
    assert found.code is grpc.StatusCode.OK, found
    answer: pb.ModelInferResponse = found.answer
    return answer


@FORMS
class TestTheSameAnswerAsPredict:
    @pytest.fixture
    async def client(
        self, settings: Settings, build: Build, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
    ) -> Client:
        return await aiohttp_client(await build(replace(settings, models=market.ONNX)))

    @pytest.fixture
    async def caller(self, client: Client) -> AsyncIterator[Caller]:
        async with served(client.app) as made:
            yield made

    @pytest.mark.parametrize("version", market.VERSIONS)
    async def test_from_real_candles_to_the_last_bit(
        self, client: Client, caller: Caller, version: str, *, raw: bool
    ) -> None:
        for start in (4_400, 4_500, 4_613):
            native = market.body(start, 120) | {"version": version}
            rows = native["data"]
            series = [[[row[name] for name in ("open", "high", "low", "close", "volume")] for row in rows]]
            opens = [[int(datetime.fromisoformat(row["timestamp"]).timestamp() * 1e3) for row in rows]]
            request = body(candles=series, timestamps=opens)
            answer = await answered(caller, request, raw=raw, version=version)
            expected = (await (await client.post("/reversal/predict", json=native)).json())["data"]
            path = f"/v2/models/reversal/versions/{version}/infer"
            rest = await (await client.post(path, data=io.BytesIO(json.dumps(request).encode()))).json()
            found = outputs(answer)
            assert found["signal"] == [expected["signal"]]
            for name in ("stage1_prob", "stage2_prob", "confidence"):
                value = np.nan if expected[name] is None else expected[name]
                assert np.array_equal(found[name], [value], equal_nan=True)
            assert scalars(answer) == rest["parameters"]
            assert warned(answer) == [each["code"] for each in expected.get("warnings", ())]
            assert answer.model_version == version

    async def test_from_windows_to_the_last_bit(self, client: Client, caller: Caller, *, raw: bool) -> None:
        draw = np.random.default_rng(1)
        one, two = (draw.normal(size=(1, 20, 12)).astype(np.float32) for _ in range(2))
        raws = draw.normal(1.1, 0.01, size=(1, 20, 12))
        cases: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
            ("v3.0", {"features": one}, {"features": one[0].tolist()}),
            ("v3.0", {"raw_features": raws}, {"features": raws[0].tolist(), "features_scaled": False}),
            (
                "v3.1",
                {"features_stage1": one, "features_stage2": two},
                {"features": {"stage1": one[0].tolist(), "stage2": two[0].tolist()}},
            ),
        ]
        for version, inputs, native in cases:
            found = outputs(await answered(caller, body(**inputs), raw=raw, version=version))
            request = native | {"pair": "EUR/USD", "version": version}
            expected = (await (await client.post("/reversal/predict", json=request)).json())["data"]
            for name in ("stage1_prob", "signal", "confidence"):
                assert found[name] == [expected[name]], (version, name)


@FORMS
async def test_outputs_have_the_form_of_the_inputs_or_that_of_the_parameter(caller: Caller, *, raw: bool) -> None:
    for parameters, is_raw in ({}, raw), ({"binary_data_output": True}, True), ({"binary_data_output": False}, False):
        answer = await answered(caller, body(candles=bars(0.9), parameters=parameters), raw=raw)
        assert bool(answer.raw_output_contents) is is_raw
        assert all(each.HasField("contents") is not is_raw for each in answer.outputs)


@FORMS
async def test_a_batch_has_an_answer_for_each_item(caller: Caller, *, raw: bool) -> None:
    prices = [i / 100 for i in range(1, 96)]
    request = body(candles=bars(*prices), timestamps=times(95), more={"id": "x" * 500})
    answer = await answered(caller, request, raw=raw)
    found = outputs(answer)
    assert answer.id == "x" * 500
    assert found["stage1_prob"] == pytest.approx(prices, abs=1e-6)
    assert found["signal"] == ["hold"] * 49 + ["long"] + ["short"] * 45
    assert np.isnan(found["stage2_prob"]).tolist() == [price < 0.5 for price in prices]
    assert [[*each.shape] for each in answer.outputs] == [[95]] * 4
    assert json.loads(scalars(answer)["candle_time"]) == ["2025-01-01T19:00:00Z"] * 95


@FORMS
async def test_only_the_outputs_that_are_asked_for_are_answered(caller: Caller, *, raw: bool) -> None:
    request = message(body(candles=bars(0.9)), raw=raw)
    for name in ("confidence", "signal"):
        request.outputs.add(name=name)
    answer = await caller.ok("ModelInfer", request)
    assert list(outputs(answer)) == ["confidence", "signal"]


async def test_an_empty_id_is_none(caller: Caller) -> None:
    assert (await answered(caller, body(candles=bars(0.4)))).id == ""


@pytest.mark.parametrize("field", ["int64_param", "uint64_param", "string_param"])
async def test_parameters_have_types(worker: Worker, caller: Caller, field: str) -> None:
    await worker.serve(experiment())
    request = message(body(candles=bars(0.9), timestamps=times()), raw=True)
    setattr(request.parameters["user_id"], field, "7" if field == "string_param" else 7)
    request.parameters["timeout"].uint64_param = 10**9
    request.parameters["unknown"].double_param = 0.5
    request.parameters["empty"].SetInParent()
    answer = await caller.ok("ModelInfer", request)
    assert scalars(answer)["experiment_id"] == "v30_vs_v31"


class TestExperiments:
    async def test_a_user_gets_its_variant_and_is_recorded(self, worker: Worker, caller: Caller) -> None:
        await worker.serve(experiment())
        parameters = USER | {"pair": "GBP/USD", "timeframe": "4h"}
        answer = await answered(caller, body(candles=bars(0.9), timestamps=times(), parameters=parameters))
        (exposure,) = await worker.exposures()
        assert (exposure.variant, exposure.pair, exposure.timeframe) == ("B", "GBP/USD", "4h")
        assert exposure.candle == f"t:{FIRST + 19 * HOUR}"
        assert scalars(answer)["prediction_id"] == exposure.prediction_id
        assert answer.model_version == "v2"

    async def test_a_version_in_the_request_wins(self, worker: Worker, caller: Caller) -> None:
        await worker.serve(experiment())
        answer = await answered(caller, body(candles=bars(0.9), parameters=USER), version="v3")
        assert (answer.model_version, await worker.exposures()) == ("v3", [])


async def test_it_is_a_prediction_to_all_metrics(worker: Worker, caller: Caller) -> None:
    await asked(caller, body(candles=bars(0.9, 0.1, 0.2)))
    await asked(caller, body(candles=bars(0.9)))
    await asked(caller, body(candles=bars(0.9, count=2)))
    worker.metrics.timings.flush()
    worker.metrics.inference.flush()
    found = await worker.numbers()
    assert found['reversal_predictions_total{signal="short",version="v1"}'] == 2
    assert found['reversal_prediction_errors_total{code="INSUFFICIENT_DATA"}'] == 1
    assert found["reversal_prediction_seconds_count"] == 1
    assert found['reversal_v2_requests_total{result="success",version="v1"}'] == 2
    assert found['reversal_v2_requests_total{result="fail",version="v1"}'] == 1
    assert found['reversal_grpc_calls_total{code="OK",method="ModelInfer"}'] == 2
    assert found['reversal_grpc_calls_total{code="INVALID_ARGUMENT",method="ModelInfer"}'] == 1


class TestRefusals:
    @FORMS
    @pytest.mark.parametrize(
        "request_",
        [
            body(candles=-bars(0.4, 0.4)),
            body(candles=bars(0.4, 1e13)),
            body(candles=bars(0.4) * [1, 0.5, 1, 1, 1]),
            body(candles=bars(0.4), timestamps=times(2)),
            body(timestamps=times()),
            body(),
            body(features=windows(0.1), candles=bars(0.4)),
            body(features=windows(0.1)[:, :3]),
            body(features=windows(1e39)),
            body(candles=bars(0.4), parameters={"user_id": "a", "userId": "b"}),
            body(candles=bars(0.4), parameters={"pair": "euro"}),
            body(candles=bars(0.4), parameters={"timeout": 0.5}),
            body(candles=bars(0.4), parameters={"binary_data_output": "yes"}),
            body(candles=bars(0.4, count=5)),
            body(candles=bars(0.4)[0]),
        ],
    )
    async def test_the_text_is_that_of_rest(
        self, worker: Worker, caller: Caller, request_: dict[str, Any], *, raw: bool
    ) -> None:
        await worker.serve(experiment())
        found = await asked(caller, request_, raw=raw)
        rest = await worker.client.post("/v2/models/reversal/infer", data=io.BytesIO(json.dumps(request_).encode()))
        told = await rest.json()
        assert (found.code, found.text) == (grpc.StatusCode.INVALID_ARGUMENT, told["error"])
        assert found.metadata["reversal-error-code"] == told["code"]
        assert found.metadata["x-request-id"]
        assert await worker.exposures() == []

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            (lambda r: r.raw_input_contents.append(b""), "raw_input_contents: must have the bytes of each of the 1"),
            (lambda r: r.inputs[0].contents.fp64_contents.append(1), "inputs[0].contents: cannot be sent together"),
            (lambda r: r.inputs[0].ClearField("shape"), "candles.shape: must be [batch, candles, 5]"),
            (lambda r: r.raw_input_contents.__setitem__(0, b"x"), "candles: must have 800 bytes"),
            (lambda r: r.ClearField("raw_input_contents"), "candles: must have 100 elements"),
            (lambda r: r.inputs.extend([r.inputs[0]] * 16), "inputs: must have at most 16 elements, has 17"),
            (lambda r: r.outputs.add(name="class"), 'outputs[0].name: there is no output "class"'),
            (lambda r: [r.outputs.add(name="signal") for _ in range(17)], "outputs: must have at most 16"),
            (
                lambda r: put(r.outputs.add(name="signal").parameters["classification"], 1),
                "outputs[0].parameters.classification: is not",
            ),
            (
                lambda r: put(r.inputs[0].parameters["shared_memory_region"], "x"),
                "candles.parameters.shared_memory_region: is not",
            ),
        ],
    )
    async def test_a_fault_of_the_message_is_named(
        self, caller: Caller, change: Callable[[Any], object], named: str
    ) -> None:
        request = message(body(candles=bars(0.4)), raw=True)
        change(request)
        found = await caller.called("ModelInfer", request)
        assert found.code is grpc.StatusCode.INVALID_ARGUMENT
        assert named in found.text

    async def test_contents_of_another_datatype_are_refused(self, caller: Caller) -> None:
        request = message(body(candles=bars(0.4)), raw=False)
        request.inputs[0].contents.ClearField("fp64_contents")
        request.inputs[0].contents.fp32_contents.extend([0.4] * 100)
        found = await caller.called("ModelInfer", request)
        assert found.code is grpc.StatusCode.INVALID_ARGUMENT
        assert found.text == "candles.contents.fp32_contents: elements of FP64 belong into fp64_contents"

    @pytest.mark.parametrize(
        ("of", "code", "status"),
        [
            ({"model": "other"}, "NOT_FOUND", grpc.StatusCode.NOT_FOUND),
            ({"version": "v9"}, "UNKNOWN_VERSION", grpc.StatusCode.NOT_FOUND),
            ({"version": "v3"}, "MODEL_UNAVAILABLE", grpc.StatusCode.UNAVAILABLE),
        ],
    )
    async def test_a_model_or_version_that_cannot_answer(
        self, worker: Worker, caller: Caller, of: dict[str, Any], code: str, status: grpc.StatusCode
    ) -> None:
        await worker.serve(without=("v3",))
        for prices in ([0.4], [0.4, 0.5]):
            found = await asked(caller, body(candles=bars(*prices)), **of)
            assert (found.code, found.metadata["reversal-error-code"]) == (status, code)

    async def test_bytes_that_are_no_message(self, caller: Caller) -> None:
        found = await caller.called("ModelInfer", b"\x0a\xff")
        assert (found.code, found.text) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "the message is not a inference.ModelInferRequest",
        )

    async def test_a_message_of_more_than_32_mib_is_refused(self, caller: Caller) -> None:
        found = await caller.called("ModelInfer", bytes((32 << 20) + 1))
        assert found.code is grpc.StatusCode.RESOURCE_EXHAUSTED

    async def test_a_compressed_message_may_not_grow_beyond_that(self, caller: Caller) -> None:
        found = await caller.called("ModelInfer", bytes(200 << 20), compression=grpc.Compression.Gzip)
        assert found.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        good = message(body(candles=bars(0.4)), raw=True)
        assert (await caller.called("ModelInfer", good, compression=grpc.Compression.Gzip)).answer

    async def test_large_messages_take_memory_of_bodies(self, worker: Worker, caller: Caller) -> None:
        memory = worker.app[BODY_MEMORY]
        large = body(candles=bars(*[0.4] * 100, count=300))
        memory.used = memory._most  # noqa: SLF001
        found = await asked(caller, large)
        assert (found.code, found.metadata["reversal-error-code"]) == (grpc.StatusCode.UNAVAILABLE, "OVERLOADED")
        assert (await asked(caller, body(candles=bars(0.4)))).answer
        memory.used = 0
        assert (await asked(caller, large)).answer
        assert (memory.used, memory.arriving) == (0, set())

    async def test_contents_of_more_than_2_mib_are_refused(self, caller: Caller) -> None:
        large = body(candles=np.full((30, 2_000, 5), 0.4))
        found = await asked(caller, large, raw=False)
        assert (found.code, found.metadata["reversal-error-code"]) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "PAYLOAD_TOO_LARGE",
        )
        assert (await asked(caller, large, raw=True)).code is grpc.StatusCode.OK

    async def test_a_timeout_of_the_request_is_a_deadline(self, caller: Caller) -> None:
        for prices in ([0.4], [0.4] * 3):
            found = await asked(caller, body(candles=bars(*prices), parameters={"timeout": 1}))
            assert found.code is grpc.StatusCode.DEADLINE_EXCEEDED
            assert found.metadata["reversal-error-code"] == "DEADLINE_EXCEEDED"
            assert (await asked(caller, body(candles=bars(*prices), parameters={"timeout": 10**9}))).answer

    @pytest.mark.parametrize("prices", [[0.4], [0.4, 0.5]])
    async def test_the_limits_of_requests_in_progress_hold(
        self, worker: Worker, caller: Caller, prices: list[float]
    ) -> None:
        admission = worker.app[ADMISSION if len(prices) == 1 else BATCH_ADMISSION]
        entered = 0
        while admission.inside < admission._most:  # noqa: SLF001
            admission.enter()
            entered += 1
        found = await asked(caller, body(candles=bars(*prices)))
        assert (found.code, found.metadata["reversal-error-code"]) == (grpc.StatusCode.UNAVAILABLE, "OVERLOADED")
        assert int(found.metadata["grpc-retry-pushback-ms"]) == 1_000 * int(found.metadata["retry-after"]) >= 1_000
        for _ in range(entered):
            admission.leave()
        assert (await asked(caller, body(candles=bars(*prices)))).answer
        assert admission.inside == worker.app[ADMISSION].inside == 0
