from __future__ import annotations

import asyncio
import gzip
from contextlib import suppress
from pathlib import Path

import pytest

from core.errors import Overloaded
from server.auth.access import Level
from server.auth.token_texts import tokens
from server.http.admission import Admission
from server.http.app_keys import ACCESS, ADMISSION
from server.http.connections import connection as connections
from tests import bundles
from tests.server.questions import asks, candles
from tests.server.worker.connections import (
    BODY,
    JSON,
    ODD,
    Connection,
    Service,
    Slow,
    encoded,
    on_the_fast_path,
    request,
)
from tests.server.worker_fixture import experiment
from tests.waiting import until

BODIES = {
    "one window": encoded(asks(0.82)),
    "a window for each stage": encoded(asks(0.82, 0.32)),
    "candles": encoded(candles()),
    "of an experiment": encoded(asks(0.82, user_id="user123")),
    "too few candles": encoded(candles(5)),
    "a wrong shape": encoded({"pair": "EUR/USD", "features": [[0.5]]}),
    "no JSON": b'{"pair": ',
    "no text": b'{"pair": "\xff"}',
    "nothing": b"",
    "a wrong type": encoded(asks("0.5")),  # type: ignore[arg-type]
    "an overflow": encoded(asks(1e39)),
    "an unknown version": encoded(asks(0.5, version="v9")),
    "a version that fails": encoded(asks(1.0, 1.0, version="v4")),
    "a fallback": encoded(asks(1.0, 1.0, user_id="alice")),
}


@on_the_fast_path
@pytest.mark.parametrize("path", ["/reversal/predict", "/reversal/predict_raw", "/predict"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_both_paths_give_the_same_answer(
    service: Service, connection: Connection, models: Path, path: str, body: bytes
) -> None:
    await asyncio.to_thread(bundles.write, models, "v4", kind="root")
    await service.worker.serve(experiment(variant_b="v4"))
    before = connection.usual
    fast = await connection.ask(request(body, path, Content_Type="application/json"))
    assert connection.usual == before
    usual = await connection.ask(request(body, path, Content_Type="application/json; charset=utf-8"))
    assert connection.usual == before + 1
    assert (fast.status, fast.lasting) == (usual.status, usual.lasting)
    assert set(fast.headers) == set(usual.headers)
    assert fast.headers["Content-Type"].partition(";")[0] == usual.headers["Content-Type"].partition(";")[0]


async def test_a_refusal_is_counted_and_logged_once(
    service: Service, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    await service.worker.serve(without=("v2",))
    answer = await connection.ask(request(encoded(asks(0.5, version="v2"))))
    assert (answer.status, answer.body["code"]) == (503, "MODEL_UNAVAILABLE")
    assert caplog.text.count("code=MODEL_UNAVAILABLE path= count=1 error=") == 1
    assert (await service.worker.numbers())['reversal_prediction_errors_total{code="MODEL_UNAVAILABLE"}'] == 1


UNUSUAL = {
    "its connection's last": request(BODY, Connection="close"),
    "of HTTP/1.0": request(BODY, first="POST {} HTTP/1.0", Connection="keep-alive"),
    "packed": request(gzip.compress(BODY), Content_Encoding="gzip"),
    "with parameters in its type": request(BODY, Content_Type="application/json; charset=utf-8"),
    "with a query": request(BODY, "/reversal/predict?x=1"),
}


@pytest.mark.parametrize("unusual", UNUSUAL.values(), ids=UNUSUAL)
async def test_an_unusual_request_takes_aiohttps_path(connection: Connection, unusual: bytes) -> None:
    before = connection.usual
    answer = await connection.ask(unusual)
    assert (answer.status, answer.body["data"]["stage1_prob"]) == (200, pytest.approx(0.82))
    assert connection.usual == before + 1


async def test_a_body_that_arrives_later_is_awaited(connection: Connection) -> None:
    whole = request(BODY)
    for split in (1, whole.index(b"\r\n\r\n"), len(whole) - len(BODY), len(whole) - 1):
        assert (await connection.ask(whole[:split], whole[split:])).status == 200


async def test_a_request_that_expects_100_continue_gets_it(connection: Connection) -> None:
    whole = request(BODY, Expect="100-continue")
    await connection.send(whole)
    assert await connection.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert (await connection.receive()).status == 200


async def test_another_method_and_another_type_are_refused(connection: Connection) -> None:
    assert (await connection.ask(request(BODY, first="PUT {} HTTP/1.1"))).status == 405
    assert (await connection.ask(request(BODY, Content_Type="text/plain"))).status == 415


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "[::1", "a b", "", "localhost:http", "\u00ff"])
async def test_a_host_that_is_not_this_servers_is_refused_with_the_reason(
    service: Service, connection: Connection, host: str
) -> None:
    for _ in range(2):
        answer = await connection.ask(request(BODY, Host=host))
        assert (answer.status, answer.body["code"]) == (403, "FORBIDDEN")
        assert "REVERSAL_ALLOWED_HOSTS" in answer.body["error"]
    assert (await connection.ask(request(BODY))).status == 200
    assert service.worker.app[ADMISSION].inside == 0


@on_the_fast_path
@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "reversal", "LOCALHOST."])
async def test_a_host_of_this_server_takes_the_fast_path(connection: Connection, host: str) -> None:
    before = connection.usual
    for _ in range(2):
        assert (await connection.ask(request(BODY, Host=host))).status == 200
    assert connection.usual == before


@pytest.mark.parametrize(("origin", "status"), [("https://evil.example", 403), ("null", 403), ("http://[::1]", 200)])
async def test_a_page_of_another_origin_is_refused(connection: Connection, origin: str, status: int) -> None:
    assert (await connection.ask(request(BODY, Origin=origin))).status == status


@pytest.mark.parametrize("together", [False, True])
async def test_pipelined_requests_are_answered_in_order(connection: Connection, *, together: bool) -> None:
    wanted = [0.05 + 0.02 * i for i in range(40)]
    requests = [request(encoded(asks(p))) for p in wanted]
    requests.insert(7, b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
    if together:
        await connection.send(b"".join(requests))
    else:
        for each in requests:
            connection.writer.write(each)
            await asyncio.sleep(0)
    answers = [await connection.receive() for _ in requests]
    assert answers.pop(7).status == 404
    assert [answer.body["data"]["stage1_prob"] for answer in answers] == pytest.approx(wanted)


async def test_one_connection_carries_many_requests(service: Service, connection: Connection) -> None:
    before = connection.usual
    for _ in range(300):
        assert (await connection.ask(request(BODY))).status == 200
    assert connection.usual == before + (0 if service.is_fast else 300)


@pytest.mark.serial
@pytest.mark.parametrize("keep_alive_seconds", [0.5])
async def test_a_connection_in_use_is_kept_and_an_idle_one_is_closed(
    connection: Connection, keep_alive_seconds: float
) -> None:
    end = asyncio.get_running_loop().time() + 3 * keep_alive_seconds
    while asyncio.get_running_loop().time() < end:
        assert (await connection.ask(request(BODY))).status == 200
        await asyncio.sleep(keep_alive_seconds / 5)
    assert await asyncio.wait_for(connection.reader.read(), 10) == b""


@pytest.mark.serial
async def test_a_head_that_arrives_too_slowly_is_not_awaited(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    whole = request(BODY)
    assert (await connection.ask(whole[:30], whole[30:])).status == 200
    await asyncio.sleep(0.3)
    assert (await connection.ask(whole)).status == 200
    began = asyncio.get_running_loop().time()
    for i in range(30):
        await connection.send(whole[i : i + 1])
        await asyncio.sleep(0.02)
        if connection.reader.at_eof():
            break
    assert await connection.reader.read() == b""
    assert asyncio.get_running_loop().time() < began + 0.5


@pytest.mark.serial
@on_the_fast_path
async def test_beyond_the_limit_a_request_is_refused_and_an_immediate_retry_is_read_later(
    service: Service, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    admission = service.worker.app[ADMISSION]
    room = 0
    with suppress(Overloaded):
        while True:
            admission.enter()
            room += 1
    before = connection.usual
    answer = await connection.ask(request(BODY))
    assert (answer.status, answer.body["code"]) == (503, "OVERLOADED")
    assert int(answer.headers["Retry-After"]) >= 1
    monkeypatch.setattr(Admission, "pause_seconds", 0.3)
    assert (await connection.ask(request(BODY))).status == 503
    for _ in range(room):
        admission.leave()
    began = asyncio.get_running_loop().time()
    assert (await connection.ask(request(BODY))).status == 200
    assert asyncio.get_running_loop().time() > began + 0.25
    assert (await connection.ask(request(BODY))).status == 200
    assert connection.usual == before


async def test_every_accepted_request_leaves_admission(service: Service, connection: Connection) -> None:
    for body in BODIES.values():
        await connection.ask(request(body))
    async with service.connect() as leaves:
        leaves.writer.write(request(BODY))
    await connection.ask(request(BODY))
    assert service.worker.app[ADMISSION].inside == 0


async def test_what_follows_a_request_on_the_fast_path_keeps_its_place(
    service: Service, connection: Connection
) -> None:
    whole = [request(encoded(asks(p)), Content_Type=kind) for p, kind in ((0.11, JSON), (0.22, ODD), (0.33, JSON))]
    for _ in range(3):
        # The odd one takes aiohttp's path, and is incomplete at first.
        await connection.send(whole[0] + whole[1][:-5], whole[1][-5:] + whole[2])
        answers = [await connection.receive() for _ in whole]
        assert [answer.body["data"]["stage1_prob"] for answer in answers] == pytest.approx([0.11, 0.22, 0.33])
    before = connection.usual
    assert (await connection.ask(whole[0])).status == 200
    assert connection.usual == before + (not service.is_fast)


async def test_held_bytes_keep_their_place_behind_the_answer_that_they_waited_for(
    service: Service, connection: Connection
) -> None:
    """The odd request arrives while the first one waits for its turn, the last one when the first is answered."""
    handler = service.handler_of(connection)
    first, odd, last = (
        request(encoded(asks(p)), Content_Type=kind) for p, kind in ((0.11, JSON), (0.22, ODD), (0.33, JSON))
    )
    handler.data_received(first)
    handler.data_received(odd[:-5])
    handler.data_received(odd[-5:] + last)
    answers = [await connection.receive() for _ in range(3)]
    assert [answer.body["data"]["stage1_prob"] for answer in answers] == pytest.approx([0.11, 0.22, 0.33])
    assert not handler.in_progress


async def test_a_request_for_another_protocol_is_answered_and_the_next_one_is_read(
    service: Service, connection: Connection
) -> None:
    odd = request(BODY, Connection="Upgrade", Upgrade="websocket")
    for _ in range(2):
        assert (await connection.ask(odd)).status == 200
        assert (await connection.ask(request(BODY))).status == 200
    before = connection.usual
    assert (await connection.ask(request(BODY))).status == 200
    assert connection.usual == before + (not service.is_fast)


async def test_a_bad_header_does_not_affect_other_requests(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.worker.app[ACCESS], "_known", tuple(tokens(["good"], Level.API)))
    good = request(BODY, Authorization="Bearer good")
    bad = good.replace(b"Bearer good", b"Bearer \xff\xfe")
    async with service.connect() as one, service.connect() as other:
        handler = service.handler_of(one)
        handler.data_received(good)
        handler.data_received(bad)
        service.handler_of(other).data_received(good)
        assert (await one.receive()).status == 200
        assert (await other.receive()).status == 200
        assert (await one.receive()).status == 401
    await until(lambda: service.worker.app[ADMISSION].inside == 0)


async def test_the_idle_timer_does_not_close_a_connection_that_waits_for_an_answer(
    service: Service, connection: Connection
) -> None:
    handler = service.handler_of(connection)
    assert (await connection.ask(request(BODY))).status == 200
    handler.idle_since = 0.0  # as 75 seconds later
    handler.data_received(request(BODY))
    handler._close_if_idle()  # noqa: SLF001
    assert (await connection.receive()).status == 200
    assert (await connection.ask(request(BODY))).status == 200


@pytest.mark.serial
async def test_blank_lines_between_requests_do_not_start_the_head_timer(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.05)
    assert (await connection.ask(request(BODY))).status == 200
    await connection.send(b"\r\n")
    await asyncio.sleep(0.2)
    assert (await connection.ask(request(BODY))).status == 200


@on_the_fast_path
@pytest.mark.parametrize("together", [False, True])
async def test_the_first_request_of_a_connection_takes_the_fast_path(service: Service, *, together: bool) -> None:
    assert service.runner.server is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    connection = Connection(service.runner, reader, writer)
    before = connection.usual
    await connection.send(request(BODY) * (1 + together))
    for _ in range(1 + together):
        assert (await connection.receive()).status == 200
    assert connection.usual == before + 2 * together
    writer.close()


@on_the_fast_path
async def test_nothing_is_predicted_for_a_client_that_has_disconnected(service: Service) -> None:
    predictor = Slow(service.worker, lambda: None)
    async with service.connect() as stays, service.connect() as leaves:
        assert (await leaves.ask(request(BODY))).status == 200
        predictor.asked.clear()
        leaving = service.handler_of(leaves)
        leaving.data_received(request(BODY))  # as the event loop does before it finds the client disconnected
        leaving.connection_lost(None)
        assert (await stays.ask(request(BODY))).status == 200
    assert sum(predictor.asked) == 1


async def test_an_internal_error_is_logged_and_the_connection_stays_open(
    service: Service, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    predictor = Slow(service.worker, fail)
    answer = await connection.ask(request(BODY))
    assert (answer.status, answer.body["code"]) == (500, "INTERNAL")
    assert 'request_failed request="POST /reversal/predict"' in caplog.text
    assert "ZeroDivisionError" in caplog.text
    predictor.step = lambda: None
    assert (await connection.ask(request(BODY))).status == 200


async def test_an_answer_in_progress_is_written_before_a_stopping_server_closes(service: Service) -> None:
    stopping: list[asyncio.Task[None]] = []

    def stop() -> None:
        if not stopping:
            stopping.append(asyncio.ensure_future(service.runner.cleanup()))

    async with service.connect() as connection:
        Slow(service.worker, stop)
        assert (await connection.ask(request(BODY))).status == 200
        assert await asyncio.wait_for(connection.reader.read(), 5) == b""
    await stopping[0]
