"""tritonclient's gRPC client. Its tensors are raw bytes in both directions."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException

from tests.foreign.clients.given import MODEL, OUTPUTS, Address, Asked, Tensor, stacked


@pytest.fixture
def client(plain: Address) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(plain.grpc) as client:
        yield client


def inputs(tensors: Sequence[Tensor]) -> list[InferInput]:
    found = []
    for tensor in tensors:
        found.append(InferInput(tensor.name, tensor.shape, tensor.datatype))
        found[-1].set_data_from_numpy(tensor.values)
    return found


def outputs(result: InferResult, *names: str) -> dict[str, Any]:
    return {name: result.as_numpy(name) for name in names or OUTPUTS}


def check(asked: Asked, result: InferResult) -> None:
    asked.check(outputs(result), result.get_response().model_version)


def scalars(result: InferResult) -> dict[str, Any]:
    """The parameters of an answer."""
    parameters = result.get_response().parameters
    return {name: getattr(each, each.WhichOneof("parameter_choice")) for name, each in parameters.items()}


def refused(client: InferenceServerClient, tensors: Sequence[InferInput], **options: Any) -> tuple[str, str]:  # noqa: ANN401
    """The status and the text of a refusal."""
    with pytest.raises(InferenceServerException) as error:
        client.infer(options.pop("model", MODEL), tensors, **options)
    return error.value.status(), error.value.message()


def status_of(client: InferenceServerClient, asked: Asked, **options: Any) -> str | None:  # noqa: ANN401
    """The status of a refusal; None if the call is answered."""
    try:
        client.infer(MODEL, inputs(asked.tensors), model_version="v3.0", **options)
    except InferenceServerException as error:
        status: str = error.status()
        return status
    return None


def test_health(client: InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert client.is_model_ready(MODEL, "v3.0")
    for model, version in ((MODEL, "v9.9"), ("resnet", "")):
        with pytest.raises(InferenceServerException) as error:
            client.is_model_ready(model, version)
        assert error.value.status() == "StatusCode.NOT_FOUND"


def test_metadata(client: InferenceServerClient) -> None:
    about = client.get_server_metadata()
    assert about.name == MODEL
    assert {"binary_tensor_data", "model_repository", "statistics"} <= {*about.extensions}
    model = client.get_model_metadata(MODEL, "v3.0", as_json=True)
    assert model["versions"] == ["v3.2", "v3.1", "v3.0", "v1"]
    assert {"name": "candles", "datatype": "FP64", "shape": ["-1", "-1", "5"]} in model["inputs"]
    assert {"name": "features", "datatype": "FP32", "shape": ["-1", "20", "12"]} in model["inputs"]
    assert [output["name"] for output in model["outputs"]] == OUTPUTS


def test_configuration(client: InferenceServerClient) -> None:
    found = client.get_model_config(MODEL).config
    assert (found.name, found.backend, found.max_batch_size) == (MODEL, "onnxruntime", 1024)
    assert found.HasField("dynamic_batching")
    assert found.version_policy.HasField("all")
    first = client.get_model_config(MODEL, as_json=True)["config"]["input"][0]
    assert {"name": "candles", "data_type": "TYPE_FP64", "dims": ["-1", "5"]}.items() <= first.items()


def test_statistics_count_what_this_client_asked(client: InferenceServerClient, several: list[Asked]) -> None:
    def count() -> int:
        (found,) = client.get_inference_statistics(MODEL, "v3.0").model_stats
        assert found.inference_stats.success.ns > 0
        return int(found.inference_count)

    client.infer(MODEL, inputs(several[0].tensors), model_version="v3.0")
    before = count()
    client.infer(MODEL, inputs(stacked(several)), model_version="v3.0")
    assert count() == before + len(several)
    assert len(client.get_inference_statistics().model_stats) == 4


def test_versions_are_listed_unloaded_and_loaded(client: InferenceServerClient) -> None:
    def states() -> dict[str, str]:
        return {each.version: each.state for each in client.get_model_repository_index().models}

    assert states() == {"v1": "READY", "v3.0": "READY", "v3.1": "READY", "v3.2": "READY"}
    try:
        client.unload_model(MODEL, headers={"version": "v1"})
        assert states() == {"v1": "UNAVAILABLE", "v3.0": "READY", "v3.1": "READY", "v3.2": "READY"}
        assert not client.is_model_ready(MODEL, "v1")
    finally:
        client.load_model(MODEL, headers={"version": "v1"})
    assert client.is_model_ready(MODEL, "v1")
    client.load_model(MODEL)


def test_what_cannot_be_loaded_is_named(client: InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match=r"v9\.9") as error:
        client.load_model(MODEL, headers={"version": "v9.9"})
    assert error.value.status() == "StatusCode.NOT_FOUND"
    with pytest.raises(InferenceServerException, match="config") as error:
        client.load_model(MODEL, config="{}")
    assert error.value.status() == "StatusCode.INVALID_ARGUMENT"
    with pytest.raises(InferenceServerException, match="bytes") as error:
        client.load_model(MODEL, config="{}", files={"file:1/model.onnx": b"x"})
    assert error.value.status() == "StatusCode.INVALID_ARGUMENT"
    with pytest.raises(InferenceServerException, match="active version") as error:
        client.unload_model(MODEL)
    assert error.value.status() == "StatusCode.FAILED_PRECONDITION"


@pytest.mark.parametrize("named", [True, False], ids=["all outputs by name", "no outputs"])
def test_the_answer_is_that_of_predict(client: InferenceServerClient, asked: Asked, *, named: bool) -> None:
    result = client.infer(
        MODEL,
        inputs(asked.tensors),
        model_version=asked.version,
        outputs=[InferRequestedOutput(name) for name in OUTPUTS] if named else None,
        parameters=asked.parameters,
        request_id="this one",
    )
    check(asked, result)
    assert result.get_response().id == "this one"
    assert [output.name for output in result.get_response().outputs] == OUTPUTS


def test_only_the_outputs_that_are_asked_for_are_answered(client: InferenceServerClient, hold: Asked) -> None:
    wanted = [InferRequestedOutput("signal"), InferRequestedOutput("confidence")]
    result = client.infer(MODEL, inputs(hold.tensors), model_version="v3.0", outputs=wanted)
    assert outputs(result, "signal", "confidence") == {"signal": [b"hold"], "confidence": [hold.answer["confidence"]]}
    assert result.as_numpy("stage1_prob") is None


def test_a_batch_has_an_answer_for_each_item(client: InferenceServerClient, several: list[Asked]) -> None:
    result = client.infer(MODEL, inputs(stacked(several)), model_version="v3.0", parameters=several[0].parameters)
    for item, asked in enumerate(several):
        asked.check(outputs(result), result.get_response().model_version, item)


def test_a_user_gets_its_variant_and_others_none(
    client: InferenceServerClient, hold: Asked, user: dict[str, str]
) -> None:
    def told(**parameters: str) -> InferResult:
        return client.infer(MODEL, inputs(hold.tensors), parameters=hold.parameters | parameters)

    answered = told(user_id=user["id"])
    found = scalars(answered)
    assert (found["experiment_id"], found["variant"]) == ("foreign", user["variant"])
    assert found["prediction_id"]
    assert answered.get_response().model_version == {"A": "v3.0", "B": "v3.1"}[user["variant"]]
    assert not {"experiment_id", "variant", "prediction_id"} & scalars(told()).keys()


def test_the_times_of_candles_come_back(client: InferenceServerClient, hold: Asked) -> None:
    told = scalars(client.infer(MODEL, inputs(hold.tensors), model_version="v3.0", parameters=hold.parameters))
    assert (told["candle_time"], told["valid_until"]) == (hold.answer["candle_time"], hold.answer["valid_until"])


def test_an_unknown_version_or_model_is_named(client: InferenceServerClient, hold: Asked) -> None:
    status, text = refused(client, inputs(hold.tensors), model_version="v9.9")
    assert (status, "v9.9" in text, "v3.0" in text) == ("StatusCode.NOT_FOUND", True, True)
    status, text = refused(client, inputs(hold.tensors), model="resnet")
    assert (status, "resnet" in text) == ("StatusCode.NOT_FOUND", True)


def test_a_bad_tensor_is_named(client: InferenceServerClient, hold: Asked) -> None:
    candles = hold.tensors[0].values
    nan = candles.copy()
    nan[0, 7, 3] = np.nan
    for wrong, place in (
        (Tensor("candles", candles[:, :, :4]), "candles.shape"),
        (Tensor("candles", candles[0]), "candles.shape"),
        (Tensor("candles", -candles), "candles[0][0]"),
        (Tensor("candles", nan), "candles[0][7][3]"),
        (Tensor("candles", candles[:, :10]), "needs at least"),
        (Tensor("features", np.zeros((1, 20, 3), np.float32)), "features"),
    ):
        status, text = refused(client, inputs([wrong]), model_version="v3.0")
        assert (status, place in text) == ("StatusCode.INVALID_ARGUMENT", True), text
    strange = InferInput("candles", [1, 1], "BYTES")
    strange.set_data_from_numpy(np.array([["a"]], np.object_))
    status, text = refused(client, [strange])
    assert (status, "candles.datatype" in text) == ("StatusCode.INVALID_ARGUMENT", True)


def test_shared_memory_is_refused(client: InferenceServerClient, hold: Asked) -> None:
    with pytest.raises(InferenceServerException) as error:
        client.register_system_shared_memory("candles", "/candles", 4_800)
    assert error.value.status() == "StatusCode.UNIMPLEMENTED"
    candles = InferInput("candles", [1, 120, 5], "FP64")
    candles.set_shared_memory("candles", 4_800)
    status, text = refused(client, [candles])
    assert (status, "shared_memory_region" in text) == ("StatusCode.INVALID_ARGUMENT", True)
    signal = InferRequestedOutput("signal")
    signal.set_shared_memory("signal", 100)
    status, text = refused(client, inputs(hold.tensors), outputs=[signal])
    assert (status, "shared_memory_region" in text) == ("StatusCode.INVALID_ARGUMENT", True)


def test_classification_is_refused(client: InferenceServerClient, hold: Asked) -> None:
    status, text = refused(client, inputs(hold.tensors), outputs=[InferRequestedOutput("stage1_prob", class_count=2)])
    assert (status, "classification" in text) == ("StatusCode.INVALID_ARGUMENT", True)


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
def test_messages_may_be_compressed(client: InferenceServerClient, hold: Asked, packing: str) -> None:
    check(hold, client.infer(MODEL, inputs(hold.tensors), model_version="v3.0", compression_algorithm=packing))


def test_requests_at_the_same_time(client: InferenceServerClient, several: list[Asked]) -> None:
    asked = several * 8
    found: queue.SimpleQueue[tuple[int, Any, Any]] = queue.SimpleQueue()
    for i, each in enumerate(asked):
        client.async_infer(
            MODEL,
            inputs(each.tensors),
            lambda result, error, i=i: found.put((i, result, error)),
            model_version="v3.0",
        )
    for _ in asked:
        i, result, error = found.get(timeout=30)
        assert error is None
        check(asked[i], result)


def test_a_deadline_that_has_passed_is_told(client: InferenceServerClient, hold: Asked) -> None:
    status, text = refused(client, inputs(hold.tensors), timeout=1)
    assert (status, "deadline" in text) == ("StatusCode.DEADLINE_EXCEEDED", True)
    # The client's clock may not have moved on within one call, which then is answered in time.
    statuses = {status_of(client, hold, client_timeout=1e-6) for _ in range(50)}
    assert statuses - {None} == {"StatusCode.DEADLINE_EXCEEDED"}
    check(hold, client.infer(MODEL, inputs(hold.tensors), model_version="v3.0", timeout=30_000_000, client_timeout=30))


def test_a_stream_is_refused_in_a_form_that_the_client_can_read(client: InferenceServerClient, hold: Asked) -> None:
    told: list[Any] = []
    came = threading.Event()

    def note(result: Any, error: Any) -> None:  # noqa: ANN401
        told.append((result, error))
        came.set()

    client.start_stream(note)
    with suppress(InferenceServerException):  # the refusal can come before the client asks
        client.async_stream_infer(MODEL, inputs(hold.tensors))
    assert came.wait(30)
    client.stop_stream()
    result, error = told[0]
    assert result is None
    assert error.status() == "StatusCode.UNIMPLEMENTED"


def test_tls_and_a_token(secured: Address, hold: Asked) -> None:
    with InferenceServerClient(secured.grpc, ssl=True, root_certificates=secured.authority) as client:
        assert client.is_server_ready()
        assert refused(client, inputs(hold.tensors))[0] == "StatusCode.UNAUTHENTICATED"
        headers = {"authorization": f"Bearer {secured.token}"}
        check(hold, client.infer(MODEL, inputs(hold.tensors), model_version="v3.0", headers=headers))
        with pytest.raises(InferenceServerException) as error:
            client.load_model(MODEL, headers=headers)
        assert error.value.status() == "StatusCode.PERMISSION_DENIED"


def test_what_the_server_does_not_have_is_an_error_that_the_client_can_read(client: InferenceServerClient) -> None:
    for call in (client.get_trace_settings, client.get_log_settings, client.get_cuda_shared_memory_status):
        with pytest.raises(InferenceServerException) as error:
            call()
        assert error.value.status() == "StatusCode.UNIMPLEMENTED"
