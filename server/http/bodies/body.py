"""Reading a request's body in pieces, so that the event loop runs other tasks in between."""

from __future__ import annotations

import asyncio
import codecs
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from aiohttp import web

from core.errors import quoted
from server.http.app_keys import BODY_BOUNDS, BODY_MEMORY
from server.http.bodies import sizes
from server.http.bodies.malformed import no_text
from server.http.bodies.memory import Share
from server.http.bodies.unpacking import PACKINGS, Unpacking
from server.http.deadline import deadline, late, within
from server.http.errors import MalformedJson, PayloadTooLarge, UnsupportedMediaType
from server.http.fairness import let_others_run

# The options that an application with these bodies must set on its connections. By default aiohttp decompresses every
# body, even one that no handler reads, and all of it at once: 33 kB become 32 MiB while all other tasks wait.
CONNECTIONS: Mapping[str, Any] = {"auto_decompress": False}

JSON, BINARY = "application/json", "application/octet-stream"
_NOT_COMPRESSED = ("", "identity")
_WHOLE = "its body had arrived"
# 2,000 candles with every digit that a number can have are 400 kB. The memory of larger bodies is counted: bodies of
# 32 MiB for all requests that may be in progress would take gigabytes.
LARGE = 1 << 20
_HEAD = 4  # the bytes by which a compressed body is known


async def read_json(request: web.Request, until: float | None = None, places: ExitStack | None = None) -> bytes:
    """The body's bytes, decompressed and checked to be UTF-8; `places` as in `read_bytes`.

    until: its deadline, in terms of time.perf_counter; the default is that of the application's BODY_BOUNDS.

    A request without a content type is taken for JSON. Another type, or an encoding other than gzip and deflate, raises
    UnsupportedMediaType. Raises PayloadTooLarge if the body is larger than the endpoint takes, MalformedJson if it is
    not what its headers say, and DeadlineExceeded.
    """
    until = _until(request) if until is None else until
    _check_type(request)
    packing = _packing(request)
    if _has_come(request, packing):  # nearly always: there is nothing to wait for
        body = _taken(request)
        check_text(body)
        return body
    return bytes(await _received(request, packing, until, places, _Text()))


async def read_bytes(request: web.Request, until: float | None = None, places: ExitStack | None = None) -> bytes:
    """The body's bytes, decompressed; `until` and the errors are as in `read_json`.

    A large body takes memory (BODY_MEMORY), which `places` gives back; raises Overloaded if there is none. Without
    `places` it is not counted: a body that the keeper reads is counted in a worker.
    """
    until = _until(request) if until is None else until
    packing = _packing(request)
    if _has_come(request, packing):
        return _taken(request)
    return bytes(await _received(request, packing, until, places, None))


async def read_tensors(request: web.Request, until: float, places: ExitStack) -> bytes | bytearray:
    """A body that is JSON, binary data, or both; as `read_bytes`, but a large one without a copy."""
    _check_type(request, JSON, BINARY)
    packing = _packing(request)
    if _has_come(request, packing):
        return _taken(request)
    return await _received(request, packing, until, places, None)


async def read_large(request: web.Request, until: float, places: ExitStack) -> bytearray:
    """As `read_json`, but without a copy of the body."""
    _check_type(request)
    return await _received(request, _packing(request), until, places, _Text())


def _until(request: web.Request) -> float:
    milliseconds = request.app[BODY_BOUNDS].timeout_ms
    return math.inf if milliseconds is None else deadline(request.headers, milliseconds)


def _has_come(request: web.Request, packing: str | None) -> bool:
    return packing is None and request.content.is_eof()


def _taken(request: web.Request) -> bytes:
    """A body that has arrived. aiohttp buffers at most half a megabyte of a body that is not read."""
    with _readable():
        body = request.content.read_nowait()
    _check_size(request, len(body))
    return body


async def _received(
    request: web.Request, packing: str | None, until: float, places: ExitStack | None, text: _Text | None
) -> bytearray:
    """Read a body as it arrives, so that the event loop is never blocked for long.

    aiohttp's own `read` takes all megabytes that have arrived at once, and copies all of them at the end.
    """
    _check_size(request, request.content_length or 0)
    body = bytearray()
    came = 0
    since = time.monotonic()
    share: Share | None = None
    unpacking = None if packing is None else Unpacking(packing)
    with _readable(), _given_up(lambda: share):
        async with within(until) as timer:
            async for piece in request.content.iter_any():
                came += len(piece)
                _check_size(request, came)
                steps: Iterable[bytes] = (piece,) if unpacking is None else unpacking.steps(piece)
                for step in steps:
                    _check_size(request, len(body) + len(step))
                    if places is not None and len(body) + len(step) > LARGE:
                        if share is None:
                            share = _share(request, since, timer, places)
                            share.take(len(body))
                        share.take(len(step))
                    if text is not None:
                        text.check(step)
                    body += step
                    await let_others_run()  # the next piece is received meanwhile
    if share is not None:
        share.arrived()
    if unpacking is not None:
        unpacking.end()
    if text is not None:
        text.check(b"", last=True)
    return body


def _share(request: web.Request, since: float, timer: asyncio.Timeout, places: ExitStack) -> Share:
    """The memory of a large body. `timer`: of its arrival, which ends at once if the body is given up."""
    loop = asyncio.get_running_loop()
    share = request.app[BODY_MEMORY].share(since, lambda: timer.reschedule(loop.time()))
    places.callback(share.end)
    return share


@contextmanager
def _given_up(share: Callable[[], Share | None]) -> Iterator[None]:
    """Raise the refusal of a body that was given up in place of the end of its time."""
    try:
        yield
    except TimeoutError:
        given_up = share()
        if given_up is not None and given_up.refusal is not None:
            raise given_up.refusal from None
        raise


class _Text:
    """Checks that a body is UTF-8, piece by piece. Decoding 32 MiB at once would take up to 128 MiB and 40 ms."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._passed = 0
        self._head = b""  # its first bytes

    def check(self, piece: bytes, *, last: bool = False) -> None:
        """Raise MalformedJson if the next piece is not UTF-8."""
        if len(self._head) < _HEAD:
            self._head += piece[:_HEAD]
        begun = len(self._decoder.getstate()[0])  # bytes of an incomplete character
        try:
            self._decoder.decode(piece, last)
        except UnicodeDecodeError as error:
            raise no_text(self._passed - begun + error.start, self._head) from None
        self._passed += len(piece)


def check_text(body: bytes) -> None:
    """Raise MalformedJson if a body is not UTF-8: the JSON decoder checks only the strings that it keeps."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise no_text(error.start, body) from None


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
        raise PayloadTooLarge(f"the body is larger than the {most:,} bytes that {request.path} takes; send less")


def _check_type(request: web.Request, *types: str) -> None:
    """Raise UnsupportedMediaType unless the body is of one of these types, or of JSON if there are none."""
    given = request.headers.get("Content-Type")
    if given and given != JSON and request.content_type not in (types or (JSON,)):
        advice = " or ".join(types or (JSON,))
        raise UnsupportedMediaType(f"content type {quoted(given)} is not supported; send Content-Type: {advice}")


def _packing(request: web.Request) -> str | None:
    """The compression of the body; null if there is none. Raises UnsupportedMediaType for an unknown one."""
    given = request.headers.get("Content-Encoding")
    if given is None or given.lower() in _NOT_COMPRESSED:
        return None
    if given.lower() not in PACKINGS:
        advice = "send Content-Encoding: gzip or deflate, or leave it out"
        raise UnsupportedMediaType(f"content encoding {quoted(given)} is not supported; {advice}")
    return given.lower()


def _unreadable(error: web.RequestPayloadError | ConnectionError) -> MalformedJson:
    if isinstance(error, ConnectionError):  # no client reads this; aiohttp would log a ConnectionError as our failure
        return MalformedJson("the client closed the connection before the body was complete")
    return MalformedJson(f"the body cannot be read: {_reason(error)}")


def _reason(error: web.RequestPayloadError) -> str:
    """aiohttp's text without its first line: the reason follows `400, message:` and is indented."""
    return str(error).rpartition("message:")[2].strip()
