"""Decides which requests are recorded, and records them.

The decision is made at a request's head. A valid `traceparent` decides by its flag, otherwise a ratio does (the sampler
`parentbased_traceidratio` of OpenTelemetry). Trace ids are random, so the same id is chosen by every service with the
same ratio.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import NamedTuple

from server.logs.request_id import HEADER, TRACE_HEADER, TracedId, TraceParent, parent_of, request_id
from server.tracing.records import Attributes, ChildSpan, RequestSpan

STATE_HEADER = "tracestate"
# W3C Trace Context, section 3.3.1.5: at least so many characters are passed on. Longer ones are dropped.
_LONGEST_STATE = 512
# Section 3.3.1: members `key=value`. An invalid state is dropped as a whole, because it can hold bytes that are no
# text, and because OpenTelemetry would log a client's bytes for each request.
_MEMBER = re.compile(
    r"([a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
    r"=[ -+\--<>-~]{0,255}[!-+\--<>-~]"
)
_MOST_MEMBERS = 32
_TRACE_BITS, _SPAN_BITS = 128, 64
_LOW = (1 << 64) - 1
_SERVER_ERROR = 500


class Trace(NamedTuple):
    """A request's place in its trace. began: of time.perf_counter."""

    trace_id: str
    span_id: str
    parent_id: str
    state: str
    sampled: bool
    began: float
    children: list[_Child]
    attributes: Attributes

    def add(
        self,
        name: str,
        begin: float,
        end: float,
        attributes: Attributes | None = None,
        span_id: str = "",
    ) -> None:
        """Add a phase, or a call with its `span_id`. begin, end: of time.perf_counter."""
        self.children.append(_Child(name, begin, end, span_id, attributes or {}))

    def parent(self, span_id: str) -> dict[str, str]:
        """The headers of a call that this request makes. span_id: of the call."""
        headers = {TRACE_HEADER: f"00-{self.trace_id}-{span_id}-{self.sampled:02x}"}
        return headers | ({STATE_HEADER: self.state} if self.state else {})


class _Child(NamedTuple):
    name: str
    begin: float
    end: float
    span_id: str
    attributes: Attributes


class TraceableId(TracedId):
    """The id of a request that belongs to a trace, and its place there."""

    __slots__ = ("trace",)

    trace: Trace


def new_span_id() -> str:
    """A random id of 16 hexadecimal digits."""
    return f"{random.getrandbits(_SPAN_BITS) or 1:016x}"


def recorded(request_id: str) -> Trace | None:
    """The place in its trace of the request with this id; None if it is not recorded."""
    return request_id.trace if isinstance(request_id, TraceableId) and request_id.trace.sampled else None


class Tracer:
    """Names requests, decides which are recorded, and gives finished ones to `keep`."""

    def __init__(self, ratio: float, keep: Callable[[RequestSpan], None], scheme: str = "http") -> None:
        """`ratio`: the share of requests without a parent that are recorded, 0 to 1. `scheme`: http or https."""
        self._bound = round(ratio * (1 << 64))
        self._keep = keep
        self._common: Attributes = {
            "url.scheme": scheme,
            "network.protocol.version": "1.1",
            "process.pid": os.getpid(),
        }

    def identify(self, headers: Mapping[str, str]) -> str:
        """The id of a request, as `request_id` gives it; a TraceableId if the request belongs to a trace."""
        given = headers.get(TRACE_HEADER)
        if given is None or (parent := _only_parent(headers, given)) is None:
            return self._identify_first(headers)
        return _identified(headers, parent.trace_id, parent, sampled=parent.sampled)

    def _identify_first(self, headers: Mapping[str, str]) -> str:
        drawn = random.getrandbits(_TRACE_BITS)
        if drawn & _LOW >= self._bound or not drawn:
            return request_id(headers)
        return _identified(headers, f"{drawn:032x}", None, sampled=True)

    def finish(self, trace: Trace, name: str, status: int | None, own: Attributes, error: str = "") -> None:
        """Record an answered request. status: None if there was no answer, with the `error` that caused it."""
        now_ns, now = time.time_ns(), perf_counter()

        def at(moment: float) -> int:
            return now_ns - int((now - moment) * 1e9)

        attributes = self._common | own | trace.attributes
        if status is not None:
            attributes["http.response.status_code"] = status
            error = str(status) if status >= _SERVER_ERROR else ""
        if error:
            attributes["error.type"] = error
        children = [
            ChildSpan(each.name, at(each.begin), at(each.end), each.span_id, each.attributes) for each in trace.children
        ]
        span = (name, trace.trace_id, trace.span_id, trace.parent_id, trace.state, at(trace.began), now_ns)
        self._keep(RequestSpan(*span, attributes, bool(error), children))


def _only_parent(headers: Mapping[str, str], given: str) -> TraceParent | None:
    """The parent; None if it is invalid, or if there are several."""
    return None if len(_lines(headers, TRACE_HEADER)) > 1 else parent_of(given)


def _lines(headers: Mapping[str, str], name: str) -> list[str]:
    """The values of a header that is there, one for each of its lines."""
    several: Callable[[str], list[str]] | None = getattr(headers, "getall", None)
    return [headers[name]] if several is None else several(name)


def _state_of(headers: Mapping[str, str]) -> str:
    """The caller's `tracestate`, its lines joined (RFC 9110, section 5.3); empty if it is invalid or too long."""
    if STATE_HEADER not in headers:
        return ""
    state = ",".join(_lines(headers, STATE_HEADER))
    if len(state) > _LONGEST_STATE:
        return ""
    found = [_MEMBER.fullmatch(member) for each in state.split(",") if (member := each.strip(" \t"))]
    keys = {member[1] for member in found if member is not None}
    return state if len(keys) == len(found) <= _MOST_MEMBERS else ""


def _identified(headers: Mapping[str, str], trace_id: str, parent: TraceParent | None, *, sampled: bool) -> TraceableId:
    own = request_id(headers)
    found = TraceableId(own if own == headers.get(HEADER) else trace_id)
    state = "" if parent is None else _state_of(headers)
    found.trace_id, found.span_id = trace_id, new_span_id()
    found.trace = Trace(
        trace_id,
        found.span_id,
        "" if parent is None else parent.span_id,
        state,
        sampled,
        perf_counter(),
        [],
        {"reversal.request_id": str(found)},
    )
    return found
