"""The page at /dashboard, its files and its sessions: a token once, then a cookie that scripts cannot read.

The page itself needs no token; what it shows and sends does.
"""

from __future__ import annotations

import asyncio
import logging

import msgspec
from aiohttp import hdrs, web

from core.log_event import LogEvent
from server.api.schemas.sessions import SignIn
from server.auth.access import Access, RateLimited, SignedIn, Unauthorized
from server.auth.client_address import FORWARDED_FOR
from server.auth.sessions import SECONDS, cookie_name, cookies_of
from server.dashboard.built import COMMAND, PAGE
from server.dashboard.files import dashboard_files
from server.http.app_keys import ACCESS, CLIENT_ADDRESSES, CLOCK, SETTINGS
from server.http.bodies.body import read_bytes, read_json
from server.http.bodies.json_decoding import decode
from server.http.connections.peer import peer_of
from server.http.envelope import success
from server.http.errors import NotFound
from server.http.files import CONTENT_SECURITY_POLICY, PageFile, sent

log = logging.getLogger(__name__)

_FORWARDED_PROTO = "X-Forwarded-Proto"
_decoder = msgspec.json.Decoder(SignIn)

# Its own requests name the page's address, those to other hosts nothing.
_HEADERS = {
    hdrs.CONTENT_SECURITY_POLICY: CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


async def show_page(request: web.Request) -> web.Response:
    """GET /dashboard."""
    files = await _files()
    return await sent(request, files[PAGE], _HEADERS)


async def show_file(request: web.Request) -> web.Response:
    """GET /dashboard/{file}."""
    files = await _files()
    name = request.match_info["file"]
    if name not in files.keys() - {PAGE}:
        raise NotFound(f"the page has no such file; it has {', '.join(sorted(files.keys() - {PAGE}))}")
    return await sent(request, files[name], _HEADERS)


async def _files() -> dict[str, PageFile]:
    files = await asyncio.to_thread(dashboard_files)
    if not files:
        raise NotFound(f"the page was not built; run `{COMMAND}` where the server's source is, or install the wheel")
    return files


async def show_session(request: web.Request) -> web.Response:
    """GET /dashboard/session."""
    session = await _session(request)
    response = _answer(request, session)
    if session is None and cookies_of(request.headers):
        _set_cookie(request, response, "", 0)  # it has ended, or its token is no longer valid
    return response


async def begin_session(request: web.Request) -> web.Response:
    """POST /dashboard/session."""
    given = decode(_decoder, await read_json(request))
    access = request.app[ACCESS]
    if not access.guarded:
        return _answer(request, None)
    address = _address(request)
    session = await access.sign_in(given.token.strip(), request.headers, address)
    log.info(
        LogEvent("session_begun", name=session.token.name, level=session.token.level.name.lower(), address=address)
    )
    response = _answer(request, session)
    _set_cookie(request, response, session.cookie, SECONDS)
    return response


async def end_session(request: web.Request) -> web.Response:
    """POST /dashboard/session/end. The cookie could not be taken back on the server, which remembers none."""
    await read_bytes(request)
    session = await _session(request)
    if session is not None:
        session.require_csrf(request.headers)
        log.info(LogEvent("session_ended", name=session.token.name, address=_address(request)))
    response = _answer(request, None)
    if cookies_of(request.headers):
        _set_cookie(request, response, "", 0)
    return response


async def _session(request: web.Request) -> SignedIn | None:
    """The session of a request; None also if it is forged.

    With a token that was removed, a browser sends such a cookie. It gets rid of it by these endpoints, so they answer
    also after too many wrong tokens, and as late as every other one.
    """
    access = request.app[ACCESS]
    try:
        return await access.session(request.headers, _address(request)) if access.guarded else None
    except (Unauthorized, RateLimited):
        return None


def _answer(request: web.Request, session: SignedIn | None) -> web.Response:
    app = request.app
    access: Access = app[ACCESS]
    level = None if session is None else session.token.level
    if not access.guarded:
        level = access.level_of_page(request.headers)
    data = {
        "guarded": access.guarded,
        "signed_in": level is not None,
        "name": None if session is None else session.token.name,
        "level": None if level is None else level.name.lower(),
        "csrf": None if session is None else session.csrf,
        "windows_kept": app[SETTINGS].keep_windows,
    }
    return success(data, app[CLOCK].now())


def _set_cookie(request: web.Request, response: web.Response, value: str, seconds: int) -> None:
    name = cookie_name(request.headers.get("Host"))
    response.set_cookie(
        name, value, max_age=seconds, path="/", httponly=True, samesite="Strict", secure=_is_secure(request)
    )


def _is_secure(request: web.Request) -> bool:
    """Whether the browser has sent a request over HTTPS: to this server, or to a trusted proxy."""
    if request.secure or not request.app[CLIENT_ADDRESSES].trusts(peer_of(request)):
        return request.secure
    said = ",".join(request.headers.getall(_FORWARDED_PROTO, ()))
    return said.rpartition(",")[2].strip().lower() == "https"


def _address(request: web.Request) -> str:
    return request.app[CLIENT_ADDRESSES].of(peer_of(request), request.headers.getall(FORWARDED_FOR, ()))
