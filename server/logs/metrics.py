"""The metric of log lines that were lost."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from server.logs import output


class LinesDropped:
    """Counts the lines that this process lost. Worker and keeper have the same metric, so that /metrics adds them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._metric = Counter(
            "reversal_log_lines_dropped", "Log lines lost because standard error took none.", registry=registry
        )
        self._before = 0

    def refresh(self) -> None:
        """Copy the number. Must be called about once a second."""
        now = output.dropped()
        self._metric.inc(now - self._before)
        self._before = now
