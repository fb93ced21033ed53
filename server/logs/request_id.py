"""The id of a request: from its headers or new, in its answer, and in every log line about it."""

from __future__ import annotations

import itertools
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

HEADER = "X-Request-Id"
TRACE_HEADER = "traceparent"
# The id of the request whose work runs now; empty if there is none. Tasks and threads of the request have it too.
CURRENT: ContextVar[str] = ContextVar("request_id", default="")

# An id is echoed and logged, so it holds nothing that ends a line, a header or a field.
_USABLE = re.compile(r"[A-Za-z0-9._~:/+@-]{1,128}")
# W3C Trace Context, section 3.2.2. Later versions than 00 may have more fields.
_TRACE = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1  # the bit of the flags


class TraceParent(NamedTuple):
    """A valid `traceparent`: the trace, the caller's span in it, and whether the caller records it."""

    trace_id: str
    span_id: str
    sampled: bool


class TracedId(str):
    """The id of a request that belongs to a trace. Log lines about the request have both ids."""

    __slots__ = ("span_id", "trace_id")

    trace_id: str
    span_id: str


class _New:
    """New ids of 32 hexadecimal digits, as trace ids have: 20 random ones of the process, and a count."""

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._prefix = os.urandom(10).hex()
        self._count = itertools.count()

    def __call__(self) -> str:
        return f"{self._prefix}{next(self._count):012x}"


new = _New()


def request_id(headers: Mapping[str, str]) -> str:
    """The id of a request with these headers: X-Request-Id, or the trace id of traceparent, or a new one.

    A value that cannot be echoed safely is ignored.
    """
    given = headers.get(HEADER)
    if given is not None and _USABLE.fullmatch(given):
        return given
    trace = headers.get(TRACE_HEADER)
    if trace is not None and (parent := parent_of(trace)) is not None:
        return parent.trace_id
    return new()


def parent_of(trace: str) -> TraceParent | None:
    """What a `traceparent` says; None if it is invalid."""
    found = _TRACE.fullmatch(trace)
    if found is None or (found[1] == "00" and found[5] is not None):
        return None
    return TraceParent(found[2], found[3], bool(int(found[4], 16) & _SAMPLED))


@contextmanager
def during(own: str) -> Iterator[None]:
    """Put a request's id into all log lines of a block."""
    before = CURRENT.set(own)
    try:
        yield
    finally:
        CURRENT.reset(before)


def of_record(record: logging.LogRecord) -> str:
    """The id of the request that a log record is about: its attribute `request_id`, or the current one."""
    given: str | None = getattr(record, "request_id", None)
    return CURRENT.get() if given is None else given
