"""What the keeper's handlers find in its application."""

from __future__ import annotations

from aiohttp import web

from server.keeper.audit import Audit
from server.keeper.keeper import Keeper

KEEPER = web.AppKey("keeper", Keeper)
AUDIT = web.AppKey("audit", Audit)
