"""Requests that are HTTP, but of another version, with odd expectations, or that ask for another protocol."""

from __future__ import annotations

import asyncio

import pytest

from server.http.headers import SECURITY
from tests.server.worker.connections import BODY, Answer, Connection, Service, on_the_fast_path, request
from tests.waiting import until

MARK = "marked"
LIVEZ = request(b"", "/livez", "GET {} HTTP/1.1")
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)


async def all_answers(connection: Connection) -> list[Answer]:
    """The answers until the server ends the connection."""
    found: list[Answer] = []

    async def collect() -> None:
        while True:
            found.append(await connection.receive())

    with pytest.raises(asyncio.IncompleteReadError) as ended:
        await collect()
    assert ended.value.partial == b""
    return found


VERSIONS = {
    "9.9": request(b"", f"/livez?{MARK}", "GET {} HTTP/9.9"),
    "2.0": request(b"", f"/livez?{MARK}", "GET {} HTTP/2.0"),
    "2": request(b"", f"/livez?{MARK}", "GET {} HTTP/2"),
    "1.2": request(b"", f"/livez?{MARK}", "GET {} HTTP/1.2"),
    "0.9": request(b"", f"/livez?{MARK}", "GET {} HTTP/0.9"),
    "none": b"GET /livez?marked\r\n\r\n",
    "2.0 of a prediction": request(BODY, first="POST {} HTTP/2.0"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
}


@pytest.mark.parametrize("sent", VERSIONS.values(), ids=VERSIONS)
async def test_another_version_is_refused_and_ends_the_connection(connection: Connection, sent: bytes) -> None:
    await connection.send(sent)
    (answer,) = await all_answers(connection)
    assert (answer.status, answer.body["code"]) == (505, "HTTP_VERSION_NOT_SUPPORTED")
    assert answer.headers["Connection"] == "close"
    assert SECURITY.items() <= answer.headers.items()
    assert MARK not in str(answer)


EXPECTED = {
    "of a prediction": request(BODY, Expect=MARK),
    "of no endpoint": request(b"", "/nowhere", "GET {} HTTP/1.1", Expect=MARK),
    "beside a known one": request(BODY, Expect=f"100-continue\r\nExpect: {MARK}"),
    "in a list": request(BODY, Expect=f"100-continue, {MARK}"),
}


@pytest.mark.parametrize("sent", EXPECTED.values(), ids=EXPECTED)
async def test_an_unknown_expectation_is_refused_in_the_envelope(connection: Connection, sent: bytes) -> None:
    await connection.send(sent)
    (answer,) = await all_answers(connection)
    assert (answer.status, answer.body["code"], answer.body["success"]) == (417, "EXPECTATION_FAILED", False)
    assert SECURITY.items() <= answer.headers.items()
    assert MARK not in str(answer)


async def test_a_refusal_of_head_has_no_body(connection: Connection) -> None:
    await connection.send(request(b"", "/livez", "HEAD {} HTTP/1.1", Expect=MARK))
    answer = await asyncio.wait_for(connection.reader.read(), 5)
    assert answer.startswith(b"HTTP/1.1 417 ")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("expectation", ["100-continue", "100-Continue"])
async def test_a_client_that_waits_to_continue_is_told_to(connection: Connection, expectation: str) -> None:
    head = request(BODY, Expect=expectation).removesuffix(BODY)
    await connection.send(head)
    assert await asyncio.wait_for(connection.reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert (await connection.ask(BODY)).status == 200


async def test_http_1_0_with_chunks_is_answered_and_ends_the_connection(connection: Connection) -> None:
    head = "POST /reversal/predict HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
    await connection.send(head.encode() + CHUNKED + LIVEZ)
    assert [each.status for each in await all_answers(connection)] == [200]


UPGRADES = {
    "h2c": {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAoAAAAAIAAAAA"},
    "TLS": {"Connection": "Upgrade", "Upgrade": "TLS/1.2"},
    "TCP": {"Connection": "Upgrade", "Upgrade": "tcp"},
    "a letter that is no ASCII": {"Connection": "Upgrade", "Upgrade": "websoc\u212aet"},
    "several": {"Connection": "keep-alive, upgrade", "Upgrade": "websocket, h2c"},
}
BEHIND = {"a request": LIVEZ, "the preface of HTTP/2": VERSIONS["the preface of HTTP/2"], "bytes": b"\x00\xff" * 9}


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES)
@pytest.mark.parametrize("body", [None, BODY], ids=["livez", "prediction"])
async def test_behind_an_upgrade_that_is_not_done_the_connection_ends(
    connection: Connection, body: bytes | None, upgrade: dict[str, str], behind: bytes
) -> None:
    livez = request(b"", "/livez", "GET {} HTTP/1.1", **upgrade)
    await connection.send(LIVEZ + (livez if body is None else request(body, **upgrade)) + behind)
    answers = await all_answers(connection)
    assert [each.status for each in answers] == [200, 200]
    assert [each.headers.get("Connection") for each in answers] == [None, "close"]


async def test_bytes_behind_a_refused_websocket_are_answered(connection: Connection) -> None:
    upgrade = request(b"", "/livez", "GET {} HTTP/1.1", Connection="Upgrade", Upgrade="websocket")
    await connection.send((upgrade + LIVEZ) * 2)
    assert [(await connection.receive()).status for _ in range(4)] == [200] * 4
    assert (await connection.ask(upgrade)).status == 200
    await connection.send(b"\x81\x85abcd\r\n\r\n")
    assert [each.status for each in await all_answers(connection)] == [400]


@on_the_fast_path
@pytest.mark.parametrize("path", ["/reversal/predict", "/reversal/predict/batch", "/reversal/outcomes"])
async def test_a_body_that_breaks_off_in_bytes_that_are_not_http_is_not_awaited(
    service: Service, connection: Connection, path: str
) -> None:
    await connection.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n".encode())
    handler = service.handler_of(connection)
    await until(lambda: handler.in_progress)
    await connection.send(f"{MARK}\r\n".encode())
    (answer,) = await all_answers(connection)
    assert (answer.status, answer.body["code"]) == (400, "MALFORMED_JSON")
    assert MARK not in str(answer)
