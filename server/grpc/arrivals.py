"""Messages that should be small: of those that do not arrive at once, only a few may be on their way.

gRPC's library tells no size before a message is complete, and makes room for all of it as soon as it is to be read: 32
MiB, whatever the method needs. So number and time are the limits on the memory of these messages. That of a health
check has a few bytes and comes with the call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import Overloaded

# A message that takes longer than this is late. Until then a network of 10 Gbit/s brings 25 MB, for all calls together.
_LATE_SECONDS = 0.02
_MOST_LATE = 2
_RETRY_SECONDS = 1


class Arrivals:
    """The messages that are arriving."""

    def __init__(self) -> None:
        self._late: list[_Arrival] = []  # oldest first

    @contextmanager
    def place(self, timer: asyncio.Timeout) -> Iterator[None]:
        """Follow a message while it arrives. The oldest late one is given up if there are too many.

        `timer`: of its arrival, which has begun; it ends at once if the message is given up. Raises Overloaded then.
        """
        own = _Arrival(timer)
        # A timer, because by the clock complete messages would be late after a pause of the event loop.
        becoming_late = asyncio.get_running_loop().call_later(_LATE_SECONDS, self._is_late, own)
        try:
            yield
        except asyncio.CancelledError:
            if own.given_up and timer.expired():
                text = "the message arrived too slowly while others needed its memory"
                raise Overloaded(text, _RETRY_SECONDS) from None
            raise
        finally:
            becoming_late.cancel()
            if own in self._late:
                self._late.remove(own)

    def _is_late(self, arrival: _Arrival) -> None:
        self._late.append(arrival)
        if len(self._late) > _MOST_LATE:
            self._late.pop(0).give_up()


class _Arrival:
    def __init__(self, timer: asyncio.Timeout) -> None:
        self._timer = timer
        self.given_up = False

    def give_up(self) -> None:
        if not self._timer.expired():
            self.given_up = True
            self._timer.reschedule(asyncio.get_running_loop().time())
