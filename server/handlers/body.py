"""Reading a request's body."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from aiohttp import web

from server.deadline import late, within
from server.errors import MalformedJson, UnsupportedMediaType
from server.keys import BATCH_ADMISSION
from server.pause import pause

# What aiohttp unpacks. It answers br and zstd itself, before any handler.
_ENCODINGS = ("", "identity", "gzip", "deflate")
_WHOLE = "its body had come"
# 2,000 candles with every digit that a number can have are 400 kB. What exceeds this takes a batch's place, of which
# there are few: bodies of 32 MiB for all that may be in hand would be gigabytes.
LARGE = 1 << 20


async def read_json(request: web.Request, until: float = math.inf, places: ExitStack | None = None) -> bytes:
    """The body's bytes, unpacked, and valid UTF-8; `places` as in `read_bytes`.

    No content type at all is taken for JSON; another one, or a packing that cannot be undone, raises
    UnsupportedMediaType. Raises MalformedJson for a body that is not what its headers say, and DeadlineExceeded.
    """
    _check_type(request)
    body = await read_bytes(request, until, places)
    check_text(body)
    return body


async def read_bytes(request: web.Request, until: float = math.inf, places: ExitStack | None = None) -> bytes:
    """The body's bytes, unpacked; raises UnsupportedMediaType, MalformedJson or DeadlineExceeded where that fails.

    One that is large needs the place of a batch, for as long as `places` are held: raises Overloaded. Without them it
    needs none, as the keeper's bodies have theirs in a worker.
    """
    _check_packing(request)
    if request.content.is_eof():  # nearly always, and then there is nothing to wait for
        with _readable():
            return await request.read()
    return bytes(await _received(request, until, places))


async def read_large(request: web.Request, until: float) -> bytearray:
    """As `read_json`, but for `check_text`; whoever calls it holds a batch's place already."""
    _check_type(request)
    _check_packing(request)
    return await _received(request, until, None)


async def _received(request: web.Request, until: float, places: ExitStack | None) -> bytearray:
    """Take a body as it comes, so that the event loop never stands still for long.

    aiohttp's own `read` takes as many megabytes at once as have arrived, and copies all of them at the end.
    """
    most = request.client_max_size
    if (request.content_length or 0) > most:
        raise web.HTTPRequestEntityTooLarge(most, request.content_length or 0)
    body = bytearray()
    with _readable():
        async with within(until):
            async for piece in request.content.iter_any():
                if places is not None and len(body) <= LARGE < len(body) + len(piece):
                    places.enter_context(request.app[BATCH_ADMISSION].held())
                body += piece
                if len(body) > most:
                    raise web.HTTPRequestEntityTooLarge(most, len(body))
                await pause()  # in which the next piece is received
    return body


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise late(_WHOLE) from None
    except (web.RequestPayloadError, ConnectionError) as error:
        raise _unreadable(error) from None


def check_text(body: bytes | bytearray) -> None:
    """Raise MalformedJson where it is not UTF-8: the decoder looks only into the texts that it keeps."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise MalformedJson(f"the body is not JSON: invalid UTF-8 (byte {error.start})") from None


def _check_type(request: web.Request) -> None:
    given = request.headers.get("Content-Type")
    if given and given != "application/json" and request.content_type != "application/json":
        raise UnsupportedMediaType(f"content type {given!r} is not supported, application/json is")


def _check_packing(request: web.Request) -> None:
    packing = request.headers.get("Content-Encoding")
    if packing is not None and packing.lower() not in _ENCODINGS:
        raise UnsupportedMediaType(f"content encoding {packing!r} is not supported, gzip and deflate are")


def _unreadable(error: web.RequestPayloadError | ConnectionError) -> MalformedJson:
    if isinstance(error, ConnectionError):  # nobody is left to read this, but aiohttp logs what it gets as our error
        return MalformedJson("the client closed the connection before the body was whole")
    return MalformedJson(f"the body cannot be read: {_reason(error)}")


def _reason(error: web.RequestPayloadError) -> str:
    """aiohttp's text without its status line: `400, message:` and then the reason, indented."""
    return str(error).rpartition("message:")[2].strip()
