"""What the keeper adds to /metrics, beside what the workers count."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from server.protocol import metric_files


class KeeperMetrics:
    """Gauges of one keeper. Workers find them in the files that all processes of a server share."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._degraded = Gauge(
            "reversal_store_degraded",
            "1 while the store takes nothing and the journals fill.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._bytes = Gauge(
            "reversal_journal_bytes",
            "What the journals hold and the store does not have yet.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._workers = Gauge(
            "reversal_workers", "Workers that follow the keeper.", registry=registry, multiprocess_mode="livemax"
        )

    def refresh(self, *, degraded: bool, bytes_waiting: int, workers: int) -> None:
        """Tell how things stand."""
        self._degraded.set(degraded)
        self._bytes.set(bytes_waiting)
        self._workers.set(workers)
        metric_files.keep()
