"""What the parser has found is told in words that quote nothing."""

from __future__ import annotations

import pytest
from aiohttp.http_exceptions import (
    BadHttpMessage,
    BadHttpMethod,
    BadStatusLine,
    HttpProcessingError,
    InvalidURLError,
    LineTooLong,
)

from server.http.connections.faults import fault_of

MARK = "marked"
QUOTE = f":\n\n  b'{MARK}'\n   ^"
FOUND: list[tuple[HttpProcessingError | None, str, str]] = [
    (BadHttpMessage(f"Invalid header token{QUOTE}"), "MALFORMED_REQUEST", "invalid header token"),
    (BadHttpMessage(f"Content-Length can't be present with X{QUOTE}"), "MALFORMED_REQUEST", "Content-Length can't"),
    (BadHttpMessage("Missing 'Host' header in request."), "MALFORMED_REQUEST", "Host"),
    (BadHttpMessage(f"Duplicate '{MARK}' header"), "MALFORMED_REQUEST", "HTTP"),
    (BadHttpMethod(error=f"Invalid method encountered{QUOTE}"), "MALFORMED_REQUEST", "invalid method"),
    (BadHttpMethod(error="Received HTTPS traffic on an HTTP port"), "MALFORMED_REQUEST", "HTTPS"),
    (BadStatusLine(error=f"Bad status line:\n  Invalid HTTP version{QUOTE}"), "HTTP_VERSION_NOT_SUPPORTED", ""),
    (BadStatusLine(error=f"Bad status line:\n  Expected HTTP/{QUOTE}"), "MALFORMED_REQUEST", "expected HTTP/"),
    (BadStatusLine(f"{MARK} HTTP/1.1"), "MALFORMED_REQUEST", "HTTP"),
    (InvalidURLError(f"http://x:{MARK}/"), "MALFORMED_REQUEST", "URL"),
    (LineTooLong(MARK.encode(), 8190), "MALFORMED_REQUEST", "too long"),
    (None, "MALFORMED_REQUEST", "HTTP"),
]


@pytest.mark.parametrize(("error", "code", "part"), FOUND)
def test_a_fault_has_its_code_and_reason_but_no_quote(error: HttpProcessingError | None, code: str, part: str) -> None:
    fault = fault_of(error)
    assert fault.code == code
    assert part in fault.message
    assert MARK not in fault.message
    assert "\n" not in fault.message
