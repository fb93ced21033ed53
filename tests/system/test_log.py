"""The log never contains candles, users or tokens, whatever is sent."""

from __future__ import annotations

import http.client
import json
import socket
import time
import urllib.parse
from pathlib import Path

import pytest

from server.auth.failed_tokens import LIMIT
from tests import bundles
from tests.processes import Server, serving
from tests.system.checks import events
from tests.system.load import question

# A part of every secret that is sent, and of nothing else. The price is searched with fewer digits because a log can
# round it.
MARK = "marked"
PRICE = 1.2345678
MARKS = (MARK, "1.23456")
API, ADMIN = f"{MARK}-api-token", f"{MARK}-admin-token"
TOKENS = {
    "REVERSAL_API_TOKEN": f"desk:{API}",
    "REVERSAL_ADMIN_TOKEN": ADMIN,  # without a name
    "REVERSAL_USER_KEY": f"{MARK}-key",
}
# Lines about unreadable requests are logged once a second.
LOG_SECONDS = 1.1

WINDOW = question(0, 0) | {"user_id": f"{MARK}-user-77", "features": [[PRICE / 2, 0.5]] * 4}
FAILING = WINDOW | {"features": [[PRICE, PRICE]] * 4}
CANDLE = dict.fromkeys(("open", "high", "low", "close"), PRICE) | {"volume": 1.0, "timestamp": "2026-01-01T00:00:00Z"}
CANDLES = {"pair": "EUR/USD", "user_id": f"{MARK}-user-78", "data": [CANDLE] * 60}


def encoded(body: object) -> bytes:
    return json.dumps(body).encode()


PREDICTIONS = {
    "a window": (encoded(WINDOW), 200),
    "candles": (encoded(CANDLES), 422),  # two candles of one hour
    "too few candles": (encoded(CANDLES | {"data": [CANDLE]}), 422),
    "a string for a price": (encoded(CANDLES | {"data": [CANDLE | {"high": f"{MARK} {PRICE}"}]}), 422),
    "a price below its low": (encoded(CANDLES | {"data": [CANDLE | {"low": 2 * PRICE}]}), 422),
    "an invalid time": (encoded(CANDLES | {"data": [CANDLE | {"timestamp": MARK}]}), 422),
    "an unknown version": (encoded(WINDOW | {"version": f"{MARK}-version"}), 422),
    "an invalid user": (encoded(WINDOW | {"user_id": [f"{MARK}-user"]}), 422),
    "incomplete JSON": (encoded(CANDLES)[:-20], 400),
    "invalid UTF-8": (encoded(WINDOW).replace(b"-user-77", b"\xff\xfe"), 400),
    "a stage that fails": (encoded(FAILING), 200),  # v2 answers in its place
    "a stage that fails, of a named version": (encoded(FAILING | {"version": "v1"}), 503),
}

HEAD = b"POST /reversal/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
INVALID_HTTP = {
    "a token with a line separator": HEAD + f"Authorization: Bearer {MARK}\x0b\r\n\r\n".encode(),
    "a body longer than its length": HEAD + b"Content-Length: 2\r\n\r\n{}" + encoded(WINDOW) + b"\r\n\r\n",
    "a body without a head": encoded(WINDOW) + b"\r\n\r\n",
    "a chunk without its size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + encoded(WINDOW) + b"\r\n\r\n",
    "a query, and an invalid HTTP version": f"GET /metrics?user={MARK} HTTP/1.x\r\n\r\n".encode(),
}


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="defaults"),
        pytest.param(TOKENS, id="tokens", marks=pytest.mark.long),
        pytest.param(TOKENS | {"LOG_LEVEL": "debug"}, id="tokens and debug"),
    ],
)
def test_neither_log_nor_state_contains_what_was_sent(tmp_path: Path, settings: dict[str, str]) -> None:
    folder, state = tmp_path / "models", tmp_path / "state"
    bundles.write(folder, "v1", kind="raises")
    bundles.write(folder, "v2")
    bundles.write(folder, "v3", kind="raises", scale=(0.0, 0.5))  # it also fails for windows that v1 answers
    bundles.write_order(folder, "v1", "v2", "v3")
    state.mkdir()
    with serving("--models", str(folder), state=state, port=None, **settings) as server:
        assert start(server, "split", "v2", traffic_split=0.5) == 200
        for name, (body, status) in PREDICTIONS.items():
            assert ask(server, "POST", "/reversal/predict", body, API) == status, name
        assert start(server, "shadow", "v3", mode="shadow") == 200
        assert ask(server, "POST", "/reversal/predict", PREDICTIONS["a window"][0], API) == 200
        batch = encoded({"items": [WINDOW, FAILING, {MARK: 1}]})
        assert ask(server, "POST", "/reversal/predict/batch", batch, API) == 200
        assert ask(server, "POST", "/reversal/compare", encoded(FAILING), API) == 200
        ask_with_misplaced_secrets(server, guarded=bool(settings))
        for request in INVALID_HTTP.values():
            time.sleep(LOG_SECONDS)
            send(server, request)
        assert ask(server, "POST", "/reversal/experiments/shadow/stop", b"", ADMIN) == 200
        log = server.stop()
    assert server.process.returncode == 0
    # Failures are logged.
    assert len(events(log, "request_unreadable")) >= len(INVALID_HTTP) - 1
    assert any(" version=v1 served_by=v2 " in line for line in events(log, "fallback_used"))
    assert any(" version=v3 " in line for line in events(log, "shadow_score_failed"))
    limited = ["address=127.0.0.1" in line for line in events(log, "address_rate_limited")]
    assert limited == ([True] if settings else [])
    # Answered requests are not logged.
    assert "aiohttp.access" not in log
    assert 'HTTP/1.1"' not in log
    # Nothing that was sent is logged or stored.
    assert not [line for line in log.splitlines() for mark in MARKS if mark in line]
    written = {path.name: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    assert {"state.db", "audit.jsonl"} <= set(written)
    caller = b"admin-" if settings else b'anybody"'  # plain-english: a value in the audit log
    assert b'"who":"' + caller in written["audit.jsonl"]  # plain-english: a field of the audit log
    assert not [name for name, held in written.items() for mark in MARKS if mark.encode() in held]


def ask_with_misplaced_secrets(server: Server, *, guarded: bool) -> None:
    """Send requests with secrets in unexpected places. `guarded`: whether the server has tokens."""
    window = encoded(WINDOW)
    assert ask(server, "POST", "/reversal/predict", window, API, Content_Type=f"text/{MARK}") == 415
    assert ask(server, "POST", "/reversal/predict", window, API, Content_Encoding="gzip") == 400
    assert ask(server, "POST", "/reversal/predict", window, API, X_Request_Timeout_Ms=MARK) == 422
    assert ask(server, "POST", f"/reversal/nothing?user={MARK}", window, API) == 404
    assert ask(server, "POST", f"/reversal/models/v2/load?token={ADMIN}", b"", ADMIN) == 200
    outcome = {"prediction_id": f"{MARK}-prediction", "outcome": MARK, "pnl_pips": PRICE}
    # The answer is 200, with an error for the outcome.
    assert ask(server, "POST", "/reversal/outcomes", encoded({"outcomes": [outcome]}), API) == 200
    assert ask(server, "POST", "/reversal/experiments/split/evaluate", encoded(CANDLES), API) == 422
    for _ in range(LIMIT + 1 if guarded else 0):
        assert ask(server, "POST", "/reversal/predict", window, f"{MARK}-guess") in {401, 429}
    load, page = "/reversal/models/v2/load", f"http://[{MARK}]"
    # The API token is not allowed to load. A server without tokens refuses the origin.
    assert ask(server, "POST", load, b"", API, Origin=page) == 403


def start(server: Server, experiment_id: str, variant_b: str, **fields: object) -> int:
    """Create and activate an experiment, which stops the active one."""
    body = {"experiment_id": experiment_id, "name": "Test", "variant_a": "v1", "variant_b": variant_b} | fields
    assert ask(server, "POST", "/reversal/experiments", encoded(body), ADMIN) == 201
    return ask(server, "POST", f"/reversal/experiments/{experiment_id}/activate", b"", ADMIN)


def ask(server: Server, method: str, path: str, body: bytes, token: str, **headers: str) -> int:
    """Send a request. Returns the status of the answer."""
    given = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(server.url).netloc, timeout=30)
    try:
        connection.request(method, path, body, given)
        return connection.getresponse().status
    finally:
        connection.close()


def send(server: Server, request: bytes) -> None:
    """Send a valid request and then invalid HTTP, and wait until the server closes the connection."""
    parts = urllib.parse.urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), 10) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        connection.sendall(request)
        while connection.recv(4096):
            pass
