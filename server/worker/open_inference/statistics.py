"""The statistics of the Open Inference Protocol: what was asked through it, by version, in this process.

They are kept as plain numbers and become metrics once a second, as the timings of single predictions do. The metrics of
all workers together are the statistics that a client reads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from time import perf_counter, time
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.metrics_core import Metric

from core.inference.detector import Spent
from server.worker.timings import TOGETHER

# The durations of a version. success and fail: of whole requests. compute_input: decoding and features. compute_infer:
# scalers and networks. compute_output: encoding.
Phase: TypeAlias = Literal["success", "fail", "queue", "compute_input", "compute_infer", "compute_output"]
PHASES: tuple[Phase, ...] = get_args(Phase)

_NANOSECONDS = 1e9
_MILLISECONDS = 1e3
_PREFIX = "reversal_v2_"


class _Answered(NamedTuple):
    """An answered request: see `InferenceMetrics.succeeded`. done: when it was encoded."""

    version: str
    items: int
    since: float
    parsed: float
    known: float
    done: float
    runs: Sequence[Spent]


class _Kept:
    """What was noted of a version since the last flush. It has the seconds of each of PHASES."""

    __slots__ = ("executions", "failures", "inferences", "last", "requests", *PHASES)

    def __init__(self) -> None:
        self.requests = self.failures = self.inferences = self.executions = 0
        self.success = self.fail = self.queue = self.compute_input = self.compute_infer = self.compute_output = 0.0
        self.last = 0.0  # when the last item was answered, in seconds since 1970


class InferenceMetrics:
    """Counts requests of the protocol. Call `flush` before the metrics are read."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"{_PREFIX}{name}", text, labels, registry=registry)

        self._requests = counter("requests", "Requests of the Open Inference Protocol.", "version", "result")
        self._inferences = counter("inferences", "Items answered by the Open Inference Protocol.", "version")
        self._executions = counter("executions", "Runs that answered such items; a run may answer several.", "version")
        self._seconds = counter("seconds", "Seconds of such requests, by phase.", "version", "phase")
        self._last = Gauge(
            f"{_PREFIX}last_inference_seconds",
            "When such an item was last answered, in seconds since 1970.",
            ["version"],
            registry=registry,
            multiprocess_mode="max",
        )
        self._kept: defaultdict[str, _Kept] = defaultdict(_Kept)
        self._answered: list[_Answered] = []  # not yet added to what is kept
        self._spent: Spent | None = None  # of the last run, which the next request may have shared

    def succeeded(  # noqa: PLR0913, PLR0917 - one call for each answer, and names take time
        self, version: str, items: int, since: float, parsed: float, known: float, runs: Sequence[Spent]
    ) -> None:
        """Note a request whose answer has just been encoded.

        since, parsed, known: when it arrived, was decoded and had its results, of time.perf_counter. runs: what each
        run of predictions spent.
        """
        self._answered.append(_Answered(version, items, since, parsed, known, perf_counter(), runs))
        if len(self._answered) >= TOGETHER:
            self._add_answered()

    def _add_answered(self) -> None:
        answered, self._answered = self._answered, []
        ahead = time() - perf_counter()
        for version, items, since, parsed, known, done, runs in answered:
            kept = self._kept[version]
            kept.requests += 1
            kept.inferences += items
            features = networks = 0.0
            for spent in runs:
                features += spent.features
                networks += spent.stage1 + spent.stage2
                kept.executions += spent is not self._spent
            self._spent = runs[-1]
            kept.success += done - since
            kept.queue += max(0.0, known - parsed - features - networks)
            kept.compute_input += parsed - since + features
            kept.compute_infer += networks
            kept.compute_output += done - known
            kept.last = done + ahead

    def failed(self, version: str, seconds: float) -> None:
        """Note a request that was not answered. version: that was asked, which must be a known one."""
        kept = self._kept[version]
        kept.failures += 1
        kept.fail += seconds

    def flush(self) -> None:
        """Add what is kept to the metrics."""
        self._add_answered()
        kept_by_version, self._kept = self._kept, defaultdict(_Kept)
        for version, kept in kept_by_version.items():
            for counter, result in ((kept.requests, "success"), (kept.failures, "fail")):
                if counter:
                    self._requests.labels(version, result).inc(counter)
            if kept.requests:
                self._inferences.labels(version).inc(kept.inferences)
                self._executions.labels(version).inc(kept.executions)
                self._last.labels(version).set(kept.last)
            for phase in PHASES:
                if seconds := getattr(kept, phase):
                    self._seconds.labels(version, phase).inc(seconds)


def statistics(families: Iterable[Metric], model: str, versions: Sequence[str]) -> dict[str, Any]:
    """What the protocol tells about these versions, from the metrics of all workers."""
    found: defaultdict[tuple[str, str], float] = defaultdict(float)
    for family in families:
        for sample in family.samples:
            if sample.name.startswith(_PREFIX):
                name = sample.name.removeprefix(_PREFIX)
                labels = sample.labels
                key = labels.get("phase", name)
                if "result" in labels:
                    key = f"{labels['result']}_count"
                found[labels["version"], key] = sample.value
    return {"model_stats": [_of_version(model, version, found) for version in versions]}


def _of_version(model: str, version: str, found: dict[tuple[str, str], float]) -> dict[str, Any]:
    succeeded, failed = int(found[version, "success_count"]), int(found[version, "fail_count"])
    counts = dict.fromkeys(PHASES, succeeded) | {"fail": failed}
    durations = {phase: _duration(count, found[version, phase]) for phase, count in counts.items()}
    return {
        "name": model,
        "version": version,
        "last_inference": int(found[version, "last_inference_seconds"] * _MILLISECONDS),
        "inference_count": int(found[version, "inferences_total"]),
        "execution_count": int(found[version, "executions_total"]),
        "inference_stats": durations | dict.fromkeys(("cache_hit", "cache_miss"), _duration(0, 0.0)),
        "batch_stats": [],
    }


def _duration(count: int, seconds: float) -> dict[str, int]:
    return {"count": count, "ns": int(seconds * _NANOSECONDS)}
