"""Files of pages: compressed once, and sent so that browsers keep them and still ask for newer ones."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from aiohttp import ETag, hdrs, web

# What a page may load and do. Libraries set styles through the DOM, and have icons as `data:`; so neither scripts nor
# styles within the page are allowed, and no other host is.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

# Browsers keep the files, and ask each time whether they are still valid: nothing of an older release is ever shown.
_CACHED = {hdrs.CACHE_CONTROL: "no-cache", hdrs.VARY: hdrs.ACCEPT_ENCODING}
_NOT_MODIFIED = 304
_REFUSED = re.compile(r"q=0(\.0*)?")
MEDIA = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


class PageFile(NamedTuple):
    """A file as it is sent. packed: its bytes as gzip. etag: the first digits of its hash."""

    media: str
    packed: bytes
    etag: str


def packed(name: str, body: bytes) -> PageFile:
    """A file with this name, whose ending tells its type, and these bytes."""
    return PageFile(MEDIA[Path(name).suffix], gzip.compress(body, mtime=0), hashlib.sha256(body).hexdigest()[:32])


async def sent(request: web.Request, file: PageFile, own: Mapping[str, str] | None = None) -> web.Response:
    """The answer with a file, or 304 if the client has it. own: headers that only this answer has."""
    headers = _CACHED | dict(own or {})
    etag = ETag(file.etag, is_weak=True)  # the same for both encodings
    known = {each.value for each in request.if_none_match or ()}
    if known & {file.etag, "*"}:
        response = web.Response(status=_NOT_MODIFIED, headers=headers)
    elif _takes_gzip(request):
        headers |= {hdrs.CONTENT_ENCODING: "gzip"}
        response = web.Response(body=file.packed, content_type=file.media, charset=_charset(file), headers=headers)
    else:
        body = await asyncio.to_thread(gzip.decompress, file.packed)
        response = web.Response(body=body, content_type=file.media, charset=_charset(file), headers=headers)
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
