"""tritonclient's HTTP client. It sends and asks for binary tensors unless it is told to use JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import gevent.ssl
import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException

from tests.foreign.clients.given import MODEL, OUTPUTS, Address, Asked, Tensor, stacked


@pytest.fixture
def client(plain: Address) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(plain.http, concurrency=4) as client:
        yield client


def inputs(tensors: Sequence[Tensor], *, binary: bool = True) -> list[InferInput]:
    found = []
    for tensor in tensors:
        found.append(InferInput(tensor.name, tensor.shape, tensor.datatype))
        found[-1].set_data_from_numpy(tensor.values, binary_data=binary)
    return found


def wanted(*names: str, binary: bool = True) -> list[InferRequestedOutput]:
    return [InferRequestedOutput(name, binary_data=binary) for name in names]


def outputs(result: InferResult, *names: str) -> dict[str, Any]:
    return {name: result.as_numpy(name) for name in names or OUTPUTS}


def check(asked: Asked, result: InferResult) -> None:
    asked.check(outputs(result), result.get_response()["model_version"])


def refused(client: InferenceServerClient, tensors: Sequence[InferInput], **options: Any) -> tuple[str, str]:  # noqa: ANN401
    """The status and the text of a refusal."""
    with pytest.raises(InferenceServerException) as error:
        client.infer(options.pop("model", MODEL), tensors, **options)
    return error.value.status(), error.value.message()


def test_health(client: InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert client.is_model_ready(MODEL, "v3.0")
    assert not client.is_model_ready(MODEL, "v9.9")
    assert not client.is_model_ready("resnet")


def test_metadata(client: InferenceServerClient) -> None:
    about = client.get_server_metadata()
    assert about["name"] == MODEL
    assert {"binary_tensor_data", "model_repository", "statistics"} <= {*about["extensions"]}
    model = client.get_model_metadata(MODEL, "v3.0")
    assert model["versions"] == ["v3.2", "v3.1", "v3.0", "v1"]
    assert {"name": "candles", "datatype": "FP64", "shape": [-1, -1, 5]} in model["inputs"]
    assert {"name": "features", "datatype": "FP32", "shape": [-1, 20, 12]} in model["inputs"]
    assert [output["name"] for output in model["outputs"]] == OUTPUTS


def test_configuration(client: InferenceServerClient) -> None:
    found = client.get_model_config(MODEL)
    assert (found["name"], found["backend"], found["max_batch_size"]) == (MODEL, "onnxruntime", 1024)
    assert {"name": "candles", "data_type": "TYPE_FP64", "dims": [-1, 5]}.items() <= found["input"][0].items()


def test_statistics_count_what_this_client_asked(client: InferenceServerClient, several: list[Asked]) -> None:
    def count() -> int:
        (found,) = client.get_inference_statistics(MODEL, "v3.0")["model_stats"]
        assert found["inference_stats"]["success"]["ns"] > 0
        return int(found["inference_count"])

    client.infer(MODEL, inputs(several[0].tensors), model_version="v3.0")
    before = count()
    client.infer(MODEL, inputs(stacked(several)), model_version="v3.0")
    assert count() == before + len(several)
    assert len(client.get_inference_statistics()["model_stats"]) == 4


def test_versions_are_listed_unloaded_and_loaded(client: InferenceServerClient) -> None:
    def states() -> dict[str, str]:
        return {each["version"]: each["state"] for each in client.get_model_repository_index()}

    assert states() == {"v1": "READY", "v3.0": "READY", "v3.1": "READY", "v3.2": "READY"}
    try:
        client.unload_model(MODEL, query_params={"version": "v1"})
        assert states() == {"v1": "UNAVAILABLE", "v3.0": "READY", "v3.1": "READY", "v3.2": "READY"}
        assert not client.is_model_ready(MODEL, "v1")
    finally:
        client.load_model(MODEL, query_params={"version": "v1"})
    assert client.is_model_ready(MODEL, "v1")
    client.load_model(MODEL)


def test_what_cannot_be_loaded_is_named(client: InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match=r"v9\.9") as error:
        client.load_model(MODEL, query_params={"version": "v9.9"})
    assert error.value.status() == "404"
    with pytest.raises(InferenceServerException, match="config") as error:
        client.load_model(MODEL, config=json.dumps({"max_batch_size": 8}))
    assert error.value.status() == "400"
    with pytest.raises(InferenceServerException, match="active version") as error:
        client.unload_model(MODEL)
    assert error.value.status() == "409"


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "JSON"])
def test_the_answer_is_that_of_predict(client: InferenceServerClient, asked: Asked, *, binary: bool) -> None:
    result = client.infer(
        MODEL,
        inputs(asked.tensors, binary=binary),
        model_version=asked.version,
        outputs=wanted(*OUTPUTS, binary=binary),
        parameters=asked.parameters,
        request_id="this one",
    )
    check(asked, result)
    assert result.get_response()["id"] == "this one"
    assert all(("data" in output) is not binary for output in result.get_response()["outputs"])


def test_without_outputs_it_gets_all_as_binary_data(client: InferenceServerClient, hold: Asked) -> None:
    result = client.infer(MODEL, inputs(hold.tensors), model_version="v3.0", parameters=hold.parameters)
    check(hold, result)
    assert [output["name"] for output in result.get_response()["outputs"]] == OUTPUTS
    assert all(output["parameters"]["binary_data_size"] for output in result.get_response()["outputs"])


def test_forms_can_be_mixed(client: InferenceServerClient, hold: Asked) -> None:
    candles, times = hold.tensors
    mixed = [*inputs([times], binary=False), *inputs([candles])]
    chosen = [*wanted("signal", binary=False), *wanted("confidence")]
    result = client.infer(MODEL, mixed, model_version="v3.0", outputs=chosen, parameters=hold.parameters)
    assert result.get_output("signal")["data"] == ["hold"]
    assert result.as_numpy("confidence") == hold.answer["confidence"]
    assert result.as_numpy("stage1_prob") is None


def test_a_batch_has_an_answer_for_each_item(client: InferenceServerClient, several: list[Asked]) -> None:
    result = client.infer(MODEL, inputs(stacked(several)), model_version="v3.0", parameters=several[0].parameters)
    for item, asked in enumerate(several):
        asked.check(outputs(result), result.get_response()["model_version"], item)


def test_a_user_gets_its_variant_and_others_none(
    client: InferenceServerClient, hold: Asked, user: dict[str, str]
) -> None:
    def told(**parameters: str) -> dict[str, Any]:
        found: dict[str, Any] = client.infer(
            MODEL, inputs(hold.tensors), parameters=hold.parameters | parameters
        ).get_response()
        return found

    answered = told(user_id=user["id"])
    assert answered["parameters"]["experiment_id"] == "foreign"
    assert answered["parameters"]["variant"] == user["variant"]
    assert answered["parameters"]["prediction_id"]
    assert answered["model_version"] == {"A": "v3.0", "B": "v3.1"}[user["variant"]]
    assert not {"experiment_id", "variant", "prediction_id"} & told()["parameters"].keys()


def test_the_times_of_candles_come_back(client: InferenceServerClient, hold: Asked) -> None:
    result = client.infer(MODEL, inputs(hold.tensors), model_version="v3.0", parameters=hold.parameters)
    told = result.get_response()["parameters"]
    assert (told["candle_time"], told["valid_until"]) == (hold.answer["candle_time"], hold.answer["valid_until"])


def test_an_unknown_version_or_model_is_named(client: InferenceServerClient, hold: Asked) -> None:
    status, text = refused(client, inputs(hold.tensors), model_version="v9.9")
    assert status == "404"
    assert "v9.9" in text
    assert "v3.0" in text
    status, text = refused(client, inputs(hold.tensors), model="resnet")
    assert status == "404"
    assert "resnet" in text


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "JSON"])
def test_a_bad_tensor_is_named(client: InferenceServerClient, hold: Asked, *, binary: bool) -> None:
    candles = hold.tensors[0].values
    for wrong, place in (
        (Tensor("candles", candles[:, :, :4]), "candles.shape"),
        (Tensor("candles", candles[0]), "candles.shape"),
        (Tensor("candles", -candles), "candles[0][0]"),
        (Tensor("features", np.zeros((1, 20, 3), np.float32)), "features"),
    ):
        status, text = refused(client, inputs([wrong], binary=binary), model_version="v3.0")
        assert status == "400"
        assert place in text
    strange = InferInput("candles", [1, 1], "BYTES")
    strange.set_data_from_numpy(np.array([["a"]], np.object_), binary_data=binary)
    status, text = refused(client, [strange])
    assert (status, "candles.datatype" in text) == ("400", True)


def test_not_a_number_is_named(client: InferenceServerClient, hold: Asked) -> None:
    candles = hold.tensors[0].values.copy()
    candles[0, 7, 3] = np.nan
    status, text = refused(client, inputs([Tensor("candles", candles)]))
    assert status == "400"
    assert "candles[0][7][3]" in text


def test_too_few_candles_are_refused(client: InferenceServerClient, hold: Asked) -> None:
    few = [Tensor(each.name, each.values[:, :10]) for each in hold.tensors]
    status, text = refused(client, inputs(few))
    assert status == "400"
    assert "10" in text


def test_shared_memory_is_refused(client: InferenceServerClient, hold: Asked) -> None:
    with pytest.raises(InferenceServerException) as error:
        client.register_system_shared_memory("candles", "/candles", 4_800)
    assert error.value.status() == "404"
    with pytest.raises(InferenceServerException) as error:
        client.get_system_shared_memory_status()
    assert error.value.status() == "404"
    candles = InferInput("candles", [1, 120, 5], "FP64")
    candles.set_shared_memory("candles", 4_800)
    status, text = refused(client, [candles])
    assert status == "400"
    assert "candles" in text
    signal = InferRequestedOutput("signal")
    signal.set_shared_memory("signal", 100)
    status, text = refused(client, inputs(hold.tensors), outputs=[signal])
    assert status == "400"
    assert "shared_memory_region" in text


def test_classification_is_refused(client: InferenceServerClient, hold: Asked) -> None:
    status, text = refused(client, inputs(hold.tensors), outputs=[InferRequestedOutput("stage1_prob", class_count=2)])
    assert status == "400"
    assert "classification" in text


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False], ids=["binary", "JSON"])
def test_bodies_may_be_compressed(client: InferenceServerClient, hold: Asked, packing: str, *, binary: bool) -> None:
    result = client.infer(
        MODEL,
        inputs(hold.tensors, binary=binary),
        model_version="v3.0",
        outputs=wanted(*OUTPUTS, binary=binary),
        parameters=hold.parameters,
        request_compression_algorithm=packing,
        response_compression_algorithm=packing,
    )
    check(hold, result)


def test_requests_at_the_same_time(client: InferenceServerClient, several: list[Asked]) -> None:
    asked = several * 8
    sent = [
        client.async_infer(MODEL, inputs(each.tensors), model_version="v3.0", parameters=each.parameters)
        for each in asked
    ]
    for each, answer in zip(asked, sent, strict=True):
        check(each, answer.get_result(timeout=30))


def test_a_deadline_that_has_passed_is_told(client: InferenceServerClient, hold: Asked) -> None:
    status, text = refused(client, inputs(hold.tensors), timeout=1)
    assert status == "504"
    assert "deadline" in text
    check(hold, client.infer(MODEL, inputs(hold.tensors), model_version="v3.0", timeout=30_000_000))


def test_bodies_can_be_made_and_read_without_a_connection(client: InferenceServerClient, hold: Asked) -> None:
    body, length = InferenceServerClient.generate_request_body(inputs(hold.tensors), parameters=hold.parameters)
    headers = {"Inference-Header-Content-Length": str(length)}
    answer = client._post(f"v2/models/{MODEL}/versions/v3.0/infer", body, headers, None)  # noqa: SLF001 - no other way
    length = int(answer.get("Inference-Header-Content-Length"))
    result = InferenceServerClient.parse_response_body(answer.read(), header_length=length)
    check(hold, result)


def test_candles_alone_may_be_the_whole_body(client: InferenceServerClient, hold: Asked) -> None:
    """Triton's raw binary request, for which this client has no method."""
    headers = {"Inference-Header-Content-Length": "0", "Content-Type": "application/octet-stream"}
    body = hold.tensors[0].values.tobytes()
    answer = client._post(f"v2/models/{MODEL}/versions/v3.0/infer", body, headers, None)  # noqa: SLF001
    length = int(answer.get("Inference-Header-Content-Length"))
    check(hold, InferenceServerClient.parse_response_body(answer.read(), header_length=length))


def test_tls_and_a_token(secured: Address, hold: Asked) -> None:
    options = {"ca_certs": secured.authority}
    context = gevent.ssl.create_default_context
    with InferenceServerClient(secured.http, ssl=True, ssl_options=options, ssl_context_factory=context) as client:
        assert client.is_server_ready()
        assert refused(client, inputs(hold.tensors))[0] == "401"
        headers = {"Authorization": f"Bearer {secured.token}"}
        result = client.infer(
            MODEL, inputs(hold.tensors), model_version="v3.0", headers=headers, parameters=hold.parameters
        )
        check(hold, result)


def test_what_the_server_does_not_have_is_an_error_that_the_client_can_read(client: InferenceServerClient) -> None:
    for call in (client.get_trace_settings, client.get_log_settings, client.get_cuda_shared_memory_status):
        with pytest.raises(InferenceServerException) as error:
            call()
        assert error.value.status() == "404"
        assert "an exception occurred in the client" not in str(error.value.message())
