"""HTTP over the keeper's socket."""

from __future__ import annotations

from pathlib import Path

import aiohttp

KEEPER_URL = "http://keeper"  # the host is named for the form's sake
# The longest that the keeper may think, over a report on millions of candles.
ANSWER_SECONDS = 120.0


def keeper_session(socket: Path) -> aiohttp.ClientSession:
    """A session of which every connection leads to the keeper; to be made within the event loop."""
    return aiohttp.ClientSession(
        # No limit: clients that do not read their exports must not use up the connections of all others.
        connector=aiohttp.UnixConnector(str(socket), limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_read=ANSWER_SECONDS),
        # A request without a content type is passed on without one.
        skip_auto_headers=("Content-Type",),
    )
