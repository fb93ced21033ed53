"""Reading a request's body."""

from __future__ import annotations

from aiohttp import web

from server.errors import MalformedJson, UnsupportedMediaType


async def read_json(request: web.Request) -> bytes:
    """The body's bytes. No content type at all is taken for JSON; another one raises UnsupportedMediaType.

    Raises MalformedJson for a body that cannot be unpacked as its headers say.
    """
    if "Content-Type" in request.headers and request.content_type != "application/json":
        raise UnsupportedMediaType(f"content type {request.content_type!r} is not supported, application/json is")
    try:
        return await request.read()
    except web.RequestPayloadError as error:
        raise MalformedJson(f"the body cannot be read: {_reason(error)}") from None


def _reason(error: web.RequestPayloadError) -> str:
    """aiohttp's text without its status line: `400, message:` and then the reason, indented."""
    return str(error).rpartition("message:")[2].strip()
