"""What the Open Inference Protocol tells about the server and its versions."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from core.version import VERSION
from server.settings import Settings
from tests import bundles
from tests.server.client import Client
from tests.server.open_inference.tensors_of import bars, body
from tests.server.worker_fixture import Worker

MODEL = "/v2/models/reversal"


async def read(client: Client, path: str) -> tuple[int, Any]:
    response = await client.get(path)
    return response.status, await response.json()


async def index(client: Client, data: bytes) -> Any:  # noqa: ANN401
    response = await client.post("/v2/repository/index", data=io.BytesIO(data))
    return await response.json()


async def test_the_server_names_its_extensions(worker: Worker) -> None:
    status, answer = await read(worker.client, "/v2")
    assert (status, answer["name"], answer["version"]) == (200, "reversal", VERSION)
    assert {"binary_tensor_data", "statistics", "model_repository", "model_configuration"} <= {*answer["extensions"]}


async def test_health_follows_the_versions(worker: Worker) -> None:
    ready = {"name": "reversal", "ready": True}
    assert await read(worker.client, "/v2/health/live") == (200, {"live": True})
    assert await read(worker.client, "/v2/health/ready") == (200, {"ready": True})
    assert await read(worker.client, f"{MODEL}/ready") == (200, ready)
    assert await read(worker.client, f"{MODEL}/versions/v3/ready") == (200, ready)
    await worker.serve(without=("v3",))
    assert await read(worker.client, f"{MODEL}/versions/v3/ready") == (503, ready | {"ready": False})
    assert await read(worker.client, f"{MODEL}/ready") == (200, ready)


@pytest.mark.parametrize("end", ["", "/ready", "/config", "/stats"])
async def test_an_unknown_model_or_version_is_a_404(worker: Worker, end: str) -> None:
    for path, code in ((f"{MODEL}/versions/v9{end}", "UNKNOWN_VERSION"), (f"/v2/models/other{end}", "NOT_FOUND")):
        status, answer = await read(worker.client, path)
        assert (status, answer["code"], sorted(answer)) == (404, code, ["code", "error"])


async def test_a_version_without_being_loaded_has_no_metadata(worker: Worker) -> None:
    await worker.serve(without=("v3",))
    for end in ("", "/config"):
        status, answer = await read(worker.client, f"{MODEL}/versions/v3{end}")
        assert (status, answer["code"]) == (503, "MODEL_UNAVAILABLE")


async def test_metadata_have_the_inputs_that_a_version_takes(worker: Worker) -> None:
    candles = [("candles", "FP64", [-1, -1, 5]), ("timestamps", "INT64", [-1, -1])]
    window = [-1, 4, 2]
    one = [*candles, ("features", "FP32", window), ("raw_features", "FP64", window)]
    by_stage = [
        *candles,
        *((f"features_{stage}", "FP32", window) for stage in ("stage1", "stage2")),
        *((f"raw_features_{stage}", "FP64", window) for stage in ("stage1", "stage2")),
    ]
    for path, expected in ((MODEL, one), (f"{MODEL}/versions/v2", by_stage), (f"{MODEL}/versions/v3", one)):
        _, answer = await read(worker.client, path)
        assert [(each["name"], each["datatype"], each["shape"]) for each in answer["inputs"]] == expected
        assert (answer["versions"], answer["platform"]) == (["v1", "v2", "v3"], "onnx_onnxv1")
        assert [(each["name"], each["datatype"]) for each in answer["outputs"]] == [
            ("stage1_prob", "FP64"),
            ("stage2_prob", "FP64"),
            ("signal", "BYTES"),
            ("confidence", "FP64"),
        ]


async def test_the_configuration_requires_candles_only(worker: Worker) -> None:
    _, answer = await read(worker.client, f"{MODEL}/versions/v2/config")
    assert [each["name"] for each in answer["input"] if not each["optional"]] == ["candles"]
    assert [each["data_type"] for each in answer["input"]][:2] == ["TYPE_FP64", "TYPE_INT64"]
    assert answer["parameters"]["threshold"] == {"string_value": "0.6"}
    assert answer["max_batch_size"] == 1_024


async def test_statistics_count_what_the_protocol_answered(worker: Worker) -> None:
    for prices, count in (((0.4,), 20), ((0.4, 0.9, 0.1), 20), ((0.4,), 2)):
        data = json.dumps(body(candles=bars(*prices, count=count))).encode()
        await worker.client.post(f"{MODEL}/versions/v2/infer", data=io.BytesIO(data))
    _, answer = await read(worker.client, f"{MODEL}/versions/v2/stats")
    (found,) = answer["model_stats"]
    assert (found["name"], found["version"]) == ("reversal", "v2")
    assert (found["inference_count"], found["execution_count"]) == (4, 2)
    durations = found["inference_stats"]
    assert {name: each["count"] for name, each in durations.items()} == {
        "success": 2,
        "fail": 1,
        "queue": 2,
        "compute_input": 2,
        "compute_infer": 2,
        "compute_output": 2,
        "cache_hit": 0,
        "cache_miss": 0,
    }
    parts = sum(durations[name]["ns"] for name in ("queue", "compute_input", "compute_infer", "compute_output"))
    assert 0 < parts <= durations["success"]["ns"] + 10
    assert found["last_inference"] > 1_700_000_000_000
    for path in (f"{MODEL}/stats", "/v2/models/stats"):
        _, answer = await read(worker.client, path)
        assert [each["version"] for each in answer["model_stats"]] == ["v1", "v2", "v3"]
        assert answer["model_stats"][0]["inference_count"] == 0


async def test_the_index_has_every_version_with_its_state(worker: Worker, settings: Settings) -> None:
    await worker.serve(without=("v3",))
    bundles.write(settings.models, "v4")
    states = {each["version"]: (each["state"], bool(each["reason"])) for each in await index(worker.client, b"")}
    ready, unavailable = ("READY", False), ("UNAVAILABLE", True)
    assert states == {"v1": ready, "v2": ready, "v3": unavailable, "v4": unavailable}
    assert [each["version"] for each in await index(worker.client, b'{"ready": true}')] == ["v1", "v2"]
    assert len(await index(worker.client, b" {} ")) == 4
    assert (await index(worker.client, b'{"ready": 1}'))["code"] == "VALIDATION_ERROR"
    assert (await index(worker.client, b"{"))["code"] == "MALFORMED_JSON"
