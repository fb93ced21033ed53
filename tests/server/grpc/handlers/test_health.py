"""The standard services beside that of the protocol: health and reflection."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc.aio import AioRpcError
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from server.auth.access import Access, Level, tokens
from server.grpc import open_inference_pb2 as pb
from server.grpc.calls import SERVICE
from server.grpc.handlers.health import Context, Health
from server.grpc.port import GrpcPort
from server.http.app_keys import ACCESS
from server.worker.app_keys import DRAINING
from server.worker.open_inference.readiness import Readiness
from tests.processes import free_port
from tests.server.grpc.caller import Caller
from tests.server.worker_fixture import Worker
from tests.waiting import until

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


def stub(kind: Any, caller: Caller) -> Any:  # noqa: ANN401
    """A generated client. Its types are those of the library's other kind of channel."""
    return kind(caller.channel)


async def checked(caller: Caller, name: str = "") -> int:
    answer = await stub(HealthStub, caller).Check(HealthCheckRequest(service=name), timeout=20)
    return int(answer.status)


@pytest.mark.parametrize("name", ["", SERVICE])
async def test_it_follows_the_versions_and_the_shutdown(worker: Worker, caller: Caller, name: str) -> None:
    assert await checked(caller, name) == SERVING
    draining = worker.app[DRAINING]
    draining.announced = True
    assert await checked(caller, name) == NOT_SERVING
    draining.announced = False
    assert await checked(caller, name) == SERVING


async def test_an_unknown_service_is_not_found(caller: Caller) -> None:
    with pytest.raises(AioRpcError) as error:
        await checked(caller, "x")
    assert error.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_client_that_watches_learns_of_changes(worker: Worker, caller: Caller) -> None:
    watching = stub(HealthStub, caller).Watch(HealthCheckRequest(service=SERVICE), timeout=20)
    assert (await watching.read()).status == SERVING
    worker.app[DRAINING].announced = True
    assert (await watching.read()).status == NOT_SERVING
    watching.cancel()


async def test_a_port_that_stops_tells_the_clients_that_watch_and_ends(worker: Worker) -> None:
    number = free_port()
    port = GrpcPort(worker.app, [f"127.0.0.1:{number}"])
    await port.start()
    caller = Caller(number)
    watching = stub(HealthStub, caller).Watch(HealthCheckRequest(), timeout=20)
    assert (await watching.read()).status == SERVING
    stopping = asyncio.create_task(port.stop(600, asyncio.Event()))
    assert (await watching.read()).status == NOT_SERVING
    await stopping
    assert await watching.code() is grpc.StatusCode.OK
    await caller.channel.close()


class Unread:
    """The context of a client that watches and does not read."""

    def __init__(self) -> None:
        self.written: list[int] = []

    async def write(self, answer: HealthCheckResponse) -> None:
        self.written.append(answer.status)
        await asyncio.Event().wait()


async def test_a_client_that_watches_and_does_not_read_keeps_the_state_of_no_other(
    worker: Worker,
) -> None:
    health, unread = Health(Readiness.of(worker.app)), Unread()
    async with health.following():
        watching = [
            asyncio.create_task(health.Watch(HealthCheckRequest(service=name), cast("Context", unread)))
            for name in ("", SERVICE)
        ]
        await until(lambda: unread.written == [SERVING, SERVING])
        worker.app[DRAINING].announced = True
        for name in ("", SERVICE):
            answer = await asyncio.wait_for(
                health.Check(HealthCheckRequest(service=name), cast("Context", unread)), timeout=20
            )
            assert answer.status == NOT_SERVING
    for each in watching:
        each.cancel()


async def reflected(caller: Caller, **asked: Any) -> Any:  # noqa: ANN401
    call = stub(ServerReflectionStub, caller).ServerReflectionInfo(timeout=20)
    await call.write(ServerReflectionRequest(**asked))
    await call.done_writing()
    return await call.read()


async def test_reflection_describes_the_service_without_a_token(worker: Worker, caller: Caller) -> None:
    worker.app._state[ACCESS] = Access(tokens(["a-token-of-the-tests"], Level.API))  # noqa: SLF001
    listed = await reflected(caller, list_services="")
    names = {each.name for each in listed.list_services_response.service}
    assert names == {SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
    found = await reflected(caller, file_containing_symbol=SERVICE)
    (described,) = found.file_descriptor_response.file_descriptor_proto
    file = FileDescriptorProto.FromString(described)
    assert [each.name for each in file.service[0].method] == [
        *pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods_by_name
    ]
