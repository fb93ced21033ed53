"""Hostile and broken HTTP: with and without the fast path, the server refuses it and goes on serving others."""

from __future__ import annotations

import asyncio
import gzip
import logging
import threading
import zlib
from contextlib import suppress
from unittest.mock import Mock

import pytest
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.web_protocol import RequestHandler

from core.serving.registry import ListedVersion
from server.http.bodies import sizes
from server.http.connections import connection as connections
from server.http.connections.parser import SharedParser
from server.http.fairness import let_others_run
from server.http.headers import SECURITY
from tests.server.worker.connections import BODY, Connection, Service, request
from tests.waiting import until

HEAD = b"POST /reversal/predict HTTP/1.1\r\nHost: x\r\n"
SMUGGLED = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"

BROKEN = {
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 50\r\n\r\nabcde" + SMUGGLED,
    "a length and chunks": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunks by another name": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunks twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a length that is none": HEAD + b"Content-Length: +5\r\n\r\nabcde" + SMUGGLED,
    "a size of a chunk that is none": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n" + SMUGGLED,
    "a name with a blank": b"POST /reversal/predict HTTP/1.1\r\nHost : x\r\n\r\n" + SMUGGLED,
    "a folded header": HEAD + b"X-One: 1\r\n 2\r\n\r\n" + SMUGGLED,
    "a header of 100 kB": HEAD + b"X-Long: " + b"a" * 100_000 + b"\r\n\r\n",
    "a thousand headers": HEAD + b"X-One: 1\r\n" * 1000 + b"\r\n",
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_ambiguous_requests_are_refused_and_end_the_connection(
    service: Service, connection: Connection, broken: bytes
) -> None:
    assert (await connection.ask(request(BODY))).status == 200
    await connection.send(broken)
    answer = await asyncio.wait_for(connection.reader.read(), 5)
    assert answer[:13] == b"HTTP/1.1 400 "
    assert answer.count(b"HTTP/1.") <= 1  # the smuggled request is not answered
    async with service.connect() as other:
        assert (await other.ask(request(BODY))).status == 200


async def test_a_client_that_repeats_broken_requests_does_not_fill_the_log(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(20):
        async with service.connect() as connection:
            await connection.send(BROKEN["two lengths"])
            await connection.reader.read()
    assert 1 <= caplog.text.count("request_unreadable") <= 2


MARK = "marked"
QUOTED = {
    "a token with a control character": HEAD + f"Authorization: Bearer {MARK}\x01\r\n\r\n".encode(),
    "a token without its colon": HEAD + f"Authorization Bearer {MARK}\r\n\r\n".encode(),
    "a line of half an HTTP": f"GET /metrics?user={MARK} HTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "a URL that is none": f"GET http://x:{MARK}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "a body where a head should be": f'{{"user_id": "{MARK}"}}\r\n\r\n'.encode(),
    "a body longer than it says": HEAD + f'Content-Length: 2\r\n\r\n{{}}{{"user_id": "{MARK}"}}\r\n\r\n'.encode(),
    "a chunk without its size": HEAD + f"Transfer-Encoding: chunked\r\n\r\n{MARK}\r\n".encode(),
}


UNREADABLE = ("BadHttpMessage", "BadStatusLine", "BadHttpMethod", "InvalidURLError", "PayloadError")


@pytest.mark.parametrize("answered", [0, 1], ids=["at once", "behind a good one"])
@pytest.mark.parametrize("quoted", QUOTED.values(), ids=QUOTED)
async def test_the_log_names_the_error_but_does_not_quote_the_request(
    connection: Connection, caplog: pytest.LogCaptureFixture, quoted: bytes, answered: int
) -> None:
    caplog.set_level(logging.DEBUG)
    for _ in range(answered):
        assert (await connection.ask(request(BODY))).status == 200
    await connection.send(quoted)
    answers = await asyncio.wait_for(connection.reader.read(), 5)
    assert MARK.encode() not in answers
    (message,) = [each for each in caplog.messages if each.startswith("request_")]
    assert message.startswith("request_unreadable address=127.0.0.1 error=")
    assert message.endswith(tuple(f"{error} count=1" for error in UNREADABLE))
    assert MARK not in caplog.text


BOMBS = {
    "gzip": gzip.compress(bytes(8 * sizes.BATCH), 9),
    "deflate": zlib.compress(bytes(8 * sizes.BATCH), 9),
}


@pytest.mark.parametrize("path", ["/reversal/predict", "/reversal/predict/batch", "/reversal/compare"])
@pytest.mark.parametrize("packing", BOMBS)
async def test_a_body_that_unpacks_to_more_than_the_limit_is_refused(
    service: Service, connection: Connection, path: str, packing: str
) -> None:
    answer = await connection.ask(request(BOMBS[packing], path, Content_Encoding=packing))
    assert (answer.status, answer.body["code"]) == (413, "PAYLOAD_TOO_LARGE")
    async with service.connect() as other:
        assert (await other.ask(request(BODY))).status == 200


NESTED = {
    "lists": b"[" * 200_000,
    "objects": b'{"a":' * 200_000,
    "lists in an unknown field": b'{"pair":"EUR/USD","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "lists of features": b'{"pair":"EUR/USD","features":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("path", ["/reversal/predict", "/reversal/predict/batch", "/reversal/compare", "/predict"])
@pytest.mark.parametrize("body", NESTED.values(), ids=NESTED)
async def test_a_deeply_nested_body_is_refused(connection: Connection, path: str, body: bytes) -> None:
    answer = await connection.ask(request(body, path))
    assert answer.status in {400, 422}
    assert answer.body["code"] in {"MALFORMED_JSON", "VALIDATION_ERROR"}
    assert (await connection.ask(request(BODY))).status == 200


class Refusing:
    """A parser that refuses everything, and counts its calls."""

    def __init__(self) -> None:
        self.asked = 0

    def feed_data(self, _: bytes) -> object:
        self.asked += 1
        raise BadHttpMessage("not HTTP")


def test_nothing_is_parsed_behind_bytes_that_are_not_http() -> None:
    refusing = Refusing()
    parser = SharedParser(refusing, Mock(received=0))
    with pytest.raises(BadHttpMessage):
        parser.feed_data(b"x")
    assert [parser.feed_data(bytes(1 << 18)) for _ in range(32)] == [((), False, b"")] * 32
    assert refusing.asked == 1


@pytest.mark.parametrize("sent", [b"garbage\r\n\r\n", *QUOTED.values()], ids=["garbage", *QUOTED])
async def test_the_answer_to_bytes_that_are_not_http_has_the_envelope_and_all_headers(
    service: Service, connection: Connection, sent: bytes
) -> None:
    usual = await connection.ask(request(b"{", Connection="close"))
    async with service.connect() as other:
        answer = await other.ask(sent)
        if answer.status == 200:
            answer = await other.receive()
        assert (answer.status, answer.body["code"]) == (400, "MALFORMED_REQUEST")
        assert list(answer.body) == list(usual.body)
        assert set(answer.headers) == set(usual.headers)
        assert SECURITY.items() <= answer.headers.items()
        assert await asyncio.wait_for(other.reader.read(), 5) == b""


async def closed(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), 10)


@pytest.mark.parametrize("fast_path", [False], ids=["plain"])
async def test_nothing_is_parsed_behind_a_slow_request(
    service: Service, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed, going_on = [], threading.Event()
    parse, entries = RequestHandler.data_received, service.worker.registry.entries

    def counted(handler: RequestHandler, data: bytes) -> None:
        parsed.append(len(data))
        parse(handler, data)

    def late() -> list[ListedVersion]:
        going_on.wait(10)
        return entries()

    monkeypatch.setattr(RequestHandler, "data_received", counted)
    monkeypatch.setattr(service.worker.registry, "entries", late)
    await connection.send(request(b"", "/reversal/models", "GET {} HTTP/1.1"))
    handler = service.handler_of(connection)
    await until(lambda: handler.received == 1)
    connection.writer.write(b"GET / HTTP/9.9\r\n\r\n" + b"\xff" * (8 << 20))
    await until(lambda: handler.in_progress and len(handler._held) > 0)  # noqa: SLF001 - nothing public shows it
    assert sum(parsed) < 1 << 10
    going_on.set()
    assert (await connection.receive()).status == 200
    with suppress(ConnectionError, asyncio.IncompleteReadError):  # the connection is closed with unread bytes
        assert (await connection.receive()).status == 400
    await closed(connection.reader)
    assert sum(parsed) < 2 << 20


@pytest.mark.parametrize("keep_alive_seconds", [0.5])
async def test_blank_lines_do_not_keep_an_idle_connection_open(
    connection: Connection, keep_alive_seconds: float
) -> None:
    assert (await connection.ask(request(BODY))).status == 200
    deadline = asyncio.get_running_loop().time() + 20 * keep_alive_seconds
    with suppress(ConnectionError):
        while not connection.reader.at_eof():
            assert asyncio.get_running_loop().time() < deadline
            connection.writer.write(b"\r\n")
            with suppress(TimeoutError):
                await asyncio.wait_for(connection.reader.read(), keep_alive_seconds / 5)


async def test_other_requests_run_while_the_rest_of_a_refused_body_is_discarded(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = []

    async def counted() -> None:
        pauses.append(1)
        await let_others_run()

    monkeypatch.setattr(connections, "let_others_run", counted)
    head = b"POST /reversal/models/v1/switch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    await connection.send(head + b"1\r\na\r\n" * 200_000 + b"0\r\n\r\n")
    assert (await connection.receive()).status == 413
    assert (await connection.ask(request(BODY))).status == 200  # on the same connection
    assert len(pauses) > 10
