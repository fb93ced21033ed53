"""Waits for a condition, instead of sleeping for a fixed time and hoping that it holds then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

# The interval of the checks. Everywhere else a test that sleeps gives its reason.
LOOK_SECONDS = 0.02


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Return when the condition holds. Fails if it does not hold in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(LOOK_SECONDS)


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Return when the condition holds, while the event loop runs. Fails if it does not hold in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        await asyncio.sleep(0.001)
