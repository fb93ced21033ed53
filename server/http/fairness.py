"""Lets other requests run during long work."""

from __future__ import annotations

import asyncio

# Turns of the event loop in which a single prediction is read, joins a batch, runs, and is answered.
TURNS = 4


async def let_others_run() -> None:
    """Let other requests run first. A single prediction that has arrived is answered when this returns."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
