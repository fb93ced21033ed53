"""A client that ends its side of the connection after its requests gets all answers, and then the connection ends."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from core.serving.registry import ListedVersion
from tests.server.worker.connections import BODY, ODD, Connection, Service, request
from tests.waiting import until

HEALTH = request(b"", "/health", "GET {} HTTP/1.1")
MODELS = request(b"", "/reversal/models", "GET {} HTTP/1.1")
PREDICT = request(BODY)
BATCH = request(b'{"items": [' + b",".join([BODY] * 20) + b"]}", "/reversal/predict/batch")
TIMES = 20

CASES = {
    "health": (HEALTH, [200]),
    "livez": (request(b"", "/livez", "GET {} HTTP/1.1"), [200]),
    "readyz": (request(b"", "/readyz", "GET {} HTTP/1.1"), [200]),
    "metrics": (request(b"", "/metrics", "GET {} HTTP/1.1"), [200]),
    "models": (MODELS, [200]),
    "a prediction": (PREDICT, [200]),
    "a prediction of another type": (request(BODY, Content_Type=ODD), [200]),
    "a batch": (BATCH, [200]),
    "a comparison": (request(BODY, "/reversal/compare"), [200]),
    "a call of the keeper, which is away": (request(b"", "/reversal/experiments", "GET {} HTTP/1.1"), [503]),
    "a change, by the keeper": (request(b"{}", "/reversal/models/v1/switch"), [503]),
    "HTTP/1.0": (request(b"", "/health", "GET {} HTTP/1.0"), [200]),
    "an unknown path": (request(b"", "/nowhere", "GET {} HTTP/1.1"), [404]),
    "a body that is too large": (request(bytes(70_000), "/reversal/models/v1/switch"), [413]),
    "bytes that are not HTTP": (b"no HTTP\r\n\r\n", [400]),
    "predictions in a row": (PREDICT * 5, [200] * 5),
    "different requests in a row": ((HEALTH + PREDICT + MODELS + BATCH) * 3, [200] * 12),
    "more than aiohttp's queue holds": (HEALTH * 100, [200] * 100),
    "the last one is cut": (HEALTH + PREDICT + PREDICT[:-1], [200] * 2),
    "the last one is cut in its head": (PREDICT + HEALTH[:-1], [200]),
}


def statuses(answers: bytes) -> list[int]:
    return [int(each[2:5]) for each in answers.split(b"HTTP/1.")[1:]]


async def ended(service: Service, sent: bytes) -> bytes:
    """Everything that the server answers to bytes with the end of the client's side directly behind them."""
    async with service.connect() as connection:
        connection.writer.write(sent)
        connection.writer.write_eof()
        return await asyncio.wait_for(connection.reader.read(), 10)


@pytest.mark.parametrize(("sent", "expected"), CASES.values(), ids=CASES)
async def test_all_answers_arrive_and_the_connection_ends(service: Service, sent: bytes, expected: list[int]) -> None:
    found = [statuses(await ended(service, sent)) for _ in range(3)]
    assert found == [expected] * 3


async def test_no_answer_is_lost_in_many_tries(service: Service) -> None:
    for sent in (HEALTH, MODELS, PREDICT, BATCH, request(BODY, Content_Type=ODD)):
        assert [statuses(await ended(service, sent)) for _ in range(TIMES)] == [[200]] * TIMES


@pytest.mark.parametrize("sent", [b"", b"\r\n", HEALTH[:-3], BATCH[:-1]], ids=["none", "blank", "head", "body"])
async def test_a_connection_without_a_whole_request_ends_at_once(service: Service, sent: bytes) -> None:
    assert await ended(service, sent) == b""
    assert service.runner.server is not None
    assert service.runner.server.connections == []


async def test_an_end_that_comes_later_than_the_request_changes_nothing(connection: Connection) -> None:
    assert (await connection.ask(PREDICT)).status == 200
    await connection.send(PREDICT[:100], PREDICT[100:])
    connection.writer.write_eof()
    assert (await connection.receive()).status == 200
    assert await asyncio.wait_for(connection.reader.read(), 5) == b""


@pytest.fixture
def held(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The answer to MODELS waits for this event."""
    going_on, entries = threading.Event(), service.worker.registry.entries

    def late() -> list[ListedVersion]:
        going_on.wait(10)
        return entries()

    monkeypatch.setattr(service.worker.registry, "entries", late)
    yield going_on
    going_on.set()


async def test_a_slow_answer_arrives_too(service: Service, connection: Connection, held: threading.Event) -> None:
    connection.writer.write(MODELS + HEALTH)
    connection.writer.write_eof()
    handler = service.handler_of(connection)
    await until(lambda: handler._reset_timer is not None)  # noqa: SLF001 - nothing public shows it
    held.set()
    answers = await asyncio.wait_for(connection.reader.read(), 5)
    assert statuses(answers) == [200, 200]


@pytest.mark.usefixtures("held")
async def test_a_reset_behind_the_end_abandons_the_request(service: Service) -> None:
    async with service.connect() as connection:
        connection.writer.write(MODELS)
        connection.writer.write_eof()
        handler = service.handler_of(connection)
        await until(lambda: handler.in_progress)
        sock = connection.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing resets
        connection.writer.transport.abort()
        await until(lambda: handler.transport is None)
    assert handler.in_progress  # it was abandoned, not answered
