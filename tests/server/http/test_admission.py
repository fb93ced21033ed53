from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from core.errors import Overloaded
from server.http.admission import FULL_PAUSE_REFUSALS, Admission
from server.http.app_keys import ADMISSION, BATCH_ADMISSION, BODY_MEMORY
from server.http.bodies import sizes
from server.http.bodies.body import LARGE
from server.settings import Settings
from tests.server.client import Client
from tests.server.questions import asks
from tests.server.worker_fixture import Worker, running
from tests.waiting import until


def test_requests_are_accepted_up_to_the_limit_and_again_after_some_are_done() -> None:
    admission = Admission(2)
    admission.enter()
    with admission.held():
        with pytest.raises(Overloaded, match="limit 2"):
            admission.check()
        with pytest.raises(Overloaded), admission.held():
            pass
    with admission.held():
        pass
    admission.leave()
    admission.check()


def test_a_request_that_fails_counts_as_done() -> None:
    admission = Admission(1)
    with pytest.raises(ZeroDivisionError), admission.held():
        raise ZeroDivisionError
    admission.check()


@pytest.mark.parametrize(("done", "inside", "expected"), [(1000, 100, 1), (30, 100, 4), (0, 7, 7)])
def test_retry_after_is_the_time_that_the_requests_in_progress_take(done: int, inside: int, expected: int) -> None:
    admission = Admission(inside)
    for _ in range(done):
        with admission.held():
            pass
    admission.measure(1.0)
    for _ in range(inside):
        admission.enter()
    with pytest.raises(Overloaded) as raised:
        admission.enter()
    assert raised.value.retry_after == expected


@pytest.fixture
async def worker(
    settings: Settings, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> AsyncIterator[Worker]:
    small = dataclasses.replace(settings, max_in_flight=2)
    async with running(small, aiohttp_client) as made:
        await made.serve()
        yield made


@pytest.mark.parametrize(
    ("path", "bound"),
    [("predict", ADMISSION), ("compare", ADMISSION), ("predict/batch", BATCH_ADMISSION)],
)
async def test_a_request_beyond_the_limit_is_refused_unparsed_with_retry_after(
    worker: Worker, path: str, bound: web.AppKey[Admission]
) -> None:
    admission = worker.app[bound]
    while True:
        try:
            admission.enter()
        except Overloaded:
            break
    response = await worker.client.post(f"/reversal/{path}", data=b"no JSON at all")
    answer = await response.json()
    assert (response.status, answer["code"], answer["success"]) == (503, "OVERLOADED", False)
    assert int(response.headers["Retry-After"]) >= 1
    admission.leave()
    asked = asks(0.9)
    status, _ = await worker.post(f"/reversal/{path}", {"items": [asked]} if path == "predict/batch" else asked)
    assert status == 200
    if path != "compare":
        assert (await worker.numbers())['reversal_prediction_errors_total{code="OVERLOADED"}'] == 1


def test_the_pause_after_a_refusal_grows_with_the_number_of_refusals() -> None:
    admission = Admission(0)
    for refusals, expected in ((0, 0.0), (100, 100 / FULL_PAUSE_REFUSALS), (2 * FULL_PAUSE_REFUSALS, 1.0), (0, 0.0)):
        for _ in range(refusals):
            with pytest.raises(Overloaded):
                admission.check()
        admission.measure(1.0)
        assert admission.pause_seconds == pytest.approx(expected)


@pytest.mark.parametrize(
    ("path", "size", "expected"),
    [
        ("predict", LARGE + 1, 503),
        ("compare", LARGE + 1, 503),
        ("explain", LARGE + 1, 503),
        ("predict", LARGE // 2, 400),
        ("compare", LARGE // 2, 400),
    ],
)
async def test_a_large_body_needs_memory(worker: Worker, path: str, size: int, expected: int) -> None:
    memory = worker.app[BODY_MEMORY]

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(0, size, 1 << 16):
            yield bytes(1 << 16)
            await asyncio.sleep(0)

    async def status() -> int:
        return (await worker.client.post(f"/reversal/{path}", data=pieces(), headers=JSON)).status

    other = memory.share(0.0, lambda: None)
    other.take(sizes.BATCH - LARGE)
    other.arrived()  # nothing ends its request
    assert await status() == expected
    other.end()
    assert await status() == 400
    assert memory.used == 0


JSON = {"Content-Type": "application/json"}


def head(size: int) -> bytes:
    return f"POST /reversal/predict/batch HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()


async def test_slow_senders_hold_no_place_of_those_that_have_sent(worker: Worker) -> None:
    batches = worker.app[BATCH_ADMISSION]  # one place
    writers = []
    for sent in (b"", b'{"items": [', b" " * 300_000):
        for _ in range(10):
            _, writer = await asyncio.open_connection("127.0.0.1", worker.client.port)
            writer.write(head(sizes.BATCH) + sent)
            await writer.drain()
            writers.append(writer)
    for _ in range(3):
        status, answer = await worker.post("/reversal/predict/batch", {"items": [asks(0.9)]})
        assert (status, len(answer["data"]["results"])) == (200, 1)
    assert batches.inside == 0
    for writer in writers:
        writer.close()


async def test_a_slow_large_body_is_given_up_for_one_that_needs_its_memory(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = worker.app[BODY_MEMORY]
    reader, writer = await asyncio.open_connection("127.0.0.1", worker.client.port)
    writer.write(head(sizes.BATCH) + b" " * (sizes.BATCH - LARGE))
    await until(lambda: memory.used == sizes.BATCH - LARGE)
    monkeypatch.setattr(memory, "_now", lambda: time.monotonic() + 3600)
    items = json.dumps({"items": [asks(0.9, note=" " * 100_000)] * 20}).encode()
    response = await worker.client.post("/reversal/predict/batch", data=io.BytesIO(items), headers=JSON)
    assert (response.status, len((await response.json())["data"]["results"])) == (200, 20)
    refusal = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert refusal.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: " in refusal
    assert memory.used == 0
    writer.close()


async def test_a_body_that_is_declared_too_large_is_not_awaited(worker: Worker) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", worker.client.port)
    writer.write(f"POST /reversal/predict HTTP/1.1\r\nHost: x\r\nContent-Length: {sizes.BATCH + 1}\r\n\r\n".encode())
    assert b" 413 " in await reader.readline()
    writer.close()
