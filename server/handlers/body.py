"""Reading a request's body."""

from __future__ import annotations

from aiohttp import web

from server.errors import MalformedJson, UnsupportedMediaType

# What aiohttp unpacks. It answers br and zstd itself, before any handler.
_ENCODINGS = ("", "identity", "gzip", "deflate")


async def read_json(request: web.Request) -> bytes:
    """The body's bytes, unpacked, and valid UTF-8.

    No content type at all is taken for JSON; another one, or a packing that cannot be undone, raises
    UnsupportedMediaType. Raises MalformedJson for a body that is not what its headers say.
    """
    headers = request.headers
    if headers.get("Content-Type") and request.content_type != "application/json":
        raise UnsupportedMediaType(f"content type {headers['Content-Type']!r} is not supported, application/json is")
    body = await read_bytes(request)
    try:
        body.decode()  # the decoder looks only into the texts that it keeps
    except UnicodeDecodeError as error:
        raise MalformedJson(f"the body is not JSON: invalid UTF-8 (byte {error.start})") from None
    return body


async def read_bytes(request: web.Request) -> bytes:
    """The body's bytes, unpacked; raises UnsupportedMediaType or MalformedJson where that fails."""
    packing = request.headers.get("Content-Encoding", "")
    if packing.lower() not in _ENCODINGS:
        raise UnsupportedMediaType(f"content encoding {packing!r} is not supported, gzip and deflate are")
    try:
        return await request.read()
    except web.RequestPayloadError as error:
        raise MalformedJson(f"the body cannot be read: {_reason(error)}") from None
    except ConnectionError:  # nobody is left to read this, but aiohttp logs what a handler lets through as our error
        raise MalformedJson("the client closed the connection before the body was whole") from None


def _reason(error: web.RequestPayloadError) -> str:
    """aiohttp's text without its status line: `400, message:` and then the reason, indented."""
    return str(error).rpartition("message:")[2].strip()
