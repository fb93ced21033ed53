"""What gRPC tells about the server and its versions, beside what REST tells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from server.grpc import open_inference_pb2 as pb
from server.settings import Settings
from tests import bundles
from tests.server.client import Client
from tests.server.grpc.caller import Caller, message, served
from tests.server.open_inference.tensors_of import bars, body
from tests.server.worker_fixture import Worker

MODEL = "/v2/models/reversal"


async def rest(client: Client, path: str) -> Any:  # noqa: ANN401
    return await (await client.get(path)).json()


def told(answer: Any) -> Any:  # noqa: ANN401
    """A message as JSON, with the names of REST and with its numbers of 64 bits as numbers."""

    def numbers(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, dict):
            return {name: numbers(each) for name, each in value.items()}
        if isinstance(value, list):
            return [numbers(each) for each in value]
        return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else value

    return numbers(MessageToDict(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True))


def without_empty(value: Any) -> Any:  # noqa: ANN401
    """JSON without fields that a message cannot tell from absent ones."""
    if isinstance(value, dict):
        found = {name: without_empty(each) for name, each in value.items()}
        return {name: each for name, each in found.items() if each not in ("", [], None, 0, False) or each is True}
    return [without_empty(each) for each in value] if isinstance(value, list) else value


async def test_the_server_is_that_of_rest(worker: Worker, caller: Caller) -> None:
    assert told(await caller.ok("ServerMetadata")) == await rest(worker.client, "/v2")


@pytest.mark.parametrize("version", ["", "v2", "v3"])
async def test_metadata_and_configuration_are_those_of_rest(worker: Worker, caller: Caller, version: str) -> None:
    path = f"{MODEL}/versions/{version}" if version else MODEL
    metadata = await caller.ok("ModelMetadata", pb.ModelMetadataRequest(name="reversal", version=version))
    assert told(metadata) == await rest(worker.client, path)
    config = await caller.ok("ModelConfig", pb.ModelConfigRequest(name="reversal", version=version))
    expected = await rest(worker.client, f"{path}/config")
    found = told(config.config)
    parameters = {name: {"string_value": str(each["string_value"])} for name, each in found.pop("parameters").items()}
    assert parameters == expected.pop("parameters")
    assert without_empty(found) == without_empty(expected)
    assert config.config.HasField("dynamic_batching")


async def test_health_follows_the_versions(worker: Worker, caller: Caller) -> None:
    async def ready(version: str) -> bool:
        answer = await caller.ok("ModelReady", pb.ModelReadyRequest(name="reversal", version=version))
        return bool(answer.ready)

    assert (await caller.ok("ServerLive")).live
    assert (await caller.ok("ServerReady")).ready
    assert await ready("")
    assert await ready("v3")
    await worker.serve(without=("v3",))
    assert not await ready("v3")
    assert await ready("")


@pytest.mark.parametrize("name", ["ModelReady", "ModelMetadata", "ModelConfig", "ModelStatistics"])
async def test_an_unknown_model_or_version_is_not_found(caller: Caller, name: str) -> None:
    request = getattr(pb, f"{name}Request")
    for given, code in ((request(name="reversal", version="v9"), "UNKNOWN_VERSION"), (request(name="x"), "NOT_FOUND")):
        found = await caller.called(name, given)
        assert (found.code, found.metadata["reversal-error-code"]) == (grpc.StatusCode.NOT_FOUND, code)


async def test_a_version_without_being_loaded_has_no_metadata(worker: Worker, caller: Caller) -> None:
    await worker.serve(without=("v3",))
    for name in ("ModelMetadata", "ModelConfig"):
        found = await caller.called(name, getattr(pb, f"{name}Request")(name="reversal", version="v3"))
        assert (found.code, found.metadata["reversal-error-code"]) == (grpc.StatusCode.UNAVAILABLE, "MODEL_UNAVAILABLE")


async def test_bytes_that_are_no_message(caller: Caller) -> None:
    for name in ("ServerMetadata", "ModelReady", "RepositoryIndex", "ModelStatistics"):
        found = await caller.called(name, b"\x0a\xff")
        assert found.code is grpc.StatusCode.INVALID_ARGUMENT
        assert f"is not a inference.{name}Request" in found.text


async def test_statistics_are_those_of_rest(worker: Worker, caller: Caller) -> None:
    for prices in ((0.4,), (0.4, 0.9, 0.1)):
        await caller.ok("ModelInfer", message(body(candles=bars(*prices)), raw=True, version="v2"))
    answer = await caller.ok("ModelStatistics", pb.ModelStatisticsRequest(name="reversal", version="v2"))
    (found,) = told(answer)["model_stats"]
    (expected,) = (await rest(worker.client, f"{MODEL}/versions/v2/stats"))["model_stats"]
    assert (found["inference_count"], found["inference_stats"]["success"]["count"]) == (4, 2)
    assert without_empty(found) == without_empty(expected)
    for request in (pb.ModelStatisticsRequest(), pb.ModelStatisticsRequest(name="reversal")):
        every = await caller.ok("ModelStatistics", request)
        assert [each.version for each in every.model_stats] == ["v1", "v2", "v3"]


async def test_the_index_has_every_version_with_its_state(worker: Worker, caller: Caller, settings: Settings) -> None:
    await worker.serve(without=("v3",))
    bundles.write(settings.models, "v4")
    answer = await caller.ok("RepositoryIndex")
    states = {each.version: (each.state, bool(each.reason)) for each in answer.models}
    ready, unavailable = ("READY", False), ("UNAVAILABLE", True)
    assert states == {"v1": ready, "v2": ready, "v3": unavailable, "v4": unavailable}
    few = await caller.ok("RepositoryIndex", pb.RepositoryIndexRequest(ready=True))
    assert [each.version for each in few.models] == ["v1", "v2"]


class TestRepository:
    @pytest.fixture
    async def caller(self, client: Client) -> AsyncIterator[Caller]:
        """Of a worker with a keeper."""
        async with served(client.app) as made:
            yield made

    async def test_a_version_is_unloaded_and_loaded(self, client: Client, caller: Caller) -> None:
        unload = pb.RepositoryModelUnloadRequest(model_name="reversal")
        unload.parameters["version"].string_param = "v3"
        unload.parameters["unload_dependents"].bool_param = False
        answer = await caller.ok("RepositoryModelUnload", unload)
        assert (answer.model_name, answer.isUnloaded) == ("reversal", True)
        assert not (await rest(client, "/reversal/models"))["data"]["versions"]["v3"]["loaded"]
        load = pb.RepositoryModelLoadRequest(repository_name="reversal")  # as KServe's client names the model
        answer = await caller.ok("RepositoryModelLoad", load)
        assert (answer.model_name, answer.isLoaded) == ("reversal", True)
        assert (await rest(client, "/reversal/models"))["data"]["versions"]["v3"]["loaded"]

    async def test_metadata_may_name_the_version(self, client: Client, caller: Caller) -> None:
        request = pb.RepositoryModelUnloadRequest(model_name="reversal")
        await caller.ok("RepositoryModelUnload", request, metadata={"version": "v3"})
        assert not (await rest(client, "/reversal/models"))["data"]["versions"]["v3"]["loaded"]

    @pytest.mark.parametrize(
        ("model", "parameter", "status", "code"),
        [
            ("reversal", {}, grpc.StatusCode.FAILED_PRECONDITION, "CONFLICT"),
            ("reversal", {"version": "v1"}, grpc.StatusCode.FAILED_PRECONDITION, "CONFLICT"),
            ("reversal", {"version": "v9"}, grpc.StatusCode.NOT_FOUND, "UNKNOWN_VERSION"),
            ("other/../x", {}, grpc.StatusCode.NOT_FOUND, "NOT_FOUND"),
            ("reversal", {"config": "{}"}, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR"),
            ("reversal", {"file": b"x"}, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR"),
            ("", {}, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR"),
        ],
    )
    async def test_a_refusal_is_that_of_the_keeper(
        self, caller: Caller, model: str, parameter: dict[str, str | bytes], status: grpc.StatusCode, code: str
    ) -> None:
        request = pb.RepositoryModelUnloadRequest(model_name=model)
        for name, value in parameter.items():
            if isinstance(value, bytes):
                request.parameters[name].bytes_param = value
            else:
                request.parameters[name].string_param = value
        found = await caller.called("RepositoryModelUnload", request)
        assert (found.code, found.metadata["reversal-error-code"]) == (status, code)

    async def test_a_refusal_is_logged_once(self, caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
        await caller.called("RepositoryModelUnload", pb.RepositoryModelUnloadRequest(model_name="reversal"))
        (line,) = [each.getMessage() for each in caplog.records if "request_refused" in each.getMessage()]
        assert "code=CONFLICT" in line


async def test_without_a_keeper_nothing_can_be_loaded(caller: Caller) -> None:
    found = await caller.called("RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name="reversal"))
    assert (found.code, found.metadata["reversal-error-code"]) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
