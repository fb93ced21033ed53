"""Which requests are recorded, under which ids."""

from __future__ import annotations

import random
from time import perf_counter

import pytest
from multidict import CIMultiDict
from opentelemetry.trace import TraceState

from server.logs.request_id import TracedId
from server.tracing.records import RequestSpan
from server.tracing.tracer import Trace, TraceableId, Tracer

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def parent(flags: str = "01", version: str = "00", rest: str = "") -> str:
    return f"{version}-{TRACE_ID}-{SPAN_ID}-{flags}{rest}"


def traced(headers: dict[str, str], ratio: float = 0.0) -> Trace | None:
    found = Tracer(ratio, lambda _: None).identify(CIMultiDict(headers))
    return found.trace if isinstance(found, TraceableId) else None


@pytest.mark.parametrize(
    ("given", "sampled"),
    [
        (parent("01"), True),
        (parent("00"), False),
        (parent("03"), True),
        (parent("02"), False),
        (parent("ff"), True),
        (parent("01", "cc"), True),
        (parent("01", "01", "-what-comes-later"), True),
    ],
)
@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_a_valid_parent_decides(given: str, ratio: float, *, sampled: bool) -> None:
    found = traced({"traceparent": given, "tracestate": "a=b"}, ratio)
    assert found is not None
    assert (found.trace_id, found.parent_id, found.sampled, found.state) == (TRACE_ID, SPAN_ID, sampled, "a=b")
    assert found.span_id not in {SPAN_ID, "0" * 16}


@pytest.mark.parametrize(
    "given",
    [
        "",
        parent(version="ff"),
        parent(rest="-more"),
        parent().upper(),
        parent()[:-1],
        parent("0g"),
        parent().replace(TRACE_ID, "0" * 32),
        parent().replace(SPAN_ID, "0" * 16),
        f" {parent()}",
    ],
)
def test_an_invalid_parent_is_none_and_its_state_is_not_passed_on(given: str) -> None:
    headers = {"traceparent": given, "tracestate": "a=b"}
    assert traced(headers, 0.0) is None
    found = traced(headers, 1.0)
    assert found is not None
    assert (found.parent_id, found.state) == ("", "")
    assert found.trace_id != TRACE_ID


def test_two_parents_are_none() -> None:
    headers = CIMultiDict([("traceparent", parent()), ("Traceparent", parent())])
    assert not isinstance(Tracer(0.0, lambda _: None).identify(headers), TracedId)


def test_a_state_that_is_too_long_is_dropped() -> None:
    found = traced({"traceparent": parent(), "tracestate": "a=" + "b" * 511})
    assert found is not None
    assert found.state == ""


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a=b", True),
        ("vendor@system=x y, *bad", False),
        ("1tenant@system=x,a-b_c*d/e=!~", True),
        (" a=b ,, c=d\t", True),
        ("a=b,a=c", False),
        ("A=b", False),
        ("1=b", False),
        ("a=b=c", False),
        ("a=", False),
        ("a=\udcff", False),
        ("\u00e4=b", False),
        (",".join(f"k{i}=v" for i in range(32)), True),
        (",".join(f"k{i}=v" for i in range(33)), False),
    ],
)
def test_only_a_valid_state_is_passed_on_as_opentelemetry_reads_it(
    given: str, caplog: pytest.LogCaptureFixture, *, kept: bool
) -> None:
    found = traced({"traceparent": parent(), "tracestate": given})
    assert found is not None
    assert found.state == (given if kept else "")
    assert bool(TraceState.from_header([found.state])) is kept
    assert not caplog.records


def test_the_lines_of_a_state_are_joined_in_their_order() -> None:
    headers = CIMultiDict([("traceparent", parent()), ("tracestate", "b=2"), ("Tracestate", "a=1")])
    found = Tracer(0.0, lambda _: None).identify(headers)
    assert isinstance(found, TraceableId)
    assert found.trace.state == "b=2,a=1"


def test_without_a_parent_the_low_bits_of_the_new_id_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    for low, recorded in ((0, True), ((1 << 62) - 1, True), (1 << 62, False), ((1 << 64) - 1, False)):
        monkeypatch.setattr(random, "getrandbits", lambda _, low=low: 7 << 64 | low)
        found = traced({}, 0.25)
        assert (found is not None) is recorded
        assert found is None or found.trace_id == f"{7 << 64 | low:032x}"


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_none_or_all_without_a_parent(ratio: float) -> None:
    assert {traced({}, ratio) is not None for _ in range(1_000)} == {bool(ratio)}


def test_the_id_of_the_request_is_its_own_or_that_of_the_trace() -> None:
    tracer = Tracer(1.0, lambda _: None)
    assert tracer.identify({"X-Request-Id": "desk-7", "traceparent": parent()}) == "desk-7"
    assert tracer.identify({"X-Request-Id": "not one", "traceparent": parent()}) == TRACE_ID
    found = tracer.identify({"X-Request-Id": "desk-7"})
    assert isinstance(found, TraceableId)
    assert found == "desk-7" != found.trace_id
    first = tracer.identify({})
    assert isinstance(first, TraceableId)
    assert first == first.trace_id == first.trace.trace_id


def test_a_call_continues_the_trace() -> None:
    for flags in ("01", "00"):
        found = traced({"traceparent": parent(flags), "tracestate": "a=b"})
        assert found is not None
        expected = {"traceparent": f"00-{TRACE_ID}-{'1' * 16}-{flags}", "tracestate": "a=b"}
        assert found.parent("1" * 16) == expected


@pytest.mark.parametrize(
    ("status", "error", "failed", "told"),
    [
        (200, "", False, None),
        (422, "", False, None),
        (503, "", True, "503"),
        (None, "Gone", True, "Gone"),
    ],
)
def test_times_and_failures(status: int | None, error: str, told: str | None, *, failed: bool) -> None:
    kept: list[RequestSpan] = []
    tracer = Tracer(0.0, kept.append, "https")
    found = tracer.identify({"traceparent": parent()})
    assert isinstance(found, TraceableId)
    began = perf_counter()
    found.trace.add("parse", began, began + 0.25)
    tracer.finish(found.trace, "POST /x", status, {"http.route": "/x"}, error)
    (span,) = kept
    assert span.failed is failed
    assert span.attributes.get("error.type") == told
    assert span.attributes.get("http.response.status_code") == status
    assert span.attributes["url.scheme"] == "https"
    (child,) = span.children
    assert abs(child.end - child.begin - 250_000_000) <= 1
    assert span.begin <= child.begin
