"""Traces of real servers, as a collector receives them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from http.client import HTTPResponse
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from server.worker.timings import Timings
from tests.collector import CollectedSpan, TraceCollector, collecting
from tests.market import ONNX, ROOT
from tests.processes import Server, serving
from tests.system.checks import events, metric
from tests.waiting import wait_until

EXAMPLE = json.loads((ROOT / "docs" / "examples" / "predict.json").read_bytes())
# This version's answer is no hold, so both stages run.
BODY = json.dumps(EXAMPLE | {"version": "v3.1", "versions": ["v3.1", "v3.0"]}).encode()
PARENT = "00f067aa0ba902b7"
PHASES = [*Timings._fields]
INTERNAL, SERVER, CLIENT = 1, 2, 3  # of OTLP
ERROR = 2
ONE_WINDOW = {"pair": "EUR/USD", "features": [[0.1, 0.1]] * 4}


def trace(number: int) -> str:
    return f"{number:032x}"


@pytest.fixture
def collector() -> Iterator[TraceCollector]:
    with collecting() as found:
        yield found


def ask(server: Server, path: str, body: bytes | None, trace_id: str = "", flags: str = "01", **headers: str) -> int:
    """Send a request in one piece, on a connection that stays open: otherwise it would not take the fast path."""
    given = {"Content-Type": "application/json"} | {name.replace("_", "-"): headers[name] for name in headers}
    if trace_id:
        given["traceparent"] = f"00-{trace_id}-{PARENT}-{flags}"
    method, sent = ("GET", b"") if body is None else ("POST", body)
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        lines = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(sent)}\r\n{head}\r\n"
        connection.sendall(lines.encode(errors="surrogateescape") + sent)
        answer = HTTPResponse(connection)
        answer.begin()
        answer.read()
        return answer.status


def tracing(collector: TraceCollector, **more: str) -> dict[str, Any]:
    return {"REVERSAL_TRACING": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url} | more


def assert_nested(parent: CollectedSpan, children: Sequence[CollectedSpan]) -> None:
    """Every child refers to the parent, lies within it, and begins after the one before it has ended."""
    assert {each.parent_id for each in children} == {parent.span_id}
    assert all(each.within(parent) for each in children)
    for one, next_one in pairwise(children):
        assert one.end <= next_one.begin + 1_000, (one, next_one)  # times are rounded to nanoseconds, each alone


@pytest.mark.parametrize("fast", ["1", "0"], ids=["fast path", "plain"])
def test_a_request_and_its_phases_are_spans(collector: TraceCollector, fast: str) -> None:
    environ = tracing(collector, REVERSAL_FAST_PATH=fast, OTEL_SERVICE_NAME="desk", OTEL_EXPORTER_OTLP_HEADERS="key=a")
    with serving("--models", str(ONNX), **environ) as server:
        assert ask(server, "/reversal/predict", BODY, trace(1), tracestate="desk=a,other=b") == 200
        assert ask(server, "/reversal/predict", b"{}", trace(2)) == 422
        names = (["read"] if fast == "0" else []) + PHASES
        own, *phases = collector.of(trace(1), 1 + len(names))
        assert (own.name, own.kind, own.parent_id, own.state) == (
            "POST /reversal/predict", SERVER, PARENT, "desk=a,other=b",
        )  # fmt: skip
        assert {key: value for key, value in own.attributes.items() if key != "process.pid"} == {
            "http.request.method": "POST",
            "http.route": "/reversal/predict",
            "url.path": "/reversal/predict",
            "url.scheme": "http",
            "network.protocol.version": "1.1",
            "http.response.status_code": 200,
            "reversal.request_id": trace(1),
            "reversal.version": "v3.1",
            "reversal.signal": "short",
        }
        assert own.attributes["process.pid"] in server.workers
        assert [each.name for each in phases] == names
        assert {each.kind for each in phases} == {INTERNAL}
        assert_nested(own, phases)
        assert own.resource.items() >= {"service.name": "desk", "deployment.environment.name": "production"}.items()
        assert collector.headers[0]["key"] == "a"
        (refused,) = collector.of(trace(2))
        assert (refused.attributes["http.response.status_code"], refused.status) == (422, 0)


@pytest.mark.parametrize("fast", ["1", "0"], ids=["fast path", "plain"])
def test_predictions_by_the_open_inference_protocol_have_the_same_phases(collector: TraceCollector, fast: str) -> None:
    rows = [[row[name] for name in ("open", "high", "low", "close", "volume")] for row in json.loads(BODY)["data"]]
    path, read = "/v2/models/reversal/versions/v3.1/infer", ["read"] if fast == "0" else []
    with serving("--models", str(ONNX), **tracing(collector, REVERSAL_FAST_PATH=fast)) as server:
        for number, items in ((1, 1), (2, 3)):
            tensor = {"name": "candles", "datatype": "FP64", "shape": [items, len(rows), 5], "data": [rows] * items}
            assert ask(server, path, json.dumps({"inputs": [tensor]}).encode(), trace(number)) == 200
        own, *phases = collector.of(trace(1), 1 + len(read + PHASES))
        assert own.name == f"POST {own.attributes['http.route']}" == "POST /v2/models/{model}/versions/{version}/infer"
        assert (own.attributes["url.path"], own.attributes["reversal.version"]) == (path, "v3.1")
        assert [each.name for each in phases] == read + PHASES
        assert_nested(own, phases)
        own, *phases = collector.of(trace(2), 1 + len([*read, "parse", "answer", "encode"]))
        assert [each.name for each in phases] == [*read, "parse", "answer", "encode"]
        assert own.attributes["reversal.items"] == 3
        assert_nested(own, phases)


def test_batches_and_comparisons_have_phases_of_their_own(collector: TraceCollector) -> None:
    batch = json.dumps({"items": [json.loads(BODY)] * 3}).encode()
    with serving("--models", str(ONNX), **tracing(collector)) as server:
        assert ask(server, "/reversal/predict/batch", batch, trace(1)) == 200
        assert ask(server, "/reversal/compare", BODY, trace(2)) == 200
        own, *phases = collector.of(trace(1), 5)
        assert [each.name for each in phases] == ["read", "parse", "answer", "encode"]
        assert own.attributes["reversal.items"] == 3
        assert_nested(own, phases)
        own, *phases = collector.of(trace(2), 10)
        runs = ["features", "stage1", "stage2"]
        assert [each.name for each in phases] == ["read", "parse", *runs, *runs, "encode"]
        versions = [each.attributes.get("reversal.version") for each in phases]
        assert versions[2:5] + versions[5:8] == ["v3.1"] * 3 + ["v3.0"] * 3
        assert_nested(own, phases)


def test_a_state_that_is_no_text_costs_no_answer_and_no_line(collector: TraceCollector, models: Path) -> None:
    bad = {"tracestate": "a=\udcff"}
    with serving("--models", str(models), **tracing(collector)) as server:
        assert ask(server, "/reversal/predict", json.dumps(ONE_WINDOW).encode(), trace(1), **bad) == 200
        assert ask(server, "/reversal/models/v2/switch", b"", trace(2), **bad) == 200
        assert collector.of(trace(1))[0].state == ""
        assert [each.state for each in collector.of(trace(2), 3)] == [""] * 3
        text = server.log
    assert "Traceback" not in text
    assert "opentelemetry" not in text


def test_a_management_call_is_followed_into_the_keeper(collector: TraceCollector, models: Path) -> None:
    with serving("--models", str(models), **tracing(collector)) as server:
        assert ask(server, "/reversal/models/v2/switch", b"", trace(1)) == 200
        assert ask(server, "/reversal/models/v9/switch", b"", trace(2)) == 404
        worker, call, keeper = sorted(collector.of(trace(1), 3), key=lambda span: span.begin)
        assert [each.kind for each in (worker, call, keeper)] == [SERVER, CLIENT, SERVER]
        assert worker.name == keeper.name == "POST /reversal/models/{version}/switch"
        assert (worker.parent_id, call.parent_id, keeper.parent_id) == (PARENT, worker.span_id, call.span_id)
        assert keeper.within(call)
        assert call.within(worker)
        assert worker.attributes["url.path"] == keeper.attributes["url.path"] == "/reversal/models/v2/switch"
        assert keeper.attributes["process.pid"] == server.process.pid
        assert worker.attributes["process.pid"] in server.workers
        statuses = [each.attributes.get("http.response.status_code") for each in collector.of(trace(2), 3)]
        assert sorted(map(str, statuses)) == ["404", "404", "None"]


def test_the_parent_decides_and_log_lines_have_its_trace(collector: TraceCollector, models: Path) -> None:
    environ = tracing(collector, REVERSAL_TRACING_RATIO="1", REVERSAL_LOG_FORMAT="json", REVERSAL_ACCESS_LOG="1")
    with serving("--models", str(models), **environ) as server:
        body = json.dumps(ONE_WINDOW).encode()
        assert ask(server, "/reversal/predict", body, trace(1), "00", X_Request_Id="quiet") == 200
        assert ask(server, "/reversal/models/v9/switch", b"", trace(4), "00") == 404
        assert ask(server, "/reversal/predict", body, trace(2), X_Request_Id="loud") == 200
        assert ask(server, "/reversal/predict", b"{}", X_Request_Id="first") == 422
        assert ask(server, "/health", None, X_Request_Id="probe") == 200
        collector.of(trace(2), 5)
        wait_until(lambda: "GET /health" in [each.name for each in collector.spans])
        log = [json.loads(line) for line in server.stop().splitlines()]
    assert not collector._of(trace(1)) + collector._of(trace(4))  # noqa: SLF001
    by_request = {each.attributes["reversal.request_id"]: each for each in collector.spans if each.kind == SERVER}
    assert by_request.keys() >= {"loud", "first", "probe"}
    assert by_request["first"].parent_id == by_request["probe"].parent_id == ""
    lines = [line for line in log if line.get("event") in {"request_answered", "request_refused"}]
    traces = {line["request_id"]: line["trace_id"] for line in lines}
    assert (traces["quiet"], traces["loud"], traces[trace(4)]) == (trace(1), trace(2), trace(4))
    assert traces["first"] == by_request["first"].trace_id
    spans = {line["request_id"]: line["span_id"] for line in lines}
    assert (spans["loud"], spans["first"]) == (by_request["loud"].span_id, by_request["first"].span_id)
    # In any order: the keeper writes one line, the worker the other.
    assert {line["event"] for line in lines if line["request_id"] == trace(4)} == {
        "request_refused",
        "request_answered",
    }


def test_without_a_collector_requests_are_answered_and_lost_traces_are_counted(
    collector: TraceCollector, models: Path
) -> None:
    body = json.dumps(ONE_WINDOW).encode()
    environ = tracing(collector, OTEL_EXPORTER_OTLP_TIMEOUT="1", REVERSAL_WORKERS="2", REVERSAL_TRACING_RATIO="0")
    with serving("--models", str(models), **environ) as server:
        assert ask(server, "/reversal/predict", body, trace(1)) == 200
        wait_until(lambda: metric(server, "reversal_traces_exported_total") == 1.0)
        collector.stop()
        for number in range(2, 12):
            assert ask(server, "/reversal/predict", body, trace(number)) == 200
        wait_until(lambda: metric(server, "reversal_traces_dropped_total") == 10.0)
        collector.start()
        assert ask(server, "/reversal/predict", body, trace(12)) == 200
        collector.of(trace(12), 5)
        wait_until(lambda: metric(server, "reversal_traces_exported_total") == 2.0)
        log = server.stop()
    lost = events(log, "traces_dropped")
    assert len(lost) == 1
    assert "Connection refused" in lost[0]
    assert "opentelemetry" not in log.replace("keeper.tracing", "")
    assert not [each for each in collector.spans if each.trace_id in map(trace, range(2, 12))]


def is_dropped(server: Server, count: int) -> bool:
    return metric(server, "reversal_traces_dropped_total") == count


@pytest.mark.parametrize(
    ("status", "reason"),
    [(301, "redirects"), (307, "redirects"), (404, "404 Not Found"), (503, "503 Service Unavailable")],
)
def test_an_answer_that_takes_no_traces_is_counted_and_logged_once(
    collector: TraceCollector, models: Path, status: int, reason: str
) -> None:
    collector.status = status
    # With a ratio, requests of /metrics would be recorded as well.
    environ = tracing(collector, OTEL_EXPORTER_OTLP_TIMEOUT="1", REVERSAL_TRACING_RATIO="0")
    with serving("--models", str(models), **environ) as server:
        for number in range(1, 3):
            assert ask(server, "/reversal/predict", json.dumps(ONE_WINDOW).encode(), trace(number)) == 200
            wait_until(partial(is_dropped, server, number))
        assert metric(server, "reversal_traces_exported_total") == 0.0
        log = server.stop()
    (line,) = events(log, "traces_dropped")
    assert reason in line
    assert "opentelemetry" not in log.replace("keeper.tracing", "")


def test_spans_that_wait_are_sent_when_the_server_stops(collector: TraceCollector, models: Path) -> None:
    with serving("--models", str(models), **tracing(collector)) as server:
        wait_until(lambda: "tracing_started" in server.log)
        assert ask(server, "/reversal/predict", json.dumps(ONE_WINDOW).encode(), trace(1)) == 200
        server.stop()
    assert [each.name for each in collector.of(trace(1), 5)] == ["POST /reversal/predict", *PHASES[:4], "encode"]


@pytest.mark.parametrize(
    ("prepare", "environ", "names"),
    [
        ("sys.modules['opentelemetry'] = None", {}, ["REVERSAL_TRACING", "reversal[otel]"]),
        ("", {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, ["OTEL_EXPORTER_OTLP_PROTOCOL", "'grpc'", "http/protobuf"]),
        ("", {"REVERSAL_TRACING_RATIO": "nan"}, ["REVERSAL_TRACING_RATIO", "'nan'", "0 to 1"]),
    ],
    ids=["without the extra", "another protocol", "no ratio"],
)
def test_what_makes_tracing_impossible_ends_the_startup(
    prepare: str, environ: dict[str, str], names: list[str]
) -> None:
    code = f"import runpy, sys; {prepare}\nrunpy.run_module('server', run_name='__main__')"
    given = {"REVERSAL_TRACING": "1", "REVERSAL_PORT": "0", "PATH": "/usr/bin:/bin"} | environ
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=given, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    (line,) = [line for line in ended.stderr.splitlines() if "server_starting" not in line]
    assert all(name in line for name in names), line
