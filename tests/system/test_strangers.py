"""Connections without a request are counted by a running server, and its log has one line a second of each kind."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.processes import starting
from tests.server.auth.certificates import write
from tests.waiting import wait_until

TIMES = 200
HANDSHAKE = bytes.fromhex("16030100a5010000a10303") + bytes(160)
# Each kind with the bytes that a stranger sends. It then closes or, if the bytes are None, resets.
PLAIN: dict[str, list[bytes | None]] = {
    "not_http": [b"\x00\xff" * 9, b"marked\r\n\r\n", HANDSHAKE],
    "silent": [b"", None, b"GET /livez HTTP/1.1\r\n"],
}
TLS: dict[str, list[bytes | None]] = {
    "tls": [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 99, HANDSHAKE],
    "silent": [b"", None, HANDSHAKE[:20]],
}
COUNT = r'connections_without_request_total\{kind="(\w+)"\} (\d+)'
EVENTS = {"not_http": "request_unreadable", "tls": "connection_failed", "silent": "connection_silent"}


def visit(port: int, sent: bytes | None) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as stranger:
        if sent is None:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        stranger.sendall(sent)
        stranger.shutdown(socket.SHUT_WR)
        try:
            while stranger.recv(1 << 16):
                pass
        except ConnectionResetError:  # the server closes with bytes unread
            pass


def counts(port: int, context: ssl.SSLContext | None) -> dict[str, int]:
    """The counts by kind; empty while the server does not answer."""
    url = f"http{'s' if context else ''}://127.0.0.1:{port}/metrics"
    try:
        with urllib.request.urlopen(url, context=context) as response:  # noqa: S310 - our own
            text = response.read().decode()
    except OSError:
        return {}
    return {kind: int(count) for kind, count in re.findall(COUNT, text)}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_strangers_are_counted_and_do_not_fill_the_log(tmp_path: Path, tls: bool) -> None:  # noqa: FBT001
    environ: dict[str, Any] = {}
    context = None
    if tls:
        authority = trustme.CA()
        certificate, key = write(tmp_path, authority, "127.0.0.1")
        environ = {"REVERSAL_TLS_CERTIFICATE": str(certificate), "REVERSAL_TLS_KEY": str(key)}
        context = ssl.create_default_context()
        authority.configure_trust(context)
    with starting("--log-level", "debug", **environ) as server:
        port = int(server.url.rpartition(":")[2])
        wait_until(lambda: bool(counts(port, context)))
        before = counts(port, context)
        kinds = TLS if tls else PLAIN
        began = time.monotonic()
        for i in range(TIMES):
            for sent in kinds.values():
                visit(port, sent[i % len(sent)])
        expected = {kind: before[kind] + TIMES * (kind in kinds) for kind in before}
        wait_until(lambda: all(counts(port, context)[kind] >= expected[kind] for kind in kinds))
        seconds = time.monotonic() - began
        log = server.stop()
    assert "marked" not in log
    assert "Traceback" not in log
    for kind in kinds:
        lines = re.findall(rf"{EVENTS[kind]} .*count=(\d+)", log)
        assert sum(map(int, lines)) >= TIMES, kind
        assert len(lines) <= 2 * (seconds + 3), kind
    assert Counter(re.findall(r"WARNING \S+ (\w+)", log)).keys() <= {"connection_failed", "models_not_chosen"}
