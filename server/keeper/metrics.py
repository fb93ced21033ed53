"""The keeper's gauges in /metrics, beside the workers' metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from core.reports.recall import Recall
from server.logs.metrics import LinesDropped
from server.protocol import metric_files
from server.protocol.memory_metric import Memory


class KeeperMetrics:
    """Metrics of one keeper. Workers read them from files that all processes of a server share."""

    def __init__(self, configured: int = 1) -> None:
        """`configured`: the number of workers that should run."""
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
        Gauge(
            "reversal_workers_configured",
            "Workers that should run.",
            registry=registry,
            multiprocess_mode="livemax",
        ).set(configured)
        self._lost = Counter(
            "reversal_workers_lost",
            "Workers that ended without being asked to: killed, crashed or stalled.",
            registry=registry,
        )
        self._lost_before = 0
        self._replicas = Gauge(
            "reversal_replicas",
            "Connected replicas that use the same store, with this one.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        labels = ("experiment", "version")
        self._recall, self._recall_upper, self._recall_reversals = (
            Gauge(f"reversal_stage1_recall{name}", text, labels, registry=registry, multiprocess_mode="livemax")
            for name, text in (
                ("", "Share of the labelled reversals that Stage 1 noticed, in the latest labelled experiment."),
                ("_upper", "Upper end of that share's interval; NaN until there are enough candle times."),
                ("_reversals", "Candles that are labelled as reversals, from which the share is computed."),
            )
        )
        self._recalls: set[tuple[str, str]] = set()
        self._memory = Memory(registry, "keeper")
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

    def know_replicas(self, count: int) -> None:
        """Set the number of connected replicas, with this one."""
        self._replicas.set(count)

    def refresh(self, *, degraded: bool, bytes_waiting: int, workers: int, lost: int = 0) -> None:
        """Set all gauges, and copy the counts that other objects keep. `lost`: workers so far."""
        self._degraded.set(degraded)
        self._bytes.set(bytes_waiting)
        self._workers.set(workers)
        self._lost.inc(lost - self._lost_before)
        self._lost_before = lost
        self._memory.refresh()
        self._log_lines_dropped.refresh()
        metric_files.keep()

    def set_recall(self, experiment: str, recalls: Mapping[str, Recall]) -> None:
        """Set Stage 1's recall by version. What was set before and is not known any more becomes NaN.

        Such a series cannot be removed: prometheus_client keeps it in its file.
        """
        for gone in self._recalls - {(experiment, version) for version in recalls}:
            self._set_recall(gone, Recall(math.nan, 0, None))
        for version, recall in recalls.items():
            self._set_recall((experiment, version), recall)
        self._recalls |= {(experiment, version) for version in recalls}

    def _set_recall(self, labels: tuple[str, str], recall: Recall) -> None:
        self._recall.labels(*labels).set(recall.share)
        self._recall_upper.labels(*labels).set(math.nan if recall.upper is None else recall.upper)
        self._recall_reversals.labels(*labels).set(recall.reversals)
