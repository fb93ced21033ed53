"""What pages of the dashboard get while they are open."""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web

from core.errors import InvalidInput
from server.api.schemas.dashboard_windows import TIMEFRAMES, is_pair
from server.http.app_keys import CLOCK, SETTINGS
from server.http.envelope import success
from server.keeper.app_keys import HUB, MEMBERS
from server.keeper.dashboard.windows import kept
from server.keeper.handlers.urls import chosen
from server.protocol.pages import EVENTS, LAST_EVENT, PROXY_BUFFERING

# The longest time that the way to a page is given to take what is written.
WRITE_SECONDS = 10.0


async def stream(request: web.Request) -> web.StreamResponse:
    """GET /dashboard/stream: events until the page leaves. Described in docs/dashboard-stream.md."""
    response = web.StreamResponse(headers={"Content-Type": EVENTS, PROXY_BUFFERING: "no"})
    response.force_close()
    if request.method == hdrs.METH_HEAD:
        await response.prepare(request)
        return response
    hub = request.app[HUB]
    with hub.admitted():
        page = await hub.open(request.headers.get(LAST_EVENT))
    try:
        await response.prepare(request)
        while (events := await page.get()) is not None:
            async with asyncio.timeout(WRITE_SECONDS):
                await response.write(events)
    except (ConnectionError, TimeoutError):  # it has left, or does not read
        if request.transport is not None:
            request.transport.abort()
    finally:
        hub.leave(page)
    return response


async def show_window(request: web.Request) -> web.Response:
    """GET /dashboard/window?pair=EUR/USD&timeframe=1h."""
    pair, timeframe = request.query.get("pair"), chosen(request, "timeframe", TIMEFRAMES) or None
    if pair is not None and not is_pair(pair):
        raise InvalidInput.at("pair", "must be two currencies of three capital letters, such as EUR/USD")
    if (pair is None) is not (timeframe is None):
        missing = "timeframe" if timeframe is None else "pair"
        raise InvalidInput.at(missing, "missing; send pair and timeframe, or neither of them for a list")
    wanted = request.app[SETTINGS].keep_windows
    data = await kept(request.app[MEMBERS], pair, timeframe) if wanted else {"window": None, "places": []}
    return success({"kept": wanted} | data, request.app[CLOCK].now())
