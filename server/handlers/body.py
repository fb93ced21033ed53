"""Reading a request's body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web

from server.errors import MalformedJson, UnsupportedMediaType
from server.pause import pause

# What aiohttp unpacks. It answers br and zstd itself, before any handler.
_ENCODINGS = ("", "identity", "gzip", "deflate")

T = TypeVar("T")


async def read_json(request: web.Request) -> bytes:
    """The body's bytes, unpacked, and valid UTF-8.

    No content type at all is taken for JSON; another one, or a packing that cannot be undone, raises
    UnsupportedMediaType. Raises MalformedJson for a body that is not what its headers say.
    """
    _check_type(request)
    body = await read_bytes(request)
    check_text(body)
    return body


async def read_bytes(request: web.Request) -> bytes:
    """The body's bytes, unpacked; raises UnsupportedMediaType or MalformedJson where that fails."""
    return await _read(request, web.Request.read)


async def read_large(request: web.Request) -> bytearray:
    """As `read_json`, but for `check_text`, and so that the event loop never stands still for long.

    aiohttp's own `read` takes as many megabytes at once as have arrived, and copies all of them at the end.
    """
    _check_type(request)
    return await _read(request, _in_pieces)


def check_text(body: bytes | bytearray) -> None:
    """Raise MalformedJson where it is not UTF-8: the decoder looks only into the texts that it keeps."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise MalformedJson(f"the body is not JSON: invalid UTF-8 (byte {error.start})") from None


def _check_type(request: web.Request) -> None:
    headers = request.headers
    if headers.get("Content-Type") and request.content_type != "application/json":
        raise UnsupportedMediaType(f"content type {headers['Content-Type']!r} is not supported, application/json is")


async def _read(request: web.Request, read: Callable[[web.Request], Awaitable[T]]) -> T:
    packing = request.headers.get("Content-Encoding", "")
    if packing.lower() not in _ENCODINGS:
        raise UnsupportedMediaType(f"content encoding {packing!r} is not supported, gzip and deflate are")
    try:
        return await read(request)
    except web.RequestPayloadError as error:
        raise MalformedJson(f"the body cannot be read: {_reason(error)}") from None
    except ConnectionError:  # nobody is left to read this, but aiohttp logs what a handler lets through as our error
        raise MalformedJson("the client closed the connection before the body was whole") from None


async def _in_pieces(request: web.Request) -> bytearray:
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > request.client_max_size:
            raise web.HTTPRequestEntityTooLarge(request.client_max_size, len(body))
        await pause()  # in which the next piece is received
    return body


def _reason(error: web.RequestPayloadError) -> str:
    """aiohttp's text without its status line: `400, message:` and then the reason, indented."""
    return str(error).rpartition("message:")[2].strip()
