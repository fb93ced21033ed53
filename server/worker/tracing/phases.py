"""The phases of predictions, as children of a request's span. Their names are those of the Server-Timing header."""

from __future__ import annotations

from time import perf_counter

from core.inference.detector import Prediction
from server.tracing.records import Attributes
from server.tracing.tracer import Trace


def add_prediction(trace: Trace, since: float, parsed: float, prediction: Prediction) -> None:
    """Add the phases of a single prediction before its encoding. since, parsed: as in Timings.of."""
    trace.add("parse", since, parsed)
    trace.add("queue", parsed, max(parsed, prediction.began))
    add_run(trace, prediction)
    trace.attributes["reversal.version"] = prediction.version
    trace.attributes["reversal.signal"] = prediction.decision.signal


def add_batch(trace: Trace, since: float, parsed: float, known: float, items: int) -> None:
    """Add the phases of a batch that is encoded by now: when it had arrived, was decoded, and had its results."""
    trace.add("parse", since, parsed)
    trace.add("answer", parsed, known)
    trace.add("encode", known, perf_counter())
    trace.attributes["reversal.items"] = items


def add_run(trace: Trace, prediction: Prediction, attributes: Attributes | None = None) -> None:
    """Add the phases of the run that a prediction was part of. Other requests of the run have the same."""
    spent, begin = prediction.spent, prediction.began
    for name, seconds in zip(spent._fields, spent, strict=True):
        if seconds > 0.0:
            trace.add(name, begin, begin + seconds, attributes)
        begin += seconds
