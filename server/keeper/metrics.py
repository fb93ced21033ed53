"""The keeper's gauges in /metrics, beside the workers' metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from server.logs.metrics import LinesDropped
from server.protocol import metric_files


class KeeperMetrics:
    """Metrics of one keeper. Workers read them from files that all processes of a server share."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._degraded = Gauge(
            "reversal_store_degraded",
            "1 while management calls fail because of the store.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._bytes = Gauge(
            "reversal_journal_bytes",
            "Bytes in the journals that are not in the store yet.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._workers = Gauge(
            "reversal_workers",
            "Workers that are connected to the keeper.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._log_lines_dropped = LinesDropped(registry)
        self._traces = [
            Counter(f"reversal_traces_{what}", f"Recorded requests whose trace was {what}.", registry=registry)
            for what in ("exported", "dropped")
        ]
        self._traces_before = (0, 0)

    def traced(self, exported: int, dropped: int) -> None:
        """Copy the numbers of recorded requests whose traces were exported and dropped so far."""
        for counter, now, before in zip(self._traces, (exported, dropped), self._traces_before, strict=True):
            counter.inc(now - before)
        self._traces_before = exported, dropped

    def refresh(self, *, degraded: bool, bytes_waiting: int, workers: int) -> None:
        """Set all gauges, and copy the counts that other objects keep."""
        self._degraded.set(degraded)
        self._bytes.set(bytes_waiting)
        self._workers.set(workers)
        self._log_lines_dropped.refresh()
        metric_files.keep()
