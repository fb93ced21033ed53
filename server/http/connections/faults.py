"""What is wrong with a request as HTTP, and the answers that end its connection. They quote nothing of the request."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import HttpVersion10, HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import HttpProcessingError, InvalidURLError, LineTooLong
from aiohttp.web_request import BaseRequest

from core.errors import ServiceError
from server.http.errors import NO_ENDPOINT, ErrorAnswer, Refusals
from server.http.request_log.request_ids import id_of
from server.logs.request_id import during

# The parser's own words for its errors: a sentence without a value, then the line that it quotes.
_REASON = re.compile(r"(?:Bad status line:\n  )?([A-Z][\w `'/()+-]{0,80}):\n\n")
_WRONG_VERSION = re.compile(r"Invalid HTTP version|Expected dot|Invalid (?:major|minor) version|Pause on PRI")
# Whole messages of aiohttp, which quote nothing, in our words.
_KNOWN = {
    "Missing 'Host' header in request.": "the header Host is missing",
    "Received HTTPS traffic on an HTTP port": "this port speaks HTTP, not HTTPS",
}
_VERSIONS = (HttpVersion10, HttpVersion11)
# aiohttp keeps the bytes behind a request with this upgrade, and drops those behind any other.
_KEPT_UPGRADE = "websocket"
_CONTINUE = "100-continue"


class MalformedRequest(ServiceError):
    """The bytes are not an HTTP request."""

    code = "MALFORMED_REQUEST"


class VersionNotSupported(ServiceError):
    """The request is of another version of HTTP than 1.0 and 1.1."""

    code = "HTTP_VERSION_NOT_SUPPORTED"


class ExpectationFailed(ServiceError):
    """The request expects something that the server does not do."""

    code = "EXPECTATION_FAILED"


def fault_of(error: BaseException | None) -> ServiceError:
    """The fault that the parser has found, as an error for the client."""
    if isinstance(error, LineTooLong):
        return _malformed("a line of its head is too long")
    if isinstance(error, InvalidURLError):
        return _malformed("its URL is malformed")
    text = error.message if isinstance(error, HttpProcessingError) else ""
    found = _REASON.match(text)
    if found is None:
        return _malformed(_KNOWN.get(text, ""))
    reason = found[1]
    if _WRONG_VERSION.match(reason):
        return _version_not_supported()
    first = reason.partition(" ")[0]
    return _malformed(reason if "-" in first else first.lower() + reason[len(first) :])


def _malformed(reason: str) -> MalformedRequest:
    return MalformedRequest(f"the request is not valid HTTP{reason and f': {reason}'}")


def ends_connection(request: BaseRequest) -> bool:
    """Whether bytes behind a request cannot be trusted or are lost, so that its answer must be the last.

    An HTTP/1.0 proxy may take the bytes of a Transfer-Encoding for something else (RFC 9112, section 6.1).
    """
    headers = request.headers
    if request.version == HttpVersion10 and hdrs.TRANSFER_ENCODING in headers:
        return True
    wanted = headers.get(hdrs.UPGRADE)
    # Lower case is of ASCII only, as aiohttp compares it: the Kelvin sign has the lower case k.
    return wanted is not None and not (wanted.isascii() and wanted.lower() == _KEPT_UPGRADE)


def checked(
    handle: Callable[[BaseRequest], Awaitable[web.StreamResponse]], refusals: Refusals
) -> Callable[[BaseRequest], Awaitable[web.StreamResponse]]:
    """The handler of an application, for requests that it can answer; all others are refused."""

    async def answer(request: BaseRequest) -> web.StreamResponse:
        error = _refused(request)
        if error is None:
            return await handle(request)
        where = f"{request.method} {request.rel_url.raw_path}"
        with during(id_of(request)):
            return LastAnswer(refusals, refusals.answer(error, where, NO_ENDPOINT), id_of(request))

    return answer


def _refused(request: BaseRequest) -> ServiceError | None:
    if request.version not in _VERSIONS:
        return _version_not_supported()
    if hdrs.EXPECT in request.headers and request.version == HttpVersion11:  # HTTP/1.0 ignores the header
        expected = request.headers.getall(hdrs.EXPECT)
        if any(each.strip().lower() != _CONTINUE for each in expected):
            return ExpectationFailed(f"the header Expect has an unknown value; send {_CONTINUE} or leave it out")
    return None


def _version_not_supported() -> ServiceError:
    return VersionNotSupported("the version of HTTP is not supported; send HTTP/1.1")


class LastAnswer(web.Response):
    """A refusal that ends its connection. It has the same bytes as one that is written without aiohttp."""

    def __init__(self, refusals: Refusals, refused: ErrorAnswer, request_id: str) -> None:
        super().__init__(status=refused.status, body=refused.body)
        self.force_close()
        self._bytes = refusals.whole(refused, request_id, Connection="close")

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        """Write the answer."""
        if request.transport is None:
            raise ConnectionResetError
        head, blank, body = self._bytes.partition(b"\r\n\r\n")
        request.transport.write(head + blank + (b"" if request.method == hdrs.METH_HEAD else body))
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: the whole answer is written."""
