"""A head that aiohttp's parser has read before is not parsed again, and every request has the parser's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from server.auth.access import Level
from server.auth.token_texts import tokens
from server.http.app_keys import ACCESS
from server.worker.fast_path import heads
from server.worker.fast_path.heads import HeadReader, KnownHeads
from tests.server.questions import asks
from tests.server.worker.connections import BODY, ODD, Connection, Service, encoded, on_the_fast_path, request

pytestmark = on_the_fast_path
GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> KnownHeads:
    """The heads that are known: none at first."""
    fresh = KnownHeads()
    monkeypatch.setattr(HeadReader.__init__, "__defaults__", (fresh,))
    return fresh


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """For each time that bytes were looked up, whether their head was known."""
    all_found: list[bool] = []
    find = HeadReader.find

    def noted(self: HeadReader, data: bytes) -> Any:  # noqa: ANN401
        result = find(self, data)
        all_found.append(result is not None)
        return result

    monkeypatch.setattr(HeadReader, "find", noted)
    yield all_found
    all_found.clear()


async def answers(connection: Connection, *sent: bytes) -> list[float]:
    return [(await connection.ask(each)).body["data"]["stage1_prob"] for each in sent]


async def test_the_second_request_with_a_head_is_not_parsed(
    service: Service, found: list[bool], known: KnownHeads
) -> None:
    async with service.connect() as one, service.connect() as other:
        one_and_two = [request(encoded(asks(p))) for p in (0.25, 0.75)]  # heads of the same bytes
        assert await answers(one, *one_and_two) == [0.25, 0.75]
        assert await answers(other, *one_and_two) == [0.25, 0.75]
        assert [each for each in found if each] == [True] * 3
        assert len(known.by_bytes) == 1


async def test_another_head_is_parsed(service: Service, known: KnownHeads) -> None:
    async with service.connect() as connection:
        for i in range(3):
            answer = await connection.ask(request(BODY, X_Request_Id=f"request-{i}"))
            assert answer.headers["X-Request-Id"] == f"request-{i}"
    assert len(known.by_bytes) == 3


DISTURBING = {
    "a request of another kind": [request(BODY, Content_Type=ODD)],
    "a request without a body": [GET],
    "a head in two pieces": [request(BODY)[:30], request(BODY)[30:]],
    "a body in two pieces": [request(BODY)[:-5], request(BODY)[-5:]],
    "chunks": [
        b"POST /reversal/predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    ],
}


@pytest.mark.parametrize("pieces", DISTURBING.values(), ids=DISTURBING)
async def test_other_requests_in_between_change_nothing(service: Service, pieces: list[bytes]) -> None:
    async with service.connect() as connection:
        assert await answers(connection, request(BODY), request(BODY)) == pytest.approx([0.82] * 2)
        assert (await connection.ask(*pieces)).status == 200
        assert await answers(connection, request(encoded(asks(0.25))), request(BODY)) == pytest.approx([0.25, 0.82])


async def test_a_request_after_one_without_a_body_is_still_known(service: Service, found: list[bool]) -> None:
    async with service.connect() as connection:
        await answers(connection, request(BODY))
        assert (await connection.ask(GET)).status == 200
        found.clear()
        await answers(connection, request(BODY))
        assert found == [True]


async def test_known_bytes_within_another_head_are_no_request(service: Service, connection: Connection) -> None:
    """The first line of the known head is the value of a header, so all of it belongs to another request."""
    await answers(connection, request(BODY))
    handler = service.handler_of(connection)
    handler.data_received(b"GET /livez HTTP/1.1\r\nX-Nothing: ")
    handler.data_received(request(BODY))
    assert "stage1_prob" not in (await connection.receive_bytes())[2].decode()


async def test_a_known_request_waits_for_the_one_before_it(service: Service, connection: Connection) -> None:
    await answers(connection, request(BODY))
    handler = service.handler_of(connection)
    handler.data_received(GET)  # aiohttp answers it in a later turn
    handler.data_received(request(BODY))
    assert "data" not in (await connection.receive()).body
    assert (await connection.receive()).body["data"]["stage1_prob"] == pytest.approx(0.82)


async def test_a_known_head_with_more_or_fewer_bytes_behind_it_is_parsed(
    service: Service, connection: Connection
) -> None:
    await answers(connection, request(BODY))
    handler = service.handler_of(connection)
    handler.data_received(request(BODY) + request(encoded(asks(0.25))))
    got = [(await connection.receive()).body["data"]["stage1_prob"] for _ in range(2)]
    assert got == pytest.approx([0.82, 0.25])
    handler.data_received(request(BODY)[:-3])
    await asyncio.sleep(0)
    handler.data_received(request(BODY)[-3:])
    assert (await connection.receive()).body["data"]["stage1_prob"] == pytest.approx(0.82)


async def test_a_token_is_checked_each_time(
    service: Service, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = service.worker.app[ACCESS]
    monkeypatch.setattr(access, "_known", tuple(tokens(["good"], Level.API)))
    whole = request(BODY, Authorization="Bearer good")
    assert await answers(connection, whole, whole) == pytest.approx([0.82] * 2)
    monkeypatch.setattr(access, "_known", tuple(tokens(["other"], Level.API)))
    assert (await connection.ask(whole)).status == 401


async def test_only_so_many_heads_are_kept(
    connection: Connection, known: KnownHeads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "_MOST", 4)
    sent = [request(BODY, X_Request_Id=str(i)) for i in range(9)]
    for each in sent:
        assert (await connection.ask(each)).status == 200
    assert [*known.by_bytes] == [each.removesuffix(BODY) for each in sent[-4:]]
    known.by_bytes.clear()
    assert (await connection.ask(request(BODY, **{f"A{i}": "" for i in range(40)}))).status == 200
    assert not known.by_bytes
    monkeypatch.setattr(heads, "_MOST_BYTES", 50)
    assert (await connection.ask(request(BODY))).status == 200
    assert not known.by_bytes


async def test_known_bytes_behind_the_beginning_of_a_head_are_no_request(
    service: Service, connection: Connection
) -> None:
    """As above, but the other request begins in the same bytes as an ordinary one ends."""
    await answers(connection, request(BODY))
    handler = service.handler_of(connection)
    handler.data_received(request(BODY) + b"GET /livez HTTP/1.1\r\nX-Nothing: ")
    assert (await connection.receive()).status == 200
    handler.data_received(request(BODY))
    assert "stage1_prob" not in (await connection.receive_bytes())[2].decode()
