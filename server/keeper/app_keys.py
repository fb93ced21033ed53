"""Keys of the objects that the keeper's handlers find in its application."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from core.bundles.repository import Repository
from server.keeper.audit import Audit
from server.keeper.changes import Changes
from server.keeper.dashboard.hub import Hub
from server.keeper.fleet.members import Members
from server.keeper.fleet.replicas import Replicas
from server.keeper.reports.reporter import Reporter
from server.keeper.store_access import StoreAccess
from server.keeper.tracing.collecting import Collector

STORE = web.AppKey("store", StoreAccess)
REPLICAS = web.AppKey("replicas", Replicas)
REPORTER = web.AppKey("reporter", Reporter)
CHANGES = web.AppKey("changes", Changes)
MEMBERS = web.AppKey("members", Members)
REPOSITORY = web.AppKey("repository", Repository)
COLLECTOR = web.AppKey("collector", Collector)
SHARED: web.AppKey[Path | None] = web.AppKey("shared", Path)  # the folder that the server's processes share
HUB = web.AppKey("hub", Hub)
AUDIT = web.AppKey("audit", Audit)
