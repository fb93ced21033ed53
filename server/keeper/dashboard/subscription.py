"""One open page: the events that wait for it."""

from __future__ import annotations

import asyncio
from collections import deque

# A page that reads gets an event within milliseconds. This many are those of half a minute.
MOST_WAITING = 48
PING_SECONDS = 15.0
PING = b": ping\n\n"


class Subscription:
    """A bounded queue of events. If it is full, the page does not read: it is closed, and can connect again."""

    def __init__(self) -> None:
        self.ended = False
        self._waiting: deque[bytes] = deque()
        self._changed = asyncio.Event()

    def put(self, event: bytes) -> None:
        """Add an event. Events are shared by all pages, so that a waiting one takes no memory of its own."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.clear()
            self.end()
        elif not self.ended:
            self._waiting.append(event)
            self._changed.set()

    def end(self) -> None:
        """Let the page's stream end after what is waiting."""
        self.ended = True
        self._changed.set()

    async def get(self) -> bytes | None:
        """All events that wait, as soon as there is one; a comment if there is none for a while; None at the end."""
        if not self._waiting and not self.ended:
            self._changed.clear()
            try:
                async with asyncio.timeout(PING_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                return PING
        if not self._waiting:
            return None
        events = b"".join(self._waiting)
        self._waiting.clear()
        return events
