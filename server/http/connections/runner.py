"""Serves an application on connections of this server's own classes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

from server.auth.client_address import ClientAddresses
from server.http.app_keys import CLIENT_ADDRESSES, REFUSALS, SETTINGS
from server.http.connections.connection import HttpConnection
from server.http.connections.faults import checked
from server.http.errors import Refusals
from server.http.request_log import access_log


class _Server(web.Server):
    """The server `usual`, with connections that `make` makes."""

    def __init__(
        self,
        usual: web.Server,
        make: Callable[[web.Server], HttpConnection],
        refusals: Refusals,
        addresses: ClientAddresses | None,
    ) -> None:
        """`addresses`: of clients, for the access log; None if there is none."""
        super().__init__(
            checked(usual.request_handler, refusals),
            request_factory=self._begin,
            handler_cancellation=usual.handler_cancellation,
        )
        self._usual = usual
        self._make = make
        self._addresses = addresses

    def __call__(self) -> RequestHandler:
        return self._make(self)

    def _begin(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> BaseRequest:
        if isinstance(protocol, HttpConnection):
            protocol.begin(payload)
        request = self._usual.request_factory(message, payload, protocol, writer, task)
        if self._addresses is not None:
            access_log.begin(request, self._addresses)
        return request

    @property
    def connections(self) -> list[RequestHandler]:
        return self._usual.connections

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        self._usual.connection_made(handler, transport)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        self._usual.connection_lost(handler, exc)


class HttpRunner(web.AppRunner):
    """Runs an application on connections of a given class."""

    def __init__(
        self,
        app: web.Application,
        kind: type[HttpConnection],
        *,
        shutdown_timeout: float = 60.0,
        handler_cancellation: bool = False,
        **options: Any,  # noqa: ANN401 - passed on
    ) -> None:
        """`options`: of the connections."""
        super().__init__(app, shutdown_timeout=shutdown_timeout, handler_cancellation=handler_cancellation)
        self._make = partial(kind.maker(app), **access_log.options(wanted=app[SETTINGS].access_log), **options)
        self._refusals = app[REFUSALS]
        self._addresses = app[CLIENT_ADDRESSES] if app[SETTINGS].access_log else None
        self._ours: _Server | None = None

    @property
    def server(self) -> web.Server | None:
        """The server that the sites accept connections for; None before `setup`, and after `cleanup`."""
        usual = super().server
        if usual is None:
            return None
        if self._ours is None:
            self._ours = _Server(usual, self._make, self._refusals, self._addresses)
        return self._ours

    @property
    def in_progress(self) -> int:
        """The number of connections with a request in progress."""
        connections = self.server.connections if self.server is not None else ()
        return sum(isinstance(each, HttpConnection) and each.in_progress for each in connections)
