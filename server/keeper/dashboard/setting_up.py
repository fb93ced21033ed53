"""Makes what the stream needs, in the keeper's application."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from server.http.app_keys import SETTINGS
from server.keeper.app_keys import CHANGES, HUB, MEMBERS, REPLICAS, REPORTER, STORE
from server.keeper.dashboard.condition import ThisServer
from server.keeper.dashboard.history import CountsHistory
from server.keeper.dashboard.hub import Hub


def add_hub(app: web.Application, shared: Path | None) -> None:
    """Add it. shared: the folder of the processes' metrics, if they share one."""
    server = ThisServer.starting(app[SETTINGS], app[STORE], app[MEMBERS], app[CHANGES], app[REPLICAS])
    hub = app[HUB] = Hub(server, CountsHistory(shared), app[REPORTER])

    async def end_streams(_: web.Application) -> None:
        hub.close()

    app.on_shutdown.append(end_streams)
