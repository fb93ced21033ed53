"""The report of an experiment, for programs as JSON and for people as a page."""

from __future__ import annotations

import asyncio

from aiohttp import web

from core.reports.page.html_page import CONTENT_SECURITY_POLICY, html
from core.reports.page.markdown_page import markdown
from server.api.schemas.reports import DISAGREEMENTS, REPORT_FORMATS
from server.http.app_keys import CLOCK
from server.http.envelope import success
from server.keeper.app_keys import REPORTER
from server.keeper.handlers.named import experiment_id
from server.keeper.handlers.query import chosen

_PAGES = {"md": markdown, "html": html}


async def show_report(request: web.Request) -> web.Response:
    """GET /reversal/experiments/{id}/report?format=json|md|html&include=disagreements; the default is json."""
    name = experiment_id(request)
    form = chosen(request, "format", REPORT_FORMATS, "json")
    include = chosen(request, "include", [DISAGREEMENTS])
    found = await request.app[REPORTER].report(name, disagreements=include == DISAGREEMENTS)
    now = request.app[CLOCK].now()
    if form == "json":
        return success(found, now)
    text = await asyncio.to_thread(_PAGES[form], found, now.utc)
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY} if form == "html" else None
    return web.Response(text=text, content_type=REPORT_FORMATS[form], charset="utf-8", headers=headers)
