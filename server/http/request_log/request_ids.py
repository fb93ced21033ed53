"""Gives each request that takes aiohttp's path its id."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp.web_request import BaseRequest

from server.logs.request_id import HEADER, during, request_id

REQUEST_ID = web.RequestKey("request_id", str)


def id_of(request: BaseRequest) -> str:
    """The id of a request: that of its headers, or a new one. It stays the same."""
    found: str | None = request.get(REQUEST_ID)
    if found is None:
        found = request[REQUEST_ID] = request_id(request.headers)
    return found


def id_header(request: BaseRequest) -> dict[str, str]:
    """The header that gives the caller the id of its request."""
    return {HEADER: id_of(request)}


@web.middleware
async def with_request_id(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware that puts the request's id into all log lines of its work. It must be the first."""
    with during(id_of(request)):
        return await handler(request)
