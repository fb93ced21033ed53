"""The memory that messages over gRPC take which do not end. The library makes room for 32 MiB for each that is read."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from server.grpc.calls import SERVICE
from server.grpc.handlers.health import HEALTH
from server.grpc.handlers.reflection import REFLECTION
from tests import bundles
from tests.half_sent import EMPTY, HalfSent, memory, rounds
from tests.processes import Server, free_port, serving

MESSAGE = 32 << 20
# Two late messages, and what arrives until others are late.
MOST = 4 * MESSAGE
OFFERED = 10 * MESSAGE
ROUNDS = 100
TOKEN = "a-token-of-the-tests-0001"  # noqa: S105 - of a server that only these tests reach


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("versions")
    bundles.write(folder, "v1")
    return folder


def health(port: int) -> int:
    """What a probe without a token is told."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        check = channel.unary_unary(
            f"/{HEALTH}/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        return int(check(HealthCheckRequest(service=SERVICE), timeout=20).status)


def grown(server: Server, port: int, connections: Sequence[HalfSent]) -> int:
    """The bytes by which a worker grows while connections send what they can."""
    (worker,) = server.workers
    before = memory(worker)["VmRSS"]
    rounds(connections, ROUNDS, OFFERED)
    assert health(port) == HealthCheckResponse.SERVING  # beside them
    return memory(worker)["VmHWM"] - before


# Here without tokens, so that these are the messages of any client.
@pytest.mark.parametrize(
    ("method", "before"),
    [
        (f"{HEALTH}/Check", b""),
        (f"{HEALTH}/Watch", b""),
        (f"{SERVICE}/ModelMetadata", b""),
        (f"{SERVICE}/RepositoryModelLoad", b""),
        (f"{REFLECTION}/ServerReflectionInfo", b""),
        (f"{REFLECTION}/ServerReflectionInfo", EMPTY),
    ],
)
def test_of_small_messages_that_do_not_end_only_a_few_take_memory(versions: Path, method: str, before: bytes) -> None:
    port = free_port()
    with serving("--models", str(versions), "--grpc-port", str(port)) as server, ExitStack() as opened:
        health(port)
        calls = [opened.enter_context(HalfSent(port, f"/{method}", 5, MESSAGE, before)) for _ in range(4)]
        assert grown(server, port, calls) < MOST


@pytest.mark.parametrize("method", ["ModelMetadata", "ModelInfer", "RepositoryModelLoad"])
def test_without_its_token_a_call_takes_no_memory(versions: Path, method: str) -> None:
    port = free_port()
    with (
        serving("--models", str(versions), "--grpc-port", str(port), REVERSAL_API_TOKEN=TOKEN) as server,
        ExitStack() as opened,
    ):
        health(port)
        calls = [opened.enter_context(HalfSent(port, f"/{SERVICE}/{method}", 5, MESSAGE)) for _ in range(4)]
        assert grown(server, port, calls) < MESSAGE
        assert all(each.ended == 5 for each in calls)


def test_what_is_not_read_has_64_kib_for_each_call(versions: Path) -> None:
    port = free_port()
    with serving("--models", str(versions), "--grpc-port", str(port)) as server, ExitStack() as opened:
        health(port)
        calls = [opened.enter_context(HalfSent(port, f"/{HEALTH}/Watch", 100, MESSAGE, EMPTY)) for _ in range(2)]
        assert grown(server, port, calls) < MESSAGE
