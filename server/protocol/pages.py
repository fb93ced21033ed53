"""What workers tell the keeper for the open pages of the dashboard: their last answers, and the windows behind them.

The fields of a signal are those of the stream (docs/dashboard-stream.md).
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

# The content type of a stream of events, the header with the id of the last event that a client has seen, and the
# header that keeps proxies from holding events back.
EVENTS = "text/event-stream"
LAST_EVENT = "Last-Event-ID"
PROXY_BUFFERING = "X-Accel-Buffering"


def event(kind: str, data: bytes, number: str = "") -> bytes:
    """One event of a stream. data: JSON on one line. number: its id, if it has one."""
    head = f"id: {number}\nevent: {kind}\ndata: " if number else f"event: {kind}\ndata: "
    return b"%b%b\n\n" % (head.encode(), data)


def iso_ms(at: float) -> str:
    """A time of time.time() in ISO 8601, UTC, with milliseconds: as text, later times are greater."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class OfExperiment(msgspec.Struct, frozen=True):
    """The experiment that chose the version of an answer, and the variant that it assigned."""

    experiment_id: str
    variant: str


class ShownSignal(msgspec.Struct, frozen=True):
    """One answer, without its candles and its user. worker: the process id of the worker that answered."""

    at: str
    pair: str
    timeframe: str
    signal: str
    confidence: float
    stage1_prob: float
    stage2_prob: float | None
    threshold: float
    version: str
    latency_ms: float
    warnings: tuple[str, ...]
    fallback_reason: str | None
    experiment: OfExperiment | None
    prediction_id: str | None
    candle_time: str | None
    worker: int


class KeptPlace(msgspec.Struct, frozen=True):
    """A pair and a timeframe of which a worker keeps the last window. at: when that was answered."""

    pair: str
    timeframe: str
    at: str


class KeptSeries(msgspec.Struct, frozen=True):
    """The candles of a window, oldest first: open, high, low, close and volume. signal: the answer to it.

    opens: when each began, in milliseconds since 1970; None if they had no timestamps.
    """

    columns: tuple[list[float], ...]
    opens: list[float] | None
    signal: ShownSignal


class Watch(msgspec.Struct, frozen=True, tag=True):
    """Tell your answers after the one with this number, and how you are. It is asked only while a page is open."""

    question: int
    after: int


class Watched(msgspec.Struct, frozen=True, tag=True):
    """A worker's newest answers, oldest first.

    last: the number of the newest one, which is that of all its answers so far. trouble: why /readyz answers 503.
    failing: why other versions answer first in place of a version. journal_degraded: whether records cannot be written.
    waiting: the records in memory.
    """

    question: int
    signals: tuple[ShownSignal, ...]
    last: int
    trouble: str | None
    failing: dict[str, str]
    journal_degraded: bool
    waiting: int


class AskWindow(msgspec.Struct, frozen=True, tag=True):
    """Tell which windows you keep, and send the one of this pair and timeframe, if they are given."""

    question: int
    pair: str | None
    timeframe: str | None


class FoundWindow(msgspec.Struct, frozen=True, tag=True):
    """The windows that a worker keeps, and the one that was asked for."""

    question: int
    places: tuple[KeptPlace, ...]
    window: KeptSeries | None
