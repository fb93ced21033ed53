"""What is recorded of a request, and how a worker sends it to the keeper."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

Attributes: TypeAlias = dict[str, str | int | float | bool]


class ChildSpan(msgspec.Struct, array_like=True, frozen=True):
    """A phase of a request, or a call that it made. Times are nanoseconds since 1970.

    span_id: of a call, to which another process refers; empty for a phase, which gets one when it is exported.
    """

    name: str
    begin: int
    end: int
    span_id: str = ""
    attributes: Attributes = {}


class RequestSpan(msgspec.Struct, array_like=True, frozen=True):
    """An answered request with its children. parent_id: empty if the trace begins here. state: its `tracestate`."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    state: str
    begin: int
    end: int
    attributes: Attributes
    failed: bool
    children: list[ChildSpan]


encode = msgspec.json.Encoder().encode
decode_all = msgspec.json.Decoder(list[RequestSpan]).decode
