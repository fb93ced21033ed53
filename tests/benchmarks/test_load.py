from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from benchmarks import load
from benchmarks.load import Connection, LoadError, Result, closed, message, opened

pytestmark = pytest.mark.serial  # answers a second

Answer = Callable[[int, bytes], Awaitable[bytes]]
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BAD = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}"


@contextmanager
def listening(answer: Answer) -> Iterator[int]:
    """Run a server in a thread that answers request n, counted from 0, with `answer(n, body)`; yields its port."""
    loop = asyncio.new_event_loop()
    numbers = iter(range(10**9))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = b""
                if b"Content-Length: " in head:
                    body = await reader.readexactly(int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]))
                writer.write(await answer(next(numbers), body))
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # the client has disconnected, or the test has ended
        finally:
            writer.close()

    async def stop() -> None:
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def good(_: int, __: bytes) -> bytes:
    return GOOD


def test_a_request_with_a_body_is_a_post_and_one_without_a_get() -> None:
    assert message("/a", b"{}") == (
        b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert message("/a") == b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, len(GOOD) - 1, len(GOOD)])
def test_an_answer_in_pieces_is_one_answer(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(load, "_RECEIVE", size)
    with listening(good) as port:
        connection = Connection(port)
        assert [connection.ask(message("/")) for _ in range(2)] == [GOOD, GOOD]
        connection.close()


def test_a_single_request_that_is_answered_with_an_error_raises() -> None:
    async def bad(_: int, __: bytes) -> bytes:
        return BAD

    with listening(bad) as port:
        connection = Connection(port)
        with pytest.raises(LoadError, match="503"):
            connection.ask(message("/"))
        connection.close()


def test_an_answer_with_connection_close_is_the_last_of_its_connection() -> None:
    last = GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")

    async def second_is_last(number: int, _: bytes) -> bytes:
        return last if number else GOOD

    with listening(second_is_last) as port:
        connection = Connection(port)
        said = []
        for _ in range(2):
            connection.ask(message("/"))
            said.append(connection.last)
        assert said == [False, True]
        connection.close()


class TestClosed:
    def test_counts_answers_and_errors_after_the_warm_up(self) -> None:
        answered = 0

        async def every_other(number: int, _: bytes) -> bytes:
            nonlocal answered
            answered += 1
            return BAD if number % 2 else GOOD

        with listening(every_other) as port:
            result = closed(port, [message("/", b"{}")], 4, 0.2, warm_up=0.1)
        assert 0 < len(result.times) < answered
        assert abs(result.errors - len(result.times)) <= 4

    def test_messages_come_in_turns(self) -> None:
        bodies: list[bytes] = []

        async def keep(_: int, body: bytes) -> bytes:
            bodies.append(body)
            return GOOD

        with listening(keep) as port:
            closed(port, [message("/", b"1"), message("/", b"2"), message("/", b"3")], 1, 0.05, warm_up=0.0)
        assert bodies[:6] == [b"1", b"2", b"3"] * 2

    def test_never_has_more_requests_in_flight_than_connections(self) -> None:
        now = most = 0

        async def count(_: int, __: bytes) -> bytes:
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.002)
            now -= 1
            return GOOD

        with listening(count) as port:
            closed(port, [message("/")], 5, 0.1, warm_up=0.0)
        assert most == 5

    def test_a_connection_that_the_server_closes_ends_the_run(self) -> None:
        async def hang_up(number: int, _: bytes) -> bytes:
            if number == 3:
                raise ConnectionError
            return GOOD

        with listening(hang_up) as port, pytest.raises(LoadError, match="closed a connection"):
            closed(port, [message("/")], 1, 5.0, warm_up=0.0)

    def test_a_server_that_hangs_ends_the_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(load, "_PATIENCE", 0.1)

        async def hang(_: int, __: bytes) -> bytes:
            await asyncio.Event().wait()
            return GOOD

        with listening(hang) as port, pytest.raises(LoadError, match=r"no answer for 0\.1 s"):
            closed(port, [message("/")], 1, 0.1, warm_up=0.0)


class TestOpened:
    def test_sends_requests_at_the_given_rate(self) -> None:
        with listening(good) as port:
            result = opened(port, [message("/")], 200.0, 4, 0.5)
        assert len(result.times) == 100
        assert result.errors == 0

    def test_a_stall_counts_for_all_requests_that_are_due_during_it(self) -> None:
        stalled = 0.2

        async def stall_once(number: int, _: bytes) -> bytes:
            if number == 50:
                time.sleep(stalled)  # noqa: ASYNC251 - the whole server must stall
            return GOOD

        with listening(stall_once) as port:
            in_open_loop = opened(port, [message("/")], 500.0, 2, 0.5)
            in_closed_loop = closed(port, [message("/")], 2, 0.1, warm_up=0.0)
        # Two connections can send a request into the stall, but a hundred requests are due during it.
        assert np.sum(in_open_loop.times > stalled / 2) >= 40
        assert in_open_loop.times.max() >= stalled
        assert in_closed_loop.times.max() < stalled

    def test_a_request_that_waits_for_a_connection_counts_from_when_it_was_due(self) -> None:
        async def slow(_: int, __: bytes) -> bytes:
            await asyncio.sleep(0.05)
            return GOOD

        with listening(slow) as port:
            result = opened(port, [message("/")], 100.0, 1, 0.1)
        # Ten requests are due 10 ms apart. Each uses the only connection for 50 ms, so the last one waits for nine.
        assert len(result.times) == 10
        assert result.times.max() >= 10 * 0.05 - 9 * 0.01

    def test_errors_are_counted(self) -> None:
        async def bad(_: int, __: bytes) -> bytes:
            return BAD

        with listening(bad) as port:
            assert opened(port, [message("/")], 100.0, 2, 0.2).errors == 20


def test_a_summary_has_answers_a_second_and_percentiles_in_milliseconds() -> None:
    found = Result(np.arange(1, 1002) / 1000, seconds=2.0, errors=3).summary()
    expected = {"per_second": 500.5, "answers": 1001, "errors": 3, "p50": 501, "p95": 951, "p99": 991, "p99.9": 1000}
    assert found == pytest.approx(expected)
