"""The report of an experiment, for programs as JSON and for people as a page."""

from __future__ import annotations

from aiohttp import web

from server.api.schemas.reports import DISAGREEMENTS, REPORT_FORMATS
from server.http.app_keys import CLOCK
from server.http.envelope import success
from server.keeper.app_keys import REPORTER
from server.keeper.handlers.named import experiment_id
from server.keeper.handlers.query import chosen


async def show_report(request: web.Request) -> web.Response:
    """GET /reversal/experiments/{id}/report?format=json|md|html&include=disagreements; the default is json."""
    name = experiment_id(request)
    chosen(request, "format", REPORT_FORMATS, "json")
    include = chosen(request, "include", [DISAGREEMENTS])
    found = await request.app[REPORTER].report(name, disagreements=include == DISAGREEMENTS)
    return success(found, request.app[CLOCK].now())
