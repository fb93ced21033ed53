"""The port: TLS as that of HTTP, and a shutdown that answers what has begun."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from core.serving.batching import Batcher
from core.serving.routing import Question, Result
from server.auth.tls import Certificate
from server.grpc.calls import SERVICE
from server.grpc.port import GrpcPort
from server.http.app_keys import CERTIFICATE
from server.worker.app_keys import BATCHER
from tests.processes import free_port
from tests.server.auth.certificates import write
from tests.server.grpc.caller import Caller, message
from tests.server.open_inference.tensors_of import bars, body
from tests.server.worker_fixture import Worker
from tests.waiting import until

EMPTY_SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
INFER = message(body(candles=bars(0.4)), raw=True).SerializeToString()


async def is_live(port: int, authority: trustme.CA) -> bool:
    """Whether a new connection that trusts only this authority is answered."""
    credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        method: Any = channel.unary_unary(f"/{SERVICE}/ServerLive")
        code = await method(b"", timeout=10).code()
    assert code in {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
    return code is grpc.StatusCode.OK


async def test_with_a_certificate_the_port_is_tls_and_a_renewal_is_shown(worker: Worker, tmp_path: Path) -> None:
    before, after = trustme.CA(), trustme.CA()
    files = await asyncio.to_thread(write, tmp_path, before, "localhost")
    certificate = await asyncio.to_thread(Certificate, *files)
    worker.app._state[CERTIFICATE] = certificate  # noqa: SLF001
    number = free_port()
    port = GrpcPort(worker.app, [f"127.0.0.1:{number}"])
    await port.start()
    assert await is_live(number, before)
    plain = Caller(number)
    assert (await plain.called("ServerLive", b"")).code is grpc.StatusCode.UNAVAILABLE
    await plain.channel.close()
    await asyncio.to_thread(write, tmp_path, after, "localhost")
    os.utime(files[0], ns=(1, 1))  # another time than before, however coarse the clock
    assert await asyncio.to_thread(certificate.refresh)
    assert await is_live(number, after)
    assert not await is_live(number, before)
    await port.stop(0, asyncio.Event())


class Held(Batcher[Question, Result]):
    """Keeps questions until they are released to another batcher."""

    def __init__(self, batcher: Batcher[Question, Result]) -> None:
        super().__init__(lambda _: [], 1)
        self._batcher = batcher
        self.kept: list[tuple[Question, asyncio.Future[Result]]] = []

    def ask(self, question: Question) -> asyncio.Future[Result]:
        self.kept.append((question, asyncio.get_running_loop().create_future()))
        return self.kept[-1][1]

    def release(self) -> None:
        for question, answer in self.kept:
            self._batcher.ask_for(question, answer)


class TestShutdown:
    @pytest.fixture
    def held(self, worker: Worker) -> Held:
        made = worker.app._state[BATCHER] = Held(worker.app[BATCHER])  # noqa: SLF001
        return made

    async def test_what_has_begun_is_answered_and_nothing_new_begins(
        self, worker: Worker, held: Held, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("server.grpc.port._LINGER_SECONDS", 0.01)
        number = free_port()
        port = GrpcPort(worker.app, [f"127.0.0.1:{number}"])
        await port.start()
        caller = Caller(number)
        begun = asyncio.create_task(caller.called("ModelInfer", INFER))
        await until(lambda: bool(held.kept))
        stopping = asyncio.create_task(port.stop(20, asyncio.Event()))
        await until(lambda: caller.channel.get_state() is not grpc.ChannelConnectivity.READY)
        late = await caller.called("ServerLive", b"", timeout=5)
        assert late.code is grpc.StatusCode.UNAVAILABLE
        await asyncio.sleep(0.3)  # longer than a port without calls waits
        assert not stopping.done()
        held.release()
        assert (await begun).code is grpc.StatusCode.OK
        await stopping
        await caller.channel.close()

    async def test_a_client_that_does_not_answer_is_not_waited_for(self, worker: Worker) -> None:
        number = free_port()
        port = GrpcPort(worker.app, [f"127.0.0.1:{number}"])
        await port.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", number)
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + EMPTY_SETTINGS)  # and no answer to the ping of a GOAWAY
        assert await reader.read(1)
        await asyncio.wait_for(port.stop(600, asyncio.Event()), timeout=15)  # gRPC gives up after 20 s
        writer.close()

    @pytest.mark.parametrize("hurried", [False, True])
    async def test_what_does_not_end_in_time_is_cut(self, worker: Worker, held: Held, *, hurried: bool) -> None:
        number = free_port()
        port = GrpcPort(worker.app, [f"127.0.0.1:{number}"])
        await port.start()
        caller = Caller(number)
        begun = asyncio.create_task(caller.called("ModelInfer", INFER))
        await until(lambda: bool(held.kept))
        hurry = asyncio.Event()
        stopping = asyncio.create_task(port.stop(60 if hurried else 0.1, hurry))
        if hurried:
            hurry.set()
        await stopping
        assert (await begun).code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        assert held.kept[0][1].cancelled()
        await caller.channel.close()
