"""Sends recorded requests to a collector with OpenTelemetry's exporter. No other module uses that package.

The exporter reads the standard variables itself: OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _TIMEOUT, _CERTIFICATE and so
on. The resource is that of OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from core.version import VERSION
from server.tracing.records import RequestSpan
from server.tracing.tracer import new_span_id

_SCOPE = InstrumentationScope("reversal", VERSION)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_LIBRARY = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


class _Reasons(logging.Filter):
    """Keeps the library's last message about a failure. It logs several for each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the message, and log nothing."""
        self.last = record.getMessage()
        return False


class _Session(requests.Session):
    """Keeps why the last attempt failed, because the library's last message often does not say it.

    A redirect is a failure: the exporter follows none and takes it for success, so that all traces would be lost
    unnoticed.
    """

    failure = ""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401 - passed on
        """See requests.Session."""
        try:
            response = super().send(request, **options)
        except requests.RequestException as error:
            self.failure = _innermost(error)
            raise
        self.failure = "" if response.ok else f"{response.status_code} {response.reason}"
        if response.is_redirect:
            self.failure = f"{response.status_code}: the collector redirects; set its final address"
            raise requests.TooManyRedirects(self.failure)
        return response


def _innermost(error: BaseException) -> str:
    """The text of the exception that began a chain. Those of the libraries around it repeat the URL."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error)


class OtlpSender:
    """The exporter. Its methods block: call them in a thread."""

    def __init__(self, environment: str) -> None:
        """Create the exporter. Raises an exception of any kind for a variable that it cannot use."""
        self._reasons = _Reasons()
        logging.getLogger(_LIBRARY).addFilter(self._reasons)
        ours = {
            "service.name": "reversal",
            "service.version": VERSION,
            "service.instance.id": f"{os.uname().nodename}-{os.getpid()}",
            "deployment.environment.name": environment,
        }
        self._resource = Resource.create(ours | dict(OTELResourceDetector().detect().attributes))
        self._session = _Session()
        self._exporter = OTLPSpanExporter(session=self._session)

    def send(self, requests: Sequence[RequestSpan]) -> str | None:
        """Send some requests. Returns the reason if that failed. It takes ten seconds at most, if nothing is set."""
        spans = [span for request in requests for span in self._spans(request)]
        self._reasons.last = self._session.failure = ""
        if self._exporter.export(spans) is SpanExportResult.SUCCESS:
            return None
        return self._session.failure or self._reasons.last or "unknown"

    def close(self) -> None:
        """Close the connection, and end an attempt that is in progress."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _spans(self, request: RequestSpan) -> Iterator[ReadableSpan]:
        trace_id, state = int(request.trace_id, 16), TraceState.from_header([request.state])

        def context(span_id: str, *, remote: bool = False) -> SpanContext:
            return SpanContext(trace_id, int(span_id, 16), remote, _SAMPLED, state)

        own = context(request.span_id)
        yield ReadableSpan(
            request.name,
            own,
            context(request.parent_id, remote=True) if request.parent_id else None,
            self._resource,
            request.attributes,
            kind=SpanKind.SERVER,
            status=Status(StatusCode.ERROR if request.failed else StatusCode.UNSET),
            start_time=request.begin,
            end_time=request.end,
            instrumentation_scope=_SCOPE,
        )
        for each in request.children:
            yield ReadableSpan(
                each.name,
                context(each.span_id or new_span_id()),
                own,
                self._resource,
                each.attributes,
                kind=SpanKind.CLIENT if each.span_id else SpanKind.INTERNAL,
                start_time=each.begin,
                end_time=each.end,
                instrumentation_scope=_SCOPE,
            )
