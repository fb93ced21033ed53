"""Pauses between the steps of long work in a background thread, so that the event loop gets the interpreter.

A prediction acquires the interpreter lock several times. Without pauses, it waits for a step of the background thread
each time. With pauses, it waits for at most one step (docs/benchmarks-overload.md, "Beside version loads").
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# A prediction takes less time than this.
_PAUSE_SECONDS = 0.001

_wanted: ContextVar[bool] = ContextVar("wanted", default=False)


@contextmanager
def enabled(*, wanted: bool) -> Iterator[None]:
    """Set whether `give_way` pauses within this block.

    Do not use this in the event loop's thread: a pause is a blocking sleep.
    """
    before = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(before)


def give_way() -> None:
    """Mark the end of a step: pause, if pauses are enabled in this context."""
    if _wanted.get():
        time.sleep(_PAUSE_SECONDS)
