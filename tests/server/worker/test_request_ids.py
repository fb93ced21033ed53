"""The id of a request, in answers and log lines, and the access log, with and without the fast path."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from core.log_event import LogEvent
from server.auth.client_address import trusted_proxies
from server.http.app_keys import REFUSALS
from server.logs.request_id import of_record
from server.settings import Settings
from server.worker.app_keys import KEEPER_CLIENT
from tests.server.worker.connections import Connection, Service, request
from tests.waiting import until

GOOD = b'{"pair": "EUR/USD", "features": [[0.1, 0.1], [0.1, 0.1], [0.1, 0.1], [0.1, 0.1]], "version": "v1"}'
ID = "own-1"


class Lines(logging.Handler):
    """Events as the server's handler sees them, each with its request's id."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, dict[str, Any]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.msg, LogEvent):
            self.found.append((record.msg.name, of_record(record), record.msg.fields))

    def of(self, event: str) -> list[tuple[str, dict[str, Any]]]:
        return [(own, fields) for name, own, fields in self.found if name == event]


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler, root = Lines(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return dataclasses.replace(settings, access_log=True, trusted_proxies=trusted_proxies("127.0.0.1"))


@pytest.mark.parametrize(
    "sent",
    [
        request(GOOD, X_Request_Id=ID),
        request(b"{", X_Request_Id=ID),
        request(b"{}", X_Request_Id=ID),
        request(b"", "/nothing", X_Request_Id=ID),
        request(b"", "/health", "GET {} HTTP/1.1", X_Request_Id=ID),
        request(b"", "/reversal/predict", "GET {} HTTP/1.1", X_Request_Id=ID),
        request(b"", "/reversal/experiments", "GET {} HTTP/1.1", X_Request_Id=ID),
    ],
    ids=["prediction", "no JSON", "no candles", "404", "health", "405", "no keeper"],
)
async def test_each_answer_has_the_id_of_its_request(connection: Connection, sent: bytes) -> None:
    assert (await connection.ask(sent)).headers["X-Request-Id"] == ID


async def test_an_answer_has_an_id_if_none_came_in(connection: Connection) -> None:
    answers = [await connection.ask(request(body)) for body in (GOOD, b"{", GOOD)]
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 3


async def test_bytes_that_are_not_http_get_an_id_too(connection: Connection) -> None:
    await connection.send(b"\x16\x03\x01 not HTTP\r\n\r\n")
    head = await connection.reader.readuntil(b"\r\n\r\n")
    assert b" 400 " in head.partition(b"\r\n")[0]
    assert b"\r\nX-Request-Id: " in head


async def test_the_line_of_a_refusal_has_the_id_of_the_first(service: Service, lines: Lines) -> None:
    async with service.connect() as connection:
        for i in range(3):
            await connection.ask(request(b"{", X_Request_Id=f"own-{i}"))
    service.worker.app[REFUSALS].log.flush(float("inf"))
    found = [(own, fields["count"]) for own, fields in lines.of("request_refused")]
    assert found == [("own-0", 1), ("own-1", 2)]


async def test_an_internal_error_is_logged_with_the_id(
    service: Service, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(service.worker.predictor, "predict", broken)
    async with service.connect() as connection:
        answer = await connection.ask(request(GOOD, X_Request_Id=ID))
    assert answer.status == 500
    assert [own for own, _ in lines.of("request_failed")] == [ID]


async def test_the_line_of_a_fallback_has_the_id_of_its_request(service: Service, lines: Lines) -> None:
    worker = service.worker
    failing = worker.registry.snapshot.detectors["v1"]
    worker.breaker.reason = lambda detector: "it fails" if detector is failing else None  # type: ignore[method-assign]
    async with service.connect() as connection:
        answer = await connection.ask(request(GOOD.replace(b', "version": "v1"', b""), X_Request_Id=ID))
    assert answer.body["data"]["served_by"] == "v3"
    assert [own for own, _ in lines.of("fallback_used")] == [ID]


async def test_the_access_log_has_one_line_for_each_request(service: Service, lines: Lines) -> None:
    async with service.connect() as connection:
        for sent in (
            request(GOOD, "/reversal/predict?user=s3cret", X_Request_Id="a"),
            request(GOOD, X_Request_Id="b"),
            request(b"{", X_Request_Id="c"),
            request(b"", "/x" * 300, "GET {} HTTP/1.1", X_Request_Id="d"),
        ):
            await connection.ask(sent)
        await until(lambda: len(lines.of("request_answered")) == 4)
    found = dict(lines.of("request_answered"))
    assert list(found) == ["a", "b", "c", "d"]
    assert [fields["path"] for fields in found.values()][:3] == ["/reversal/predict"] * 3
    assert [fields["status"] for fields in found.values()] == [200, 200, 400, 404]
    assert len(found["d"]["path"]) == 201
    for fields in found.values():
        assert (fields["address"], fields["bytes"] > 50, fields["milliseconds"] > 0) == ("127.0.0.1", True, True)
    assert found["b"]["caller"] == "anybody"  # plain-english: a value in the audit log


@pytest.mark.parametrize(
    "sent",
    [
        request(GOOD, X_Forwarded_For="192.0.2.9"),
        request(b"", "/health", "GET {} HTTP/1.1", X_Forwarded_For="192.0.2.9"),
        request(b"", "/nothing", "GET {} HTTP/1.1", X_Forwarded_For="192.0.2.9"),
        request(b"", "/health", "GET {} HTTP/2.0", X_Forwarded_For="192.0.2.9"),
        request(GOOD, Expect="much", X_Forwarded_For="192.0.2.9"),
    ],
    ids=["prediction", "health", "404", "505", "417"],
)
async def test_the_access_log_names_the_client_behind_a_proxy(service: Service, lines: Lines, sent: bytes) -> None:
    async with service.connect() as connection:
        await connection.ask(sent)
        await until(lambda: bool(lines.of("request_answered")))
    ((_, fields),) = lines.of("request_answered")
    assert (fields["address"], fields["milliseconds"] > 0) == ("192.0.2.9", True)


async def test_the_access_log_has_a_line_for_bytes_that_are_not_http(service: Service, lines: Lines) -> None:
    async with service.connect() as connection:
        await connection.send(b"\x16\x03\x01 not HTTP\r\n\r\n")
        await until(lambda: bool(lines.of("request_answered")))
    ((_, fields),) = lines.of("request_answered")
    assert (fields["status"], fields["address"]) == (400, "127.0.0.1")


async def test_ids_of_requests_that_run_together_are_not_mixed(service: Service) -> None:
    async with service.connect() as first, service.connect() as second:
        await first.send(request(GOOD, X_Request_Id="first"))
        await second.send(request(GOOD, X_Request_Id="second"))
        assert (await first.receive()).headers["X-Request-Id"] == "first"
        assert (await second.receive()).headers["X-Request-Id"] == "second"


async def test_the_keeper_gets_the_id(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, str] = {}

    class Session:
        async def request(self, *_: object, headers: dict[str, str], **__: object) -> None:
            sent.update(headers)
            raise OSError("not connected")

    monkeypatch.setattr(service.worker.app[KEEPER_CLIENT], "_session", Session())
    async with service.connect() as connection:
        answer = await connection.ask(request(b"", "/reversal/experiments", "GET {} HTTP/1.1", X_Request_Id=ID))
    assert (answer.status, answer.headers["X-Request-Id"], sent["X-Request-Id"]) == (503, ID, ID)
