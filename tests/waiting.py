"""Waiting for what happens by itself: until it is so, and not for a time in which it should have come about."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

# How often it is looked. The one place in which tests sleep without a reason of their own.
LOOK_SECONDS = 0.02


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Return once the condition holds; it must hold in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(LOOK_SECONDS)


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Return once the condition holds, while the event loop runs; it must hold in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        await asyncio.sleep(0.001)
