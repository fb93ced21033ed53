"""The class of a worker's connections: with the fast path, if the installed aiohttp has what it needs."""

from __future__ import annotations

import logging

from aiohttp.http_parser import HttpRequestParser
from aiohttp.web_protocol import RequestHandler

from core.log_event import LogEvent
from server.http.connections.connection import HttpConnection
from server.http.connections.plain import PlainConnection
from server.worker.fast_path.connection import PARSER, PRIVATE, FastConnection

log = logging.getLogger(__name__)


def missing() -> list[str]:
    """Attributes that the fast path needs, and that the installed aiohttp lacks or uses for something else."""
    absent = [f"RequestHandler.{name}" for name in PRIVATE if not hasattr(RequestHandler, name)]
    absent += [f"HttpRequestParser.{name}" for name in PARSER if not hasattr(HttpRequestParser, name)]
    own = {name for kind in (HttpConnection, PlainConnection, FastConnection) for name in kind.__slots__}
    return absent + [f"RequestHandler without {name}" for name in sorted(own) if hasattr(RequestHandler, name)]


def kind_of_connection(*, fast_path: bool, tracing: bool = False) -> type[HttpConnection]:
    """The class of connections: with the fast path if it is wanted and the installed aiohttp supports it.

    tracing: whether requests are traced. Only the fast path needs a class for that, the other one has middleware.
    """
    if not fast_path:
        return PlainConnection
    if absent := missing():
        log.warning(LogEvent("fast_path_disabled", missing=absent, effect="predictions take longer"))
        return PlainConnection
    if tracing:
        from server.worker.tracing.connection import TracedConnection  # noqa: PLC0415 - it extends FastConnection

        return TracedConnection
    return FastConnection
