"""The events of the stream that a page may have missed, numbered, within limits."""

from __future__ import annotations

import secrets
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import chain, islice
from typing import NamedTuple

from server.protocol.pages import ShownSignal

# The signals of a new page, and those that a page can get after a break. They have about 400 bytes each.
SHOWN = 200
KEPT_SIGNALS, KEPT_EVENTS, KEPT_BYTES = 2_000, 1_000, 1 << 20
# Of so many further events it is only known how many answers there had been: an hour and more.
KEPT_COUNTS = 4_096
_MOST_DIGITS = 15


class Missed(NamedTuple):
    """What a page gets at its beginning.

    resumed: whether these are all events since the last one that it has seen. missed: the answers since then that are
    not among the signals; None if unknown. changed: what has changed since then.
    """

    resumed: bool
    missed: int | None
    signals: Sequence[ShownSignal]
    changed: Sequence[str]


class _Signals(NamedTuple):
    number: int
    answered: int  # at its end, since the server started
    signals: tuple[ShownSignal, ...]
    size: int


class Events:
    """Numbers all events. Keeps those with signals and those of changes; figures are outdated after two seconds."""

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(4)  # another one after each start of the server
        self.number = 0
        self.answered = 0
        self._signals: deque[_Signals] = deque()
        self._kept = self._bytes = 0  # signals, and bytes of their events
        self._counts: deque[tuple[int, int]] = deque([(0, 0)], maxlen=KEPT_COUNTS)
        self._forgotten = 0  # the number of the last event with signals that is no longer kept
        self._changes: deque[tuple[int, str]] = deque(maxlen=KEPT_EVENTS)

    @property
    def last(self) -> str:
        """The id of the last event."""
        return f"{self.epoch}-{self.number}"

    def next(self) -> str:
        """The id of a new event."""
        self.number += 1
        return self.last

    def add_signals(self, signals: tuple[ShownSignal, ...], answered: int, size: int) -> None:
        """Keep the new event's signals. answered: see `answered`. size: the bytes of the event."""
        self.answered = answered
        self._counts.append((self.number, answered))
        self._signals.append(_Signals(self.number, answered, signals, size))
        self._kept += len(signals)
        self._bytes += size
        while self._kept > KEPT_SIGNALS or self._bytes > KEPT_BYTES or len(self._signals) > KEPT_EVENTS:
            oldest = self._signals.popleft()
            self._forgotten = oldest.number
            self._kept -= len(oldest.signals)
            self._bytes -= oldest.size

    def add_change(self, what: str) -> None:
        """Keep that the new event told a change."""
        self._changes.append((self.number, what))

    def since(self, last: str | None) -> Missed:
        """What a page gets that has seen the event with this id last; None: it has seen none."""
        seen = self._seen(last)
        newest = tuple(reversed([*islice(chain.from_iterable(map(_backwards, reversed(self._signals))), SHOWN)]))
        if seen is None:
            return Missed(resumed=False, missed=None, signals=newest, changed=())
        events = [each for each in self._signals if each.number > seen]
        if seen >= self._forgotten:
            signals = [signal for each in events for signal in each.signals]
            changed = dict.fromkeys(what for number, what in self._changes if number > seen)
            return Missed(resumed=True, missed=self._since(seen, len(signals)), signals=signals, changed=tuple(changed))
        delivered = min(SHOWN, sum(len(each.signals) for each in events))
        return Missed(resumed=False, missed=self._since(seen, delivered), signals=newest, changed=())

    def _since(self, seen: int, delivered: int) -> int | None:
        """The answers since an event that are not among those delivered."""
        index = bisect_right(self._counts, seen, key=lambda each: each[0])
        return max(0, self.answered - self._counts[index - 1][1] - delivered) if index else None

    def _seen(self, last: str | None) -> int | None:
        """The number in an id; None if it is not of this epoch."""
        epoch, _, number = (last or "").rpartition("-")
        if epoch != self.epoch or not (number.isascii() and number.isdecimal() and len(number) <= _MOST_DIGITS):
            return None
        return int(number) if int(number) <= self.number else None


def _backwards(event: _Signals) -> Sequence[ShownSignal]:
    return event.signals[::-1]
