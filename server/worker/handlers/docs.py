"""The page on which the API can be read and tried. It needs no token; what it shows and sends does."""

from __future__ import annotations

import asyncio
import gzip
import re

from aiohttp import ETag, hdrs, web

from server.api.page.files import CONTENT_SECURITY_POLICY, GUARDED_PAGE, PACKAGE, PAGE, PageFile, page_files
from server.http.app_keys import SETTINGS
from server.http.errors import NotFound

# Browsers keep the files, and ask each time whether they are still valid: nothing of an older release is ever shown.
_CACHED = {hdrs.CACHE_CONTROL: "no-cache", hdrs.VARY: hdrs.ACCEPT_ENCODING}
_NOT_MODIFIED = 304
_REFUSED = re.compile(r"q=0(\.0*)?")
# Not answered as files, because they are only correct at /docs.
_PAGES = {PAGE, GUARDED_PAGE}


async def show_page(request: web.Request) -> web.Response:
    """GET /docs."""
    files = await asyncio.to_thread(page_files)
    response = await _answer(request, files[GUARDED_PAGE if request.app[SETTINGS].guarded else PAGE])
    response.headers[hdrs.CONTENT_SECURITY_POLICY] = CONTENT_SECURITY_POLICY
    return response


async def show_file(request: web.Request) -> web.Response:
    """GET /docs/{file}."""
    files = await asyncio.to_thread(page_files)
    name = request.match_info["file"]
    if name not in files.keys() - _PAGES:
        known = ", ".join(sorted(files.keys() - _PAGES))
        raise NotFound(f"the page has no such file; it has {known} (more if the package {PACKAGE} is installed)")
    return await _answer(request, files[name])


async def _answer(request: web.Request, file: PageFile) -> web.Response:
    etag = ETag(file.etag, is_weak=True)  # the same for both encodings
    known = {each.value for each in request.if_none_match or ()}
    if known & {file.etag, "*"}:
        response = web.Response(status=_NOT_MODIFIED, headers=_CACHED)
    elif _takes_gzip(request):
        headers = _CACHED | {hdrs.CONTENT_ENCODING: "gzip"}
        response = web.Response(body=file.packed, content_type=file.media, charset=_charset(file), headers=headers)
    else:
        body = await asyncio.to_thread(gzip.decompress, file.packed)
        response = web.Response(body=body, content_type=file.media, charset=_charset(file), headers=_CACHED)
    response.etag = etag
    return response


def _charset(file: PageFile) -> str | None:
    return "utf-8" if file.media.startswith("text/") else None


def _takes_gzip(request: web.Request) -> bool:
    """Whether the client accepts gzip (RFC 9110, section 12.5.3)."""
    for each in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower().split(","):
        coding, _, weight = each.partition(";")
        if coding.strip() == "gzip":
            return _REFUSED.fullmatch(weight.replace(" ", "")) is None
    return False
