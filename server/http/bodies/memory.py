"""The memory of large bodies: bounded in bytes, and never held by clients that send slowly while others need it."""

from __future__ import annotations

import time
from collections.abc import Callable

from core.errors import Overloaded

# A body that arrives more slowly than this is given up if another one needs its memory. 32 MiB then have 32 seconds.
SLOW_BYTES_PER_SECOND = 1 << 20
# A body is not called slow before this.
GRACE_SECONDS = 1.0
_RETRY_SECONDS = 1


class Share:
    """The memory of one body. `give_up`: ends the wait for the rest of the body."""

    def __init__(self, memory: BodyMemory, since: float, give_up: Callable[[], None]) -> None:
        self._memory = memory
        self._since = since
        self._give_up = give_up
        self.bytes = 0
        self.refusal: Overloaded | None = None

    def take(self, more: int) -> None:
        """Take memory for some more bytes. Raises Overloaded if there is none, or if the body was given up."""
        if self.refusal is not None:
            raise self.refusal
        self._memory.make_room(more, self)
        self.bytes += more

    def arrived(self) -> None:
        """Note that the body is complete: from now on it is not given up. Raises Overloaded if it has been."""
        if self.refusal is not None:
            raise self.refusal
        self._memory.arriving.discard(self)

    def end(self) -> None:
        """Give the memory back: the request is answered."""
        self._memory.used -= self.bytes
        self.bytes = 0
        self._memory.arriving.discard(self)

    def is_slow(self, now: float) -> bool:
        """Whether the body may be given up for another one."""
        seconds = now - self._since
        return seconds > GRACE_SECONDS and self.bytes < seconds * SLOW_BYTES_PER_SECOND

    def give_up(self) -> None:
        """Refuse the body."""
        self.refusal = Overloaded("the body arrived too slowly while others needed its memory", _RETRY_SECONDS)
        self.end()
        self._give_up()


class BodyMemory:
    """The bytes in use by large bodies, in `used`: those that are arriving, and those that are being answered."""

    def __init__(self, most: int, now: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._now = now
        self.used = 0
        self.arriving: set[Share] = set()

    def share(self, since: float, give_up: Callable[[], None]) -> Share:
        """The memory of a body that began to arrive at `since`, of time.monotonic."""
        made = Share(self, since, give_up)
        self.arriving.add(made)
        return made

    def make_room(self, more: int, asking: Share) -> None:
        """Count some bytes of a body; slow bodies are given up for it. Raises Overloaded if there is no room."""
        now = self._now()
        while self.used + more > self._most:
            slow = [each for each in self.arriving if each is not asking and each.is_slow(now)]
            if not slow:
                raise Overloaded("too many large bodies in progress", _RETRY_SECONDS)
            max(slow, key=lambda each: each.bytes).give_up()
        self.used += more
