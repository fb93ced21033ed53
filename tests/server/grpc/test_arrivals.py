"""Messages that do not arrive at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from server.grpc import open_inference_pb2 as pb
from server.grpc.calls import SERVICE
from server.grpc.handlers.health import HEALTH
from server.http.app_keys import SETTINGS
from tests.server.grpc.caller import Caller, counted, message, served
from tests.server.open_inference.tensors_of import bars, body
from tests.server.worker_fixture import Worker

CHECK, METADATA, INFER = f"/{HEALTH}/Check", f"/{SERVICE}/ModelMetadata", f"/{SERVICE}/ModelInfer"
MOST = 2


async def begun(caller: Caller, path: str, number: int = 1) -> list[Any]:
    """Calls whose messages do not arrive."""
    calls: list[Any] = []
    for _ in range(number):
        calls.append(caller.channel.stream_unary(path)(timeout=20))
        await calls[-1].wait_for_connection()
    return calls


async def sent(call: Any, message: bytes) -> bytes:  # noqa: ANN401
    """The answer to a message that arrives late."""
    assert not call.done()
    await call.write(message)
    await call.done_writing()
    return bytes(await call)


async def check_given_up(call: Any) -> None:  # noqa: ANN401
    assert await call.code() is grpc.StatusCode.UNAVAILABLE
    assert await call.details() == "the message arrived too slowly while others needed its memory"
    assert dict(await call.trailing_metadata())["reversal-error-code"] == "OVERLOADED"


async def test_of_late_messages_the_oldest_are_given_up(worker: Worker, caller: Caller) -> None:
    calls = await begun(caller, CHECK, MOST + 2)
    for each in calls[:2]:
        await check_given_up(each)
    for each in calls[2:]:
        assert HealthCheckResponse.FromString(await sent(each, b"")).status == HealthCheckResponse.SERVING
    assert counted(worker, "Check") == {"UNAVAILABLE": 2, "OK": MOST}


async def test_clients_without_a_token_take_nothing_from_others(caller: Caller) -> None:
    of_others, strange = await begun(caller, METADATA, MOST), await begun(caller, CHECK, MOST + 1)
    await check_given_up(strange[0])
    request = pb.ModelMetadataRequest(name="reversal").SerializeToString()
    for each in of_others:
        assert pb.ModelMetadataResponse.FromString(await sent(each, request)).name == "reversal"


async def test_tensors_may_take_their_time(caller: Caller) -> None:
    tensors, others = await begun(caller, INFER, MOST + 1), await begun(caller, METADATA, MOST + 1)
    await check_given_up(others[0])
    request = message(body(candles=bars(0.4)), raw=True).SerializeToString()
    for each in tensors:
        assert pb.ModelInferResponse.FromString(await sent(each, request)).model_version == "v1"


async def test_a_late_message_has_a_deadline(worker: Worker) -> None:
    worker.app._state[SETTINGS] = replace(worker.app[SETTINGS], request_timeout_ms=50)  # noqa: SLF001
    async with served(worker.app) as caller:
        (call,) = await begun(caller, CHECK)
        assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_many_probes_at_the_same_time_are_answered(caller: Caller) -> None:
    check = caller.stub(HealthStub).Check
    found = await asyncio.gather(*(check(HealthCheckRequest(), timeout=20) for _ in range(300)))
    assert Counter(each.status for each in found) == {HealthCheckResponse.SERVING: 300}
