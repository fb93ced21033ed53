"""The deadline of a request: the time by which its work must have begun."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from time import perf_counter

from core.errors import DeadlineExceeded, InvalidInput, quoted

HEADER = "X-Request-Timeout-Ms"
# The longest timeout that a client can request, because it can hold a connection with half a body for that long.
MOST_MS = 60_000


def deadline(headers: Mapping[str, str], milliseconds: int) -> float:
    """The deadline, of time.perf_counter: after the milliseconds in the request's header, otherwise `milliseconds`.

    Raises InvalidInput if the header is not an integer from 1 to MOST_MS.
    """
    now = perf_counter()
    given = headers.get(HEADER)
    if given is not None:
        # The length is checked first, because Python refuses to parse thousands of digits.
        if not (given.isascii() and given.isdecimal() and len(given) <= len(str(MOST_MS))):
            raise _invalid(given)
        milliseconds = int(given)
        if not 1 <= milliseconds <= MOST_MS:
            raise _invalid(given)
    return now + milliseconds / 1e3


def _invalid(given: str) -> InvalidInput:
    return InvalidInput.at(HEADER, f"must be an integer of milliseconds from 1 to {MOST_MS:,}, not {quoted(given)}")


def within(until: float) -> asyncio.Timeout:
    """A context that is cancelled at `until`, of time.perf_counter; it then raises TimeoutError."""
    return asyncio.timeout(None if until == math.inf else max(0.0, until - perf_counter()))


def late(event: str) -> DeadlineExceeded:
    """The error for a deadline that passed before an event, which is a clause in the past tense."""
    return DeadlineExceeded(f"deadline exceeded before {event}")


def late_in_queue() -> DeadlineExceeded:
    """The error for a deadline that passed before the request's turn came."""
    return DeadlineExceeded("deadline exceeded while queued")
