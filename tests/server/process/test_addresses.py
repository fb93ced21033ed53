"""Addresses of clients on real sockets: limits of wrong tokens, trusted proxies, idle connections."""

from __future__ import annotations

import http.client
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest

from server.auth.failed_tokens import LIMIT
from tests import bundles
from tests.processes import Server, alive, serving, wait_until_alive
from tests.system.checks import events
from tests.waiting import wait_until

TOKEN = "a-token-that-is-long-enough"  # noqa: S105
WORKERS = 3


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    bundles.write(folder, "v1")
    bundles.write(folder, "v2")
    bundles.write_order(folder, "v1", "v2")
    return folder


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def server(models: Path, state: Path) -> Iterator[Server]:
    with serving(
        "--models",
        str(models),
        state=state,
        REVERSAL_WORKERS=str(WORKERS),
        REVERSAL_ADMIN_TOKEN=TOKEN,
        REVERSAL_TRUSTED_PROXIES="127.0.0.9",
        REVERSAL_KEEPALIVE_SECONDS="1",
    ) as running:
        yield running


def connect(server: Server, address: str) -> http.client.HTTPConnection:
    parts = urlsplit(server.url)
    assert parts.hostname
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=30, source_address=(address, 0))


def ask(
    connection: http.client.HTTPConnection, token: str | None, call: str = "GET /reversal/models", **headers: str
) -> tuple[int, str | None]:
    """The status and Retry-After of one request."""
    sent = headers | ({} if token is None else {"Authorization": f"Bearer {token}"})
    method, path = call.split()
    connection.request(method, path, headers=sent)
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.getheader("Retry-After")


def asked(server: Server, token: str | None, address: str, **of_request: str) -> tuple[int, str | None]:
    """The same, on a connection of its own from an address."""
    with closing(connect(server, address)) as connection:
        return ask(connection, token, **of_request)


def test_the_workers_count_wrong_tokens_together_and_a_killed_one_changes_no_count(server: Server) -> None:
    attacker, innocent = "127.0.0.2", "127.0.0.3"
    with ExitStack() as opened:  # open connections are distributed evenly
        several = [opened.enter_context(closing(connect(server, attacker))) for _ in range(LIMIT - 1)]
        found = [ask(connection, "guess")[0] for connection in several]
    (killed, *_) = server.workers
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not alive(killed) and len(server.workers) == WORKERS)
    wait_until_alive(server)
    assert [asked(server, None, attacker) for _ in range(2 * LIMIT)] == [(401, None)] * (2 * LIMIT)
    found += [asked(server, "guess", attacker)[0] for _ in range(2)]
    assert Counter(found) == {401: LIMIT, 429: 1}
    status, seconds = asked(server, "guess", attacker)
    assert status == 429
    assert seconds is not None
    assert 1 <= int(seconds) <= 60
    assert asked(server, TOKEN, attacker) == (200, None)
    assert asked(server, "guess", innocent) == (401, None)
    (line,) = events(server.log, "address_rate_limited")
    assert f"address={attacker} " in line


def test_only_a_listed_proxy_names_the_client(server: Server, state: Path) -> None:
    switch, forwarded = "POST /reversal/models/v2/switch", {"X-Forwarded-For": "198.51.100.1, 203.0.113.7"}
    assert asked(server, TOKEN, "127.0.0.9", call=switch, **forwarded)[0] == 200
    assert asked(server, TOKEN, "127.0.0.8", call=switch, **forwarded)[0] == 200
    lines = [orjson.loads(line)["address"] for line in (state / "audit.jsonl").read_bytes().splitlines()]
    assert lines == ["203.0.113.7", "127.0.0.8"]


def test_an_idle_connection_is_closed_after_the_seconds_that_are_set(server: Server) -> None:
    with closing(connect(server, "127.0.0.1")) as connection:
        assert ask(connection, None, "GET /livez")[0] == 200
        assert connection.sock.recv(1) == b""  # the socket's timeout is shorter than the default
