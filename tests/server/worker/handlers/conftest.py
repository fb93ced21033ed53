"""Handlers are tested on both kinds of connections: those with the fast path, and those without it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.http.connections.connection import HttpConnection
from server.http.connections.plain import PlainConnection
from server.http.connections.runner import HttpRunner
from server.worker.fast_path.connection import FastConnection
from tests.server.client import KEEP_ALIVE_SECONDS, Client


class ServerOfKind(TestServer):
    """Serves an application on connections of a kind, as a worker does."""

    def __init__(self, app: web.Application, kind: type[HttpConnection]) -> None:
        super().__init__(app)
        self._kind = kind

    async def _make_runner(self, **options: Any) -> web.BaseRunner:  # noqa: ANN401 - as aiohttp has it
        return HttpRunner(self.app, self._kind, keepalive_timeout=KEEP_ALIVE_SECONDS, **options)


@pytest.fixture(params=[FastConnection, PlainConnection], ids=["fast path", "plain"])
def aiohttp_client(
    request: pytest.FixtureRequest, aiohttp_client: Callable[[TestServer], Awaitable[Client]]
) -> Callable[[web.Application], Awaitable[Client]]:
    """Replaces aiohttp's fixture, so that these tests run on both kinds of connections."""

    async def serve(app: web.Application) -> Client:
        return await aiohttp_client(ServerOfKind(app, request.param))

    return serve
