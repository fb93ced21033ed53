"""The memory that messages over gRPC take which do not end. The library makes room for 32 MiB for each that is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from server.grpc.calls import SERVICE
from server.grpc.handlers.health import HEALTH
from server.grpc.handlers.reflection import REFLECTION
from tests import bundles
from tests.half_sent import EMPTY, HalfSent, rounds
from tests.processes import free_port, serving
from tests.waiting import wait_until

MESSAGE = 32 << 20
# Two late messages, and what arrives until others are late.
MOST = 4 * MESSAGE
OFFERED = 10 * MESSAGE
ROUNDS = 100
TOKEN = "a-token-of-the-tests-0001"  # noqa: S105 - of a server that only these tests reach


class Worker(NamedTuple):
    """The only worker of a server, and its port of gRPC."""

    process: int
    port: int

    def health(self) -> int:
        """What a probe without a token is told."""
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            check = channel.unary_unary(
                f"/{HEALTH}/Check",
                request_serializer=HealthCheckRequest.SerializeToString,
                response_deserializer=HealthCheckResponse.FromString,
            )
            return int(check(HealthCheckRequest(service=SERVICE), timeout=20).status)

    def grown(
        self, method: str, connections: int, calls: int, before: bytes = b"", size: int = MESSAGE, *, ends: bool = False
    ) -> int:
        """The bytes by which it grows while connections send what they can. ends: whether it must end all calls."""
        Path(f"/proc/{self.process}/clear_refs").write_text("5")  # the most so far is what it has now
        at_first = taken(self.process, "VmRSS")  # with what the allocator has kept of other tests
        with ExitStack() as opened:
            made = [
                opened.enter_context(HalfSent(self.port, f"/{method}", calls, size, before)) for _ in range(connections)
            ]
            rounds(made, ROUNDS, OFFERED)
            if ends:
                wait_until(lambda: rounds(made, 1, OFFERED) >= 0 and all(each.ended == calls for each in made))
            assert self.health() == HealthCheckResponse.SERVING  # beside them
            return taken(self.process, "VmHWM") - at_first


def taken(process: int, which: str) -> int:
    """The memory of a process in bytes: `VmRSS` now, `VmHWM` at most so far."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    (found,) = [int(line.split()[1]) << 10 for line in lines if line.startswith(f"{which}:")]
    return found


def started(folder: Path, token: str = "") -> Iterator[Worker]:
    bundles.write(folder, "v1")
    port = free_port()
    with serving("--models", str(folder), "--grpc-port", str(port), REVERSAL_API_TOKEN=token) as server:
        (process,) = server.workers
        made = Worker(process, port)
        assert made.health() == HealthCheckResponse.SERVING
        yield made


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    yield from started(tmp_path_factory.mktemp("versions"))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """A worker whose API needs a token."""
    yield from started(tmp_path_factory.mktemp("versions"), TOKEN)


@pytest.mark.parametrize("method", [f"{HEALTH}/Check", f"{HEALTH}/Watch"])
def test_health_without_a_token_takes_the_memory_of_a_few_messages(guarded: Worker, method: str) -> None:
    assert guarded.grown(method, 4, 5) < MOST


@pytest.mark.parametrize(
    ("method", "before"),
    [
        (f"{SERVICE}/ModelMetadata", b""),
        (f"{SERVICE}/RepositoryModelLoad", b""),
        (f"{REFLECTION}/ServerReflectionInfo", b""),
        (f"{REFLECTION}/ServerReflectionInfo", EMPTY),
    ],
)
def test_so_do_the_small_messages_of_callers(worker: Worker, method: str, before: bytes) -> None:
    assert worker.grown(method, 4, 5, before) < MOST


@pytest.mark.parametrize("method", [f"{SERVICE}/ModelInfer", f"{REFLECTION}/ServerReflectionInfo"])
def test_a_call_without_its_token_ends_unread(guarded: Worker, method: str) -> None:
    assert guarded.grown(method, 4, 5, ends=True) < MESSAGE


def test_a_message_over_the_limit_is_refused_by_its_head(worker: Worker) -> None:
    assert worker.grown(f"{SERVICE}/ModelInfer", 4, 5, size=2 * MESSAGE, ends=True) < MESSAGE


def test_what_is_not_read_takes_64_kib_for_each_call(worker: Worker) -> None:
    assert worker.grown(f"{HEALTH}/Watch", 2, 100, EMPTY) < MESSAGE
