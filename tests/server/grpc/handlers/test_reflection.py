"""The standard reflection service."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from server.auth.access import Access, Level
from server.auth.token_texts import tokens
from server.grpc import open_inference_pb2 as pb
from server.grpc.calls import SERVICE
from server.http.app_keys import ACCESS, SETTINGS
from server.http.bodies import sizes
from tests.server.grpc.caller import Caller, counted, served
from tests.server.worker_fixture import Worker

TOKEN = "a-token-of-the-tests"  # noqa: S105
ASKED = ServerReflectionRequest(list_services="")


def begun(caller: Caller, **metadata: str) -> Any:  # noqa: ANN401
    return caller.stub(ServerReflectionStub).ServerReflectionInfo(timeout=20, metadata=tuple(metadata.items()))


async def test_it_describes_the_service(worker: Worker, caller: Caller) -> None:
    call = begun(caller)
    await call.write(ASKED)
    names = {each.name for each in (await call.read()).list_services_response.service}
    assert names == {SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
    await call.write(ServerReflectionRequest(file_containing_symbol=SERVICE))
    (described,) = (await call.read()).file_descriptor_response.file_descriptor_proto
    file = FileDescriptorProto.FromString(described)
    assert [each.name for each in file.service[0].method] == [
        *pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods_by_name
    ]
    await call.done_writing()
    assert await call.code() is grpc.StatusCode.OK
    assert counted(worker, "ServerReflectionInfo") == {"OK": 1}


async def test_it_needs_a_token_if_there_are_tokens(worker: Worker) -> None:
    worker.app._state[ACCESS] = Access(tokens([TOKEN], Level.API))  # noqa: SLF001
    async with served(worker.app) as caller:
        refused = begun(caller)
        assert await refused.code() is grpc.StatusCode.UNAUTHENTICATED  # without its message
        call = begun(caller, authorization=f"Bearer {TOKEN}")
        await call.write(ASKED)
        assert (await call.read()).list_services_response.service


async def test_a_client_that_asks_nothing_more_is_not_waited_for(worker: Worker) -> None:
    worker.app._state[SETTINGS] = replace(worker.app[SETTINGS], request_timeout_ms=50)  # noqa: SLF001
    async with served(worker.app) as caller:
        call = begun(caller)
        await call.write(ASKED)
        await call.read()
        assert await call.code() is grpc.StatusCode.OK
        silent = begun(caller)
        assert await silent.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_client_that_asks_nothing_more_gives_way_to_others(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.grpc.arrivals._MOST_LATE", 0)
    call = begun(caller)
    await call.write(ASKED)
    await call.read()
    assert await call.code() is grpc.StatusCode.OK


@pytest.mark.parametrize("first", [True, False])
async def test_a_large_question_ends_the_call(caller: Caller, *, first: bool) -> None:
    call = begun(caller)
    if not first:
        await call.write(ASKED)
        await call.read()
    await call.write(ServerReflectionRequest(file_by_filename="x" * sizes.SMALL))
    assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
