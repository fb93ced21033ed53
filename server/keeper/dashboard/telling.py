"""Tells open pages of the dashboard what a call has changed."""

from __future__ import annotations

from functools import wraps

from aiohttp import web
from aiohttp.typedefs import Handler

from server.keeper.app_keys import HUB

# What the calls of a module of handlers change beside the state, whose changes are found in any case. Outcomes and
# labels come in thousands, and are told with less haste.
RECORDS = "records"
CHANGED_BY = {
    "experiments": "experiments",
    "notes": "experiments",
    "evaluation": RECORDS,
    "outcomes": RECORDS,
}


def telling(handler: Handler, what: str) -> Handler:
    """Wrap a handler so that pages are told after a success."""

    @wraps(handler)
    async def wrapped(request: web.Request) -> web.StreamResponse:
        response = await handler(request)
        if what == RECORDS:
            request.app[HUB].note_records()
        else:
            request.app[HUB].note(what)
        return response

    return wrapped
