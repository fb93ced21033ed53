"""HTTP over the keeper's socket."""

from __future__ import annotations

from pathlib import Path

import aiohttp

KEEPER_URL = "http://keeper"  # the connector ignores the host, but a URL needs one
# The longest time to wait for the keeper. A report on millions of candles takes long.
ANSWER_SECONDS = 120.0


def keeper_session(socket: Path) -> aiohttp.ClientSession:
    """A session whose connections all lead to the keeper. It must be created inside the event loop."""
    return aiohttp.ClientSession(
        # No limit: clients that do not read their exports must not use up the connections of other clients.
        connector=aiohttp.UnixConnector(str(socket), limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_read=ANSWER_SECONDS),
        # A request without a content type is passed on without one.
        skip_auto_headers=("Content-Type",),
    )
