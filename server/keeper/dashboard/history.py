"""What the last two hours were like, minute by minute, and the last minute in steps of two seconds."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from pathlib import Path

from server.http.envelope import Json
from server.keeper.dashboard.totals import ServerCounts, point

MINUTES = 120
MINUTE_SECONDS = 60.0


class CountsHistory:
    """Reads the counts of all processes, and keeps what happened between the readings."""

    def __init__(self, folder: Path | None) -> None:
        """`folder`: that of the files of metrics; None if the processes share none, and then nothing is counted."""
        self.minutes: deque[Json] = deque(maxlen=MINUTES)
        self.recent: deque[tuple[float, Json]] = deque()  # of the last minute; the time of each is of time.monotonic()
        self.totals = ServerCounts.nothing()  # the last reading
        self._folder = folder
        self._minute = self.totals  # the reading at the end of the last minute
        self._reading = asyncio.Lock()

    async def read(self, live: Collection[str], *, keeping: bool = False) -> tuple[Json, Json | None]:
        """Read the counts. Returns what happened since the last reading, and the minute that ended with this one.

        live: the process ids of the workers. keeping: whether the time since the last reading belongs to `recent`.
        """
        async with self._reading:
            before = self.totals
            if self._folder is None:
                now = ServerCounts.nothing()
            else:
                now = await asyncio.to_thread(ServerCounts.of, self._folder, live)
            self.totals = now
        found, minute = point(before, now), None
        if int(now.at // MINUTE_SECONDS) != int(self._minute.at // MINUTE_SECONDS):
            minute = point(self._minute, now)
            self.minutes.append(minute)
            self._minute = now
        if keeping:
            self.recent.append((now.clock, found))
        while self.recent and self.recent[0][0] < now.clock - MINUTE_SECONDS:
            self.recent.popleft()
        return found, minute
