from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from core.errors import Overloaded
from server.http.admission import FULL_PAUSE_REFUSALS, Admission
from server.http.app_keys import ADMISSION, BATCH_ADMISSION
from server.http.bodies import sizes
from server.http.bodies.body import LARGE
from server.settings import Settings
from tests.server.client import Client
from tests.server.questions import asks
from tests.server.worker_fixture import Worker, running


def test_there_is_room_for_so_many_and_what_leaves_makes_room() -> None:
    admission = Admission(2)
    admission.enter()
    with admission.held():
        with pytest.raises(Overloaded, match="2 requests are in hand"):
            admission.check()
        with pytest.raises(Overloaded), admission.held():
            pass
    with admission.held():
        pass
    admission.leave()
    admission.check()


def test_what_fails_leaves_too() -> None:
    admission = Admission(1)
    with pytest.raises(ZeroDivisionError), admission.held():
        raise ZeroDivisionError
    admission.check()


@pytest.mark.parametrize(("done", "inside", "expected"), [(1000, 100, 1), (30, 100, 4), (0, 7, 7)])
def test_to_ask_again_is_worth_it_when_what_is_in_hand_is_done(done: int, inside: int, expected: int) -> None:
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
async def test_what_exceeds_the_bound_is_refused_before_it_is_parsed_and_told_when_to_come_back(
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


def test_whoever_does_not_wait_is_silenced_the_longer_the_more_there_are() -> None:
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
        ("predict", LARGE // 2, 400),
        ("compare", LARGE // 2, 400),
    ],
)
async def test_a_large_body_needs_the_place_of_a_batch(worker: Worker, path: str, size: int, expected: int) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(0, size, 1 << 16):
            yield bytes(1 << 16)
            await asyncio.sleep(0)

    async def status() -> int:
        headers = {"Content-Type": "application/json"}
        return (await worker.client.post(f"/reversal/{path}", data=pieces(), headers=headers)).status

    with worker.app[BATCH_ADMISSION].held():  # the only one
        assert await status() == expected
    assert await status() == 400
    assert worker.app[BATCH_ADMISSION].inside == 0


async def test_a_body_that_says_it_is_too_large_is_not_waited_for(worker: Worker) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", worker.client.port)
    writer.write(f"POST /reversal/predict HTTP/1.1\r\nHost: x\r\nContent-Length: {sizes.BATCH + 1}\r\n\r\n".encode())
    assert b" 413 " in await reader.readline()
    writer.close()
