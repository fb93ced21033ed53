"""Requests that a client sends without waiting for answers: each is answered in order, on both kinds of connections."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import pytest

from server.http.admission import Admission
from server.http.app_keys import ADMISSION
from server.http.connections import connection as connections
from server.settings import Settings
from tests.server.questions import asks, candles
from tests.server.worker.connections import BODY, ODD, Connection, Service, Slow, encoded, on_the_fast_path, request

# A timeout that is reached only if a test fails.
LONG_SECONDS = 60.0
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings without a time limit that requests in pieces could exceed on a busy machine."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", LONG_SECONDS)
    return dataclasses.replace(settings, request_timeout_ms=60_000)


class Answer(NamedTuple):
    status: int
    closes: bool
    text: str


class Sent(NamedTuple):
    """A request, and a mark that distinguishes its answer from others."""

    text: bytes
    status: int
    mark: str
    refusable: bool = False

    def is_answered_by(self, answer: Answer) -> bool:
        if answer.status == 503:
            return self.refusable and "OVERLOADED" in answer.text
        return answer.status == self.status and self.mark in answer.text


async def answers(connection: Connection, count: int) -> list[Answer]:
    """The answers that arrive, in their order, at most `count`."""
    found: list[Answer] = []

    async def receive() -> None:
        while len(found) < count:
            head = (await connection.reader.readuntil(b"\r\n\r\n")).decode()
            status, *lines = head.strip().lower().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines)
            body = await connection.reader.readexactly(int(headers["content-length"]))
            found.append(Answer(int(status.split()[1]), headers.get("connection") == "close", body.decode()))

    with suppress(TimeoutError, asyncio.IncompleteReadError):  # the caller checks the count
        await asyncio.wait_for(receive(), LONG_SECONDS)
    return found


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def cut(length: int, pieces: int, chance: random.Random) -> list[int]:
    return sorted(chance.randrange(1, length) for _ in range(pieces - 1))


def chunked(body: bytes, path: str, chance: random.Random) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    places = (0, *cut(len(body), chance.randrange(1, 5), chance), len(body))
    pieces = [body[a:b] for a, b in itertools.pairwise(places)]
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"


def pair(number: int) -> str:
    """A currency pair that is different for each number."""
    letters = [chr(ord("A") + number // 26**i % 26) for i in range(6)]
    return "".join(letters[:3]) + "/" + "".join(letters[3:])


def any_request(number: int, chance: random.Random, light: int) -> Sent:
    """A request of any kind. If its answer can hold a mark, it has one that is different for each number.

    `light`: the weight of cheap requests. With many of them, hundreds of requests are in the queue at once.
    """
    named = pair(number)
    body = encoded(asks(0.82, pair=named))
    short, blanks = number % 8, number % 999
    kinds: tuple[tuple[int, Callable[[], Sent]], ...] = (
        (3 + light, lambda: Sent(LIVEZ, 200, "alive")),
        (5, lambda: Sent(request(body), 200, named, refusable=True)),
        (2, lambda: Sent(request(body, Content_Type=ODD), 200, named, refusable=True)),
        (2, lambda: Sent(chunked(body, "/reversal/predict", chance), 200, named, refusable=True)),
        (1, lambda: Sent(request(encoded(asks(0.5, version=f"v9{number}"))), 422, rf"\"v9{number}\"", refusable=True)),
        (1, lambda: Sent(request(encoded(candles(short))), 422, f" {short} ", refusable=True)),
        (1, lambda: Sent(request(b'{"pair": ' + b" " * blanks), 400, f"(byte {9 + blanks})", refusable=True)),
        (1, lambda: Sent(request(body, "/reversal/compare"), 200, named, refusable=True)),
        (1, lambda: Sent(get("/reversal/models"), 200, "active_version")),
        (1, lambda: Sent(get(f"/reversal/models/v8{number}"), 404, rf"\"v8{number}\"")),
        (1, lambda: Sent(get(f"/nothing/{number}"), 404, f"/nothing/{number}")),
    )
    (kind,) = chance.choices([kind for _, kind in kinds], [weight for weight, _ in kinds])
    return kind()


async def converse(connection: Connection, sent: Sequence[Sent], chance: random.Random) -> list[Answer]:
    """Send all while answers are read, in pieces that end anywhere. The first piece is often exactly one request."""
    text = b"".join(each.text for each in sent)
    places = cut(len(text), chance.choice((1, 1, 2, 5, 60)), chance)
    if chance.random() < 0.7:
        places = [len(sent[0].text), *(place for place in places if place > len(sent[0].text))]

    async def send() -> None:
        for a, b in itertools.pairwise((0, *places, len(text))):
            connection.writer.write(text[a:b])
            await connection.writer.drain()
            await asyncio.sleep(chance.choice((0, 0, 0, 0.0005, 0.003)))

    sending = asyncio.create_task(send())
    found = await answers(connection, len(sent))
    await sending
    return found


@pytest.mark.parametrize("most", [1, 3, 1000], ids=lambda most: f"{most} at once")
@pytest.mark.parametrize("seed", range(3))
async def test_any_requests_in_any_pieces_are_answered_in_order(
    service: Service, monkeypatch: pytest.MonkeyPatch, seed: int, most: int
) -> None:
    chance = random.Random(f"{seed} {most}")  # noqa: S311 - nothing secret
    admission = service.worker.app[ADMISSION]
    monkeypatch.setattr(admission, "_most", most)
    monkeypatch.setattr(Admission, "pause_seconds", 0.004)
    numbers = itertools.count(1000)

    async def one(own: random.Random) -> None:
        async with service.connect() as made:
            for _ in range(4):  # what a round leaves in the connection affects the next one
                light, count = own.choice((0, 100)), own.choice((1, 5, 40, 80, 300))
                sent = [any_request(next(numbers), own, light) for _ in range(count)]
                if own.random() < 0.7:
                    sent.insert(0, Sent(request(encoded(asks(0.82, pair="ZZZ/ZZZ"))), 200, "ZZZ/ZZZ", refusable=True))
                found = await converse(made, sent, own)
                assert len(found) == len(sent)
                assert [a for a, b in zip(found, sent, strict=True) if not b.is_answered_by(a)] == []
            await everything_is_answered(service, made)

    await asyncio.gather(*(one(random.Random(chance.random())) for _ in range(6)))  # noqa: S311
    assert admission.inside == 0


async def everything_is_answered(service: Service, connection: Connection) -> None:
    """Assert that nothing is left over: the next request is read and answered."""
    assert not service.handler_of(connection).in_progress
    connection.writer.write(get("/nothing/more"))
    (last,) = await answers(connection, 1)
    assert "/nothing/more" in last.text


FIRST = {
    "200": (request(BODY), 200),
    "422 after its turn": (request(encoded(asks(0.5, version="v9"))), 422),
    "422 at once": (request(encoded({"pair": "EUR/USD", "features": [[0.5]]})), 422),
    "400": (request(b'{"pair": '), 400),
}


@pytest.mark.parametrize("first", FIRST.values(), ids=FIRST)
async def test_requests_behind_a_prediction(service: Service, first: tuple[bytes, int]) -> None:
    text, status = first
    for behind in (1, 31, 32, 33, 60, 100, 400):
        async with service.connect() as made:
            handler = service.handler_of(made)
            handler.data_received(text)
            handler.data_received(LIVEZ * (behind // 2))  # while the first one waits for its turn
            handler.data_received(LIVEZ * (behind - behind // 2))
            found = await answers(made, 1 + behind)
            assert [answer.status for answer in found] == [status] + [200] * behind
            await everything_is_answered(service, made)


async def test_many_requests_behind_a_prediction_on_many_connections(service: Service) -> None:
    made = [await asyncio.open_connection("127.0.0.1", service.port) for _ in range(30)]
    connections = [Connection(service.runner, *each) for each in made]
    for each in connections:  # each answers once before the test, so that the predictions form a batch
        each.writer.write(LIVEZ)
        assert len(await answers(each, 1)) == 1
    for each in connections:
        service.handler_of(each).data_received(request(BODY))
        service.handler_of(each).data_received(LIVEZ * 100)
    found = await asyncio.gather(*(answers(each, 101) for each in connections))
    assert [len(each) for each in found] == [101] * len(connections)
    for each in connections:
        each.writer.close()


@pytest.mark.parametrize("together", [False, True])
async def test_predictions_behind_others(service: Service, connection: Connection, *, together: bool) -> None:
    pieces = [LIVEZ * 50, *(request(encoded(asks(0.82, pair=pair(i)))) for i in range(100)), LIVEZ * 50]
    if together:
        pieces = [b"".join(pieces)]
    for piece in pieces:
        service.handler_of(connection).data_received(piece)
    found = await answers(connection, 200)
    assert [json.loads(answer.text)["data"]["pair"] for answer in found[50:150]] == [pair(i) for i in range(100)]
    await everything_is_answered(service, connection)


async def begun(handler: Any, connection: Connection) -> None:  # noqa: ANN401 - private
    """Send a prediction without the end of its body. aiohttp begins with it before its parser has counted it."""
    before = connection.usual
    handler.data_received(request(BODY)[:-5])
    while connection.usual == before:  # noqa: ASYNC110 - no event signals it
        await asyncio.sleep(0)


@pytest.mark.parametrize("behind", [31, 32, 100])
@pytest.mark.parametrize("with_the_rest", [False, True])
async def test_requests_behind_one_whose_body_came_in_two_parts(
    service: Service, connection: Connection, behind: int, *, with_the_rest: bool
) -> None:
    handler = service.handler_of(connection)
    await begun(handler, connection)
    if with_the_rest:
        handler.data_received(request(BODY)[-5:] + LIVEZ * behind)
    else:
        handler.data_received(request(BODY)[-5:])
        assert len(await answers(connection, 1)) == 1
        handler.data_received(LIVEZ * behind)
    assert len(await answers(connection, behind + with_the_rest)) == behind + with_the_rest
    await everything_is_answered(service, connection)


@on_the_fast_path
@pytest.mark.parametrize("held", [False, True], ids=["at once", "behind a prediction"])
async def test_requests_behind_a_refusal(
    service: Service, connection: Connection, monkeypatch: pytest.MonkeyPatch, *, held: bool
) -> None:
    monkeypatch.setattr(Admission, "pause_seconds", 0.003)
    handler, admission = service.handler_of(connection), service.worker.app[ADMISSION]
    for _ in range(5):
        if held:
            handler.data_received(request(BODY))
        with monkeypatch.context() as full:
            full.setattr(admission, "_most", 0)
            handler.data_received(request(BODY))
            statuses = [answer.status for answer in await answers(connection, 1 + held)]
        assert statuses == [200, 503][1 - held :]
        connection.writer.write(LIVEZ * 100)
        assert len(await answers(connection, 100)) == 100
    await everything_is_answered(service, connection)


@on_the_fast_path
@pytest.mark.parametrize("held", [False, True], ids=["at once", "behind a prediction"])
async def test_nothing_is_read_in_the_pause_after_a_refusal(
    service: Service, connection: Connection, monkeypatch: pytest.MonkeyPatch, *, held: bool
) -> None:
    monkeypatch.setattr(Admission, "pause_seconds", 2 * LONG_SECONDS)
    handler = service.handler_of(connection)
    if held:
        handler.data_received(request(BODY))
    monkeypatch.setattr(service.worker.app[ADMISSION], "_most", 0)
    handler.data_received(request(BODY))
    assert [answer.status for answer in await answers(connection, 1 + held)] == [200, 503][1 - held :]
    assert not handler.transport.is_reading()
    handler.idle_since = 0.0  # as 75 seconds later
    handler._close_if_idle()  # noqa: SLF001
    assert handler.transport is not None  # requests may have arrived that are not read yet


async def test_a_client_that_continues_to_send_is_not_read_until_it_is_answered(
    service: Service, connection: Connection
) -> None:
    handler = service.handler_of(connection)
    handler.data_received(request(BODY))
    assert handler.transport.is_reading()
    handler.data_received(LIVEZ * 200)
    assert not handler.transport.is_reading()
    assert len(await answers(connection, 201)) == 201
    assert handler.transport.is_reading()


@pytest.mark.parametrize("before", [0, 1, 31, 32, 100])
async def test_the_last_request_closes_the_connection(service: Service, connection: Connection, before: int) -> None:
    handler = service.handler_of(connection)
    handler.data_received(request(BODY))
    handler.data_received(LIVEZ * before + LIVEZ.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    found = await answers(connection, before + 2)
    assert [answer.closes for answer in found] == [False] * (before + 1) + [True]
    assert await asyncio.wait_for(connection.reader.read(), LONG_SECONDS) == b""


@pytest.mark.parametrize("parts", [1, 2])
async def test_another_protocol_asked_for_behind_a_prediction(service: Service, *, parts: int) -> None:
    upgrade = LIVEZ.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    for before in (0, 29, 30, 31, 32, 40):
        async with service.connect() as made:
            handler = service.handler_of(made)
            if parts == 2:
                await begun(handler, made)
                handler.data_received(request(BODY)[-5:])
            else:
                handler.data_received(request(BODY))
            handler.data_received(LIVEZ * before + upgrade)
            assert len(await answers(made, before + 2)) == before + 2
            handler.data_received(LIVEZ * before + upgrade + LIVEZ * 100)
            assert len(await answers(made, before + 101)) == before + 101
            await everything_is_answered(service, made)


@on_the_fast_path
async def test_a_held_request_is_in_progress(service: Service, connection: Connection) -> None:
    """A worker that shuts down waits for requests in progress."""
    handler = service.handler_of(connection)
    seen: list[tuple[Any, ...]] = []

    def look() -> None:  # between the first answer and the look at what is held
        seen.append((handler.in_progress, service.worker.app[ADMISSION].inside))

    def step() -> None:
        asyncio.get_running_loop().call_soon(look)

    Slow(service.worker, step)
    handler.data_received(request(BODY))
    handler.data_received(LIVEZ)
    assert len(await answers(connection, 2)) == 2
    assert seen == [(True, 0)]
    assert not handler.in_progress


@on_the_fast_path
async def test_the_held_requests_of_a_client_that_disconnects_are_dropped(
    service: Service, connection: Connection
) -> None:
    async with service.connect() as leaves:
        leaving = service.handler_of(leaves)
        leaving.data_received(request(BODY))
        leaving.data_received(request(BODY) + LIVEZ * 100)
        leaving.connection_lost(None)
        assert not leaving._on_path  # noqa: SLF001
        connection.writer.write(request(BODY) + LIVEZ)
        assert len(await answers(connection, 2)) == 2
    assert service.worker.app[ADMISSION].inside == 0
