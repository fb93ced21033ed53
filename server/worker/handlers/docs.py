"""The page on which the API can be read and tried. It needs no token; what it shows and sends does."""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web

from server.api.page.files import GUARDED_PAGE, PACKAGE, PAGE, page_files
from server.http.app_keys import SETTINGS
from server.http.errors import NotFound
from server.http.files import CONTENT_SECURITY_POLICY, sent

# Not answered as files, because they are only correct at /docs.
_PAGES = {PAGE, GUARDED_PAGE}


async def show_page(request: web.Request) -> web.Response:
    """GET /docs."""
    files = await asyncio.to_thread(page_files)
    page = files[GUARDED_PAGE if request.app[SETTINGS].guarded else PAGE]
    return await sent(request, page, {hdrs.CONTENT_SECURITY_POLICY: CONTENT_SECURITY_POLICY})


async def show_file(request: web.Request) -> web.Response:
    """GET /docs/{file}."""
    files = await asyncio.to_thread(page_files)
    name = request.match_info["file"]
    if name not in files.keys() - _PAGES:
        known = ", ".join(sorted(files.keys() - _PAGES))
        raise NotFound(f"the page has no such file; it has {known} (more if the package {PACKAGE} is installed)")
    return await sent(request, files[name])
