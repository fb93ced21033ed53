"""How long a request may take, from its head to the beginning of its work."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from time import perf_counter

from core.errors import DeadlineExceeded, InvalidInput, quoted

HEADER = "X-Request-Timeout-Ms"
# The longest that a client may ask for: for so long it may hold a connection with half a body.
MOST_MS = 60_000


def deadline(headers: Mapping[str, str], milliseconds: int) -> float:
    """From when on nobody waits for the answer, of time.perf_counter: what the client says, else after so many.

    Raises InvalidInput for a header that is no number of milliseconds.
    """
    now = perf_counter()
    given = headers.get(HEADER)
    if given is not None:
        # The length first: Python refuses to read thousands of digits.
        if not (given.isascii() and given.isdecimal() and len(given) <= len(str(MOST_MS))):
            raise _invalid(given)
        milliseconds = int(given)
        if not 1 <= milliseconds <= MOST_MS:
            raise _invalid(given)
    return now + milliseconds / 1e3


def _invalid(given: str) -> InvalidInput:
    return InvalidInput.at(HEADER, f"must be an integer of milliseconds from 1 to {MOST_MS:,}, not {quoted(given)}")


def within(until: float) -> AbstractAsyncContextManager[object]:
    """Cancel what is inside when it is `until`, of time.perf_counter; raises TimeoutError then."""
    return asyncio.timeout(None if until == math.inf else max(0.0, until - perf_counter()))


def late(what: str) -> DeadlineExceeded:
    """The error for it."""
    return DeadlineExceeded(f"the request's time was over before {what}")
