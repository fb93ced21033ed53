"""The report of an experiment, for programs as JSON and for people as a page."""

from __future__ import annotations

import asyncio

from aiohttp import web

from server.api.schemas.reports import DISAGREEMENTS, REPORT_FORMATS
from server.http.app_keys import CLOCK
from server.http.envelope import Json, success
from server.keeper.app_keys import REPORTER
from server.keeper.handlers.urls import chosen, experiment_id


async def show_report(request: web.Request) -> web.Response:
    """GET /reversal/experiments/{id}/report?format=json|md|html&include=disagreements; the default is json."""
    name = experiment_id(request)
    form = chosen(request, "format", REPORT_FORMATS, "json")
    include = chosen(request, "include", [DISAGREEMENTS])
    found = await request.app[REPORTER].report(name, disagreements=include == DISAGREEMENTS)
    now = request.app[CLOCK].now()
    if form == "json":
        return success(found, now)
    text, headers = await asyncio.to_thread(_page, form, found, now.utc)
    return web.Response(text=text, content_type=REPORT_FORMATS[form], charset="utf-8", headers=headers)


def _page(form: str, found: Json, at: str) -> tuple[str, dict[str, str] | None]:
    """The page in this form, and its headers. The code is loaded with the first page, so that no start waits for it."""
    if form == "md":
        from core.reports.page.markdown_page import markdown  # noqa: PLC0415 - see above

        return markdown(found, at), None
    from core.reports.page.html_page import CONTENT_SECURITY_POLICY, html  # noqa: PLC0415 - see above

    return html(found, at), {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
