"""The metrics of a worker. An observation takes a lock and a microsecond, so a prediction makes few of them."""

from __future__ import annotations

import os
from collections import Counter as Counts
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Summary, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from core.experiments.experiment import VARIANTS, Variant
from core.inference.detector import Prediction
from core.inference.warnings import CODES
from core.journals.journal import Journal
from core.serving.circuit_breaker import CircuitBreaker
from core.serving.snapshot import Snapshot
from core.version import VERSION
from core.yielding import give_way
from server.http.connections.strangers import KINDS
from server.http.errors import STATUS
from server.logs.metrics import LinesDropped
from server.protocol import metric_files
from server.protocol.memory_metric import Memory
from server.worker.open_inference.statistics import InferenceMetrics
from server.worker.timings import ConfidenceMetrics, TimingMetrics

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
SIGNALS = ("hold", "long", "short")
# prometheus_client adds a `_created` series to each counter, but not with several workers. Both must look the same.
disable_created_metrics()  # type: ignore[no-untyped-call]

# Families of metrics that are written as text in one step, a tenth of a millisecond.
_STEP = 6

C = TypeVar("C", Counter, Gauge, Summary)


class _Children(dict[tuple[str, ...], C], Generic[C]):
    """A metric's children by their labels. Each is created once, not for every request."""

    def __init__(self, metric: C) -> None:
        super().__init__()
        self._metric: C = metric

    def __missing__(self, labels: tuple[str, ...]) -> C:
        child = self[labels] = self._metric.labels(*labels)
        return child


class _Family(CollectorRegistry):
    """A registry with one family of metrics, so that each can be written as text alone."""

    def __init__(self, family: Metric) -> None:
        super().__init__()
        self._family = family

    def collect(self) -> Iterator[Metric]:
        """The family."""
        yield self._family


class Metrics:
    """One application's metrics.

    With several workers, each keeps its numbers in files in PROMETHEUS_MULTIPROC_DIR, and the worker that answers
    /metrics adds them up. The variable must be set before prometheus_client is imported.
    """

    def __init__(self, *, multiprocess: bool = False) -> None:
        self._multiprocess = multiprocess
        self.registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"reversal_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, mode: str, *labels: str) -> Gauge:
            return Gauge(f"reversal_{name}", text, labels, registry=registry, multiprocess_mode=mode)  # type: ignore[arg-type]

        self.predictions = _Children(counter("predictions", "Predictions answered.", "version", "signal"))
        self.errors = _Children(counter("prediction_errors", "Requests and items refused or failed.", "code"))
        self.warnings = _Children(
            counter("prediction_warnings", "Predictions answered with a warning of this code.", "code")
        )
        self.timings, self.confidences = TimingMetrics(registry), ConfidenceMetrics(registry)
        self.inference = InferenceMetrics(registry)
        self.explanations = _Children(
            Summary("reversal_explanation_seconds", "Seconds of an explanation.", ["version"], registry=registry)
        )
        # Counted without a lock, and copied by `refresh`; the exposures also by `flush`.
        self.runs = 0
        self.exposed: dict[Variant, int] = dict.fromkeys(VARIANTS, 0)
        self._runs = counter("model_runs", "Groups of predictions that were computed together.")
        self._runs_before = 0
        self.in_progress = gauge("requests_in_progress", "Single predictions in progress.", "livesum")
        self._memory = Memory(registry, "worker")
        self._loads = _Children(
            gauge("version_load_seconds", "Seconds of the last load, in the slowest worker.", "livemax", "version")
        )
        self.abandoned = counter("predictions_abandoned", "Requests dropped because the client disconnected.")
        self.strangers = _Children(
            counter("connections_without_request", "Connections that brought no request, by kind.", "kind")
        )
        self.fallbacks = _Children(
            counter("fallbacks", "Predictions by `served_by` as the fallback for `version`.", "version", "served_by")
        )
        self.grpc_calls = _Children(counter("grpc_calls", "Calls over gRPC, by method and status.", "method", "code"))
        self._exposures = _Children(counter("exposures", "Predictions answered in an experiment.", "variant"))
        self.shadow_scored = counter("shadow_scored", "Candles that variant B scored in shadow mode.")
        self.shadow_dropped = counter("shadow_dropped", "Candles that variant B had no time to score.")
        self.shadow_failed = counter("shadow_failed", "Candles that variant B could not score.")
        self._waiting = gauge("exposures_waiting", "Records in memory: the journal cannot be written.", "livesum")
        self._unrecorded = counter("exposures_unrecorded", "Exposures for which neither disk nor memory had room.")
        self._unrecorded_before = 0
        self.log_lines_dropped = LinesDropped(registry)
        self._degraded = gauge("journal_degraded", "1 if a worker's journal cannot be written, else 0.", "livemax")
        self._active = _Children(gauge("active_version", "Workers whose active version this is.", "livesum", "version"))
        self._not_loaded = _Children(
            gauge("version_not_loaded", "Workers in which the version could not be loaded.", "livesum", "version")
        )
        self._bundles = _Children(
            gauge("bundle_info", "Workers that serve the version from this bundle.", "livesum", "version", "digest")
        )
        self._failing = _Children(
            gauge("version_failing", "Workers whose circuit breaker is open for the version.", "livesum", "version")
        )
        gauge("build_info", "Always 1, for the running release.", "livemax", "version").labels(VERSION).set(1)
        for variant in VARIANTS:
            self._exposures[(variant,)].inc(0)
        for kind in KINDS:
            self.strangers[(kind,)].inc(0)
        for code in CODES:
            self.warnings[(code,)].inc(0)
        for error in STATUS:  # Prometheus misses the first event of a series that begins with it
            self.errors[(error,)].inc(0)

    def count_error(self, code: str) -> None:
        """Count a request or item that was refused or failed."""
        self.errors[(code,)].inc()

    def count_stranger(self, kind: str) -> None:
        """Count a connection that brought no request."""
        self.strangers[(kind,)].inc()

    def warned(self, predictions: Iterable[Prediction]) -> None:
        """Count the warnings in some answers."""
        for code, count in Counts(warning.code for each in predictions for warning in each.warnings).items():
            self.warnings[(code,)].inc(count)

    def refresh(
        self,
        snapshot: Snapshot,
        journal: Journal,
        breaker: CircuitBreaker,
        loads: Mapping[str, float] | None = None,
        failed: Collection[str] = (),
    ) -> None:
        """Copy the counts that other objects keep. Must be called about once a second, in each worker.

        loads: the seconds that the last load of each version took. failed: versions that could not be loaded.
        """
        for version in {*snapshot.detectors, *failed}:
            _ = self._not_loaded[(version,)]
        for (version,), child in self._not_loaded.items():
            child.set(version in failed)
        for version in snapshot.detectors:
            _ = self._active[(version,)]
            self.confidences.ready(version)
            _ = self.explanations[(version,)]
            for signal in SIGNALS:
                self.predictions[version, signal].inc(0)
            _ = self._bundles[version, snapshot.detectors[version].digest]
        for (version, digest), child in self._bundles.items():
            found = snapshot.detectors.get(version)
            child.set(found is not None and found.digest == digest)
        for (version,), child in self._active.items():
            child.set(version == snapshot.active)
        for version, detector in snapshot.detectors.items():
            self._failing[(version,)].set(breaker.reason(detector) is not None)
        self._waiting.set(journal.waiting)
        self._degraded.set(journal.degraded)
        self._unrecorded.inc(journal.unrecorded - self._unrecorded_before)
        self._unrecorded_before = journal.unrecorded
        self._runs.inc(self.runs - self._runs_before)
        self._runs_before = self.runs
        for version, seconds in (loads or {}).items():
            self._loads[(version,)].set(seconds)
        self._memory.refresh()
        self.log_lines_dropped.refresh()
        self.flush()
        metric_files.keep()

    def flush(self) -> None:
        """Observe what is kept for the histograms, and count exposures. Must be called before the metrics are read."""
        for variant, count in self.exposed.items():
            if count:
                self._exposures[(variant,)].inc(count)
                self.exposed[variant] = 0
        self.timings.flush()
        self.confidences.flush()
        self.inference.flush()

    def exposition(self) -> bytes:
        """All metrics as Prometheus text. With several workers this reads their files: call it in a thread.

        Between the steps of writing it gives way to the event loop, if pauses are enabled (core.yielding).
        """
        parts = []
        for i, family in enumerate(self.families()):
            if i % _STEP == 0:
                give_way()
            parts.append(generate_latest(_Family(family)))
        return b"".join(parts)

    def families(self) -> list[Metric]:
        """All metrics as objects; as for `exposition`, call it in a thread."""
        with self._of_all_workers() as registry:
            return [*registry.collect()]

    @contextmanager
    def _of_all_workers(self) -> Iterator[CollectorRegistry]:
        if not self._multiprocess:
            yield self.registry
            return
        folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
        registry = CollectorRegistry()
        with metric_files.looking(folder):
            MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
            yield registry
