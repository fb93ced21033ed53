"""Reading a request's body."""

from __future__ import annotations

from aiohttp import web

from server.errors import UnsupportedMediaType


async def read_json(request: web.Request) -> bytes:
    """The body's bytes. No content type at all is taken for JSON; another one raises UnsupportedMediaType."""
    if "Content-Type" in request.headers and request.content_type != "application/json":
        raise UnsupportedMediaType(f"content type {request.content_type!r} is not supported, application/json is")
    return await request.read()
