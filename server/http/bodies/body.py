"""Reading a request's body, in pieces between which the event loop turns."""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from aiohttp import web

from server.http.app_keys import BATCH_ADMISSION, BODY_BOUNDS
from server.http.bodies import sizes
from server.http.bodies.unpacking import PACKINGS, Unpacking
from server.http.deadline import deadline, late, within
from server.http.errors import MalformedJson, PayloadTooLarge, UnsupportedMediaType
from server.http.fairness import let_others_run

# What an application that reads bodies here asks of its connections. aiohttp would unpack a body while it parses it,
# also one that no handler reads, and in one go when one is read: 33 kB become 32 MiB without a turn of the loop.
CONNECTIONS: Mapping[str, Any] = {"auto_decompress": False}

_PLAIN = ("", "identity")
_WHOLE = "its body had come"
# 2,000 candles with every digit that a number can have are 400 kB. What exceeds this takes a batch's place, of which
# there are few: bodies of 32 MiB for all that may be in hand would be gigabytes.
LARGE = 1 << 20


async def read_json(request: web.Request, until: float | None = None, places: ExitStack | None = None) -> bytes:
    """The body's bytes, unpacked, and valid UTF-8; `places` as in `read_bytes`.

    until: when it must have come, of time.perf_counter; by default as the application's BODY_BOUNDS say.

    No content type at all is taken for JSON; another one, or a packing that cannot be undone, raises
    UnsupportedMediaType. Raises PayloadTooLarge past what the endpoint may be sent, MalformedJson for a body that is
    not what its headers say, and DeadlineExceeded.
    """
    until = _until(request) if until is None else until
    _check_type(request)
    packing = _packing(request)
    if _has_come(request, packing):  # nearly always, and then there is nothing to wait for
        body = _taken(request)
        check_text(body)
        return body
    return bytes(await _received(request, packing, until, places, _Text()))


async def read_bytes(request: web.Request, until: float | None = None, places: ExitStack | None = None) -> bytes:
    """The body's bytes, unpacked; `until` and what is raised as in `read_json`.

    One that is large needs the place of a batch, for as long as `places` are held: raises Overloaded. Without them it
    needs none, as the keeper's bodies have theirs in a worker.
    """
    until = _until(request) if until is None else until
    packing = _packing(request)
    if _has_come(request, packing):
        return _taken(request)
    return bytes(await _received(request, packing, until, places, None))


async def read_large(request: web.Request, until: float) -> bytearray:
    """As `read_json`, but without a copy of it all; the caller holds a batch's place already."""
    _check_type(request)
    return await _received(request, _packing(request), until, None, _Text())


def _until(request: web.Request) -> float:
    milliseconds = request.app[BODY_BOUNDS].timeout_ms
    return math.inf if milliseconds is None else deadline(request.headers, milliseconds)


def _has_come(request: web.Request, packing: str | None) -> bool:
    return packing is None and request.content.is_eof()


def _taken(request: web.Request) -> bytes:
    """A body that has come. aiohttp holds no more than half a megabyte of one that is not read."""
    with _readable():
        body = request.content.read_nowait()
    _check_size(request, len(body))
    return body


async def _received(
    request: web.Request, packing: str | None, until: float, places: ExitStack | None, text: _Text | None
) -> bytearray:
    """Take a body as it comes, so that the event loop never stands still for long.

    aiohttp's own `read` takes as many megabytes at once as have arrived, and copies all of them at the end.
    """
    _check_size(request, request.content_length or 0)
    body = bytearray()
    came = 0
    unpacking = None if packing is None else Unpacking(packing)
    with _readable():
        async with within(until):
            async for piece in request.content.iter_any():
                came += len(piece)
                _check_size(request, came)
                steps: Iterable[bytes] = (piece,) if unpacking is None else unpacking.steps(piece)
                for step in steps:
                    if places is not None and len(body) <= LARGE < len(body) + len(step):
                        places.enter_context(request.app[BATCH_ADMISSION].held())
                    _check_size(request, len(body) + len(step))
                    if text is not None:
                        text.check(step)
                    body += step
                    await let_others_run()  # in which the next piece is received
    if unpacking is not None:
        unpacking.end()
    if text is not None:
        text.check(b"", last=True)
    return body


class _Text:
    """Whether what comes in pieces is UTF-8. Decoding 32 MiB at once would take up to 128 MiB and 40 ms."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._passed = 0

    def check(self, piece: bytes, *, last: bool = False) -> None:
        """Raise MalformedJson where it is not."""
        begun = len(self._decoder.getstate()[0])  # bytes of a character that is not whole yet
        try:
            self._decoder.decode(piece, last)
        except UnicodeDecodeError as error:
            raise no_text(self._passed - begun + error.start) from None
        self._passed += len(piece)


def check_text(body: bytes) -> None:
    """Raise MalformedJson where it is not UTF-8: the decoder looks only into the texts that it keeps."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise no_text(error.start) from None


def no_text(byte: int) -> MalformedJson:
    """The error for a body that is not UTF-8 from a byte on."""
    return MalformedJson(f"the body is not JSON: invalid UTF-8 (byte {byte})")


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise late(_WHOLE) from None
    except (web.RequestPayloadError, ConnectionError) as error:
        raise _unreadable(error) from None


def _check_size(request: web.Request, size: int) -> None:
    resource = request.match_info.route.resource
    pattern = "" if resource is None else resource.canonical
    most = request.app[BODY_BOUNDS].largest.get(pattern, sizes.SMALL)
    if size > most:
        raise PayloadTooLarge(f"the body is larger than the {most:,} bytes that {request.path} takes")


def _check_type(request: web.Request) -> None:
    given = request.headers.get("Content-Type")
    if given and given != "application/json" and request.content_type != "application/json":
        raise UnsupportedMediaType(f"content type {given!r} is not supported, application/json is")


def _packing(request: web.Request) -> str | None:
    """How the body is packed. Raises UnsupportedMediaType where that cannot be undone."""
    given = request.headers.get("Content-Encoding")
    if given is None or given.lower() in _PLAIN:
        return None
    if given.lower() not in PACKINGS:
        raise UnsupportedMediaType(f"content encoding {given!r} is not supported, gzip and deflate are")
    return given.lower()


def _unreadable(error: web.RequestPayloadError | ConnectionError) -> MalformedJson:
    if isinstance(error, ConnectionError):  # nobody is left to read this, but aiohttp logs what it gets as our error
        return MalformedJson("the client closed the connection before the body was whole")
    return MalformedJson(f"the body cannot be read: {_reason(error)}")


def _reason(error: web.RequestPayloadError) -> str:
    """aiohttp's text without its status line: `400, message:` and then the reason, indented."""
    return str(error).rpartition("message:")[2].strip()
