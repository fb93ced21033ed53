"""Long work in a thread beside the event loop: in steps, between which the loop has the interpreter to itself.

A prediction asks for the interpreter several times, and each time waits until the other thread's step is over. With
pauses between the steps it meets one of them, without it meets one each time (docs/benchmarks.md, "Beside loads").
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# A prediction takes less.
_PAUSE_SECONDS = 0.001

_wanted: ContextVar[bool] = ContextVar("wanted", default=False)


@contextmanager
def enabled(*, wanted: bool) -> Iterator[None]:
    """Whether what is done within pauses between its steps. Not in the event loop's own thread: they are sleeps."""
    before = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(before)


def give_way() -> None:
    """A step is over."""
    if _wanted.get():
        time.sleep(_PAUSE_SECONDS)
