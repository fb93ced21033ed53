"""How long work makes room for the requests beside it."""

from __future__ import annotations

import asyncio

# Turns of the event loop in which a single prediction is read, waits for company, runs, and is answered.
TURNS = 4


async def let_others_run() -> None:
    """Let others go first: a single prediction that has arrived is answered by the end."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
