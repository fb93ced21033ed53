"""A server answers the same with and without the fast path, except for the differences that docs/operating.md lists."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from tests.processes import Server, serving
from tests.system.load import message, question

# Headers that differ between answers of one server.
VOLATILE = (b"Date: ", b"Server-Timing: ", b"X-Request-Id: ")
TIMESTAMP = re.compile(rb'"timestamp":"[^"]*"')


PREDICT = "/reversal/predict"
BODY = re.sub(r"'", '"', str(question(0, 41))).encode()
MESSAGES = {
    "a prediction": message(PREDICT, BODY),
    "a raw prediction": message("/reversal/predict_raw", BODY, Content_Type="application/json"),
    "a legacy prediction": message("/predict", BODY),
    "another content type": message(PREDICT, BODY, Content_Type="text/plain"),
    "invalid JSON": message(PREDICT, b"{"),
    "invalid UTF-8": message(PREDICT, b'{"pair": "\xff"}'),
    "an empty body": message(PREDICT),
    "an unknown version": message(PREDICT, BODY.replace(b'"pair"', b'"version": "v9", "pair"')),
    "an invalid deadline": message(PREDICT, BODY, X_Request_Timeout_Ms="soon"),
    "another host": message(PREDICT, BODY, Host="evil.example"),
    "another origin": message(PREDICT, BODY, Origin="https://evil.example"),
    "another method": message(PREDICT, BODY, method="PUT"),
    "an unknown path": message("/nowhere", BODY),
    "invalid HTTP": b"POST /reversal/predict HTTP/1.1\r\nHost : x\r\n\r\n",
}


def raw(server: Server, sent: bytes) -> bytes:
    """Send bytes and return the whole answer."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(sent)
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(1 << 16)
        head, _, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        assert length is not None
        while len(body) < int(length[1]):
            body += connection.recv(1 << 16)
    return head + b"\r\n\r\n" + body


def stable(server: Server, sent: bytes) -> tuple[bytes, list[bytes], bytes]:
    """An answer's status line, headers and body, without the parts that differ between two answers."""
    head, _, body = raw(server, sent).partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    return status, sorted(each for each in headers if not each.startswith(VOLATILE)), TIMESTAMP.sub(b"", body)


def test_answers_are_the_same_with_and_without_the_fast_path(models: Path) -> None:
    arguments = ("--models", str(models))
    with serving(*arguments, REVERSAL_FAST_PATH="0") as plain, serving(*arguments) as fast:
        for name, sent in MESSAGES.items():
            assert stable(plain, sent) == stable(fast, sent), name
