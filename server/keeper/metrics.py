"""The keeper's gauges in /metrics, beside the workers' metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

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

    def refresh(self, *, degraded: bool, bytes_waiting: int, workers: int) -> None:
        """Set all gauges, and copy the counts that other objects keep."""
        self._degraded.set(degraded)
        self._bytes.set(bytes_waiting)
        self._workers.set(workers)
        self._log_lines_dropped.refresh()
        metric_files.keep()
