"""The standard health service."""

from __future__ import annotations

import asyncio
import math
from typing import cast

import grpc
import pytest
from grpc.aio import AioRpcError
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from server.auth.access import Access, Level
from server.auth.token_texts import tokens
from server.grpc.arrivals import Arrivals
from server.grpc.calls import SERVICE, Call, Context
from server.grpc.handlers.health import Health
from server.grpc.headers import Headers
from server.grpc.port import GrpcPort
from server.http.app_keys import ACCESS
from server.worker.app_keys import DRAINING
from server.worker.open_inference.readiness import Readiness
from server.worker.upstream.keeper_client import Caller as Known
from tests.processes import free_port
from tests.server.grpc.caller import Caller, counted
from tests.server.worker_fixture import Worker
from tests.waiting import until

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


async def checked(caller: Caller, name: str = "") -> int:
    answer = await caller.stub(HealthStub).Check(HealthCheckRequest(service=name), timeout=20)
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
    assert error.value.details() == "unknown service"


async def test_probes_need_no_token_and_are_counted(worker: Worker, caller: Caller) -> None:
    worker.app._state[ACCESS] = Access(tokens(["a-token-of-the-tests"], Level.API))  # noqa: SLF001
    assert await checked(caller) == SERVING
    with pytest.raises(AioRpcError):
        await checked(caller, "x")
    watching = caller.stub(HealthStub).Watch(HealthCheckRequest(), timeout=20)
    assert (await watching.read()).status == SERVING
    watching.cancel()
    assert counted(worker, "Check") == {"OK": 1, "NOT_FOUND": 1}


async def test_a_client_that_watches_learns_of_changes(worker: Worker, caller: Caller) -> None:
    watching = caller.stub(HealthStub).Watch(HealthCheckRequest(service=SERVICE), timeout=20)
    assert (await watching.read()).status == SERVING
    worker.app[DRAINING].announced = True
    assert (await watching.read()).status == NOT_SERVING
    watching.cancel()


async def test_a_port_that_stops_tells_the_clients_that_watch_and_ends(worker: Worker) -> None:
    number = free_port()
    port = GrpcPort(worker.app, [f"127.0.0.1:{number}"])
    await port.start()
    caller = Caller(number)
    watching = caller.stub(HealthStub).Watch(HealthCheckRequest(), timeout=20)
    assert (await watching.read()).status == SERVING
    stopping = asyncio.create_task(port.stop(600, asyncio.Event()))
    assert (await watching.read()).status == NOT_SERVING
    await stopping
    assert await watching.code() is grpc.StatusCode.OK
    await caller.channel.close()


class Unread:
    """The context of a client that watches and does not read."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    async def read(self) -> bytes:
        return b""

    async def write(self, answer: bytes) -> None:
        self.written.append(answer)
        await asyncio.Event().wait()


async def test_a_client_that_watches_and_does_not_read_keeps_the_state_of_no_other(worker: Worker) -> None:
    health, unread = Health(Readiness.of(worker.app)), Unread()
    call = Call(Headers(()), Known("", "", manages=False), "", math.inf, cast("Context", unread), Arrivals())
    async with health.following():
        watching = [asyncio.create_task(health.watch(call)) for _ in range(2)]
        await until(lambda: unread.written == [HealthCheckResponse(status=SERVING).SerializeToString()] * 2)
        worker.app[DRAINING].announced = True
        answer = await asyncio.wait_for(health.check(call), timeout=20)
        assert HealthCheckResponse.FromString(answer.message).status == NOT_SERVING
    for each in watching:
        each.cancel()


async def test_calls_that_watch_are_limited(worker: Worker, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.grpc.handlers.health._MOST_WATCHING", 2)
    for turn in (1, 2):  # a call that has ended no longer counts
        watching = [caller.stub(HealthStub).Watch(HealthCheckRequest(service=name), timeout=20) for name in ("", "x")]
        assert [(await each.read()).status for each in watching] == [SERVING, HealthCheckResponse.SERVICE_UNKNOWN]
        one_more = caller.stub(HealthStub).Watch(HealthCheckRequest(), timeout=20)
        assert await one_more.code() is grpc.StatusCode.UNAVAILABLE
        assert dict(await one_more.trailing_metadata())["reversal-error-code"] == "OVERLOADED"
        for each in watching:
            each.cancel()
        expected = {"UNAVAILABLE": turn, "CANCELLED": 2 * turn}
        await until(lambda expected=expected: counted(worker, "Watch") == expected)  # type: ignore[misc]
