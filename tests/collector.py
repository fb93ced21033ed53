"""A collector of traces: an HTTP server that decodes what OpenTelemetry's exporter sends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.waiting import wait_until

Attributes = dict[str, Any]


@dataclass
class CollectedSpan:
    """A span as it arrived. Times are nanoseconds."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    begin: int
    end: int
    attributes: Attributes
    status: int
    state: str
    resource: Attributes

    def within(self, other: CollectedSpan) -> bool:
        return other.begin <= self.begin <= self.end <= other.end


@dataclass
class TraceCollector:
    """Listens on a port of its own, which stays the same after `stop` and `start`."""

    status: int = 200
    port: int = 0
    spans: list[CollectedSpan] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/v1/traces" and collector.status == 200:
                    collector.headers.append({name.lower(): value for name, value in self.headers.items()})
                    collector.spans += decoded(body)
                self.send_response(collector.status)
                if collector.status in range(300, 400):
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def of(self, trace_id: str, count: int = 1) -> list[CollectedSpan]:
        """The spans of a trace, once there are so many: parents first, then in the order of their beginning."""
        wait_until(lambda: len(self._of(trace_id)) >= count)
        return sorted(self._of(trace_id), key=lambda span: (span.kind == 1, span.begin))

    def _of(self, trace_id: str) -> list[CollectedSpan]:
        return [span for span in list(self.spans) if span.trace_id == trace_id]


def decoded(body: bytes) -> Iterator[CollectedSpan]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield CollectedSpan(
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.kind,
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    _attributes(span.attributes),
                    span.status.code,
                    span.trace_state,
                    _attributes(resource.resource.attributes),
                )


def _attributes(given: Any) -> Attributes:  # noqa: ANN401 - protobuf's
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in given}


@contextmanager
def collecting(status: int = 200) -> Iterator[TraceCollector]:
    collector = TraceCollector(status)
    collector.start()
    try:
        yield collector
    finally:
        collector.stop()
