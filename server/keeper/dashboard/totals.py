"""The counts of all processes of this server, and what happened between two readings of them."""

from __future__ import annotations

import json
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

from server.http.envelope import Json
from server.protocol.metric_files import read
from server.protocol.pages import iso_ms
from server.protocol.timing import BUCKETS, PHASES

# A series, and the values of its labels in the order of their names.
Series: TypeAlias = tuple[str, tuple[str, ...]]

_PREDICTIONS = "reversal_predictions_total"
_ERRORS, _WARNINGS = "reversal_prediction_errors_total", "reversal_prediction_warnings_total"
_LATENCY, _PHASE, _PHASE_SUM = (
    *("reversal_prediction_seconds_bucket", "reversal_phase_seconds_bucket"),
    "reversal_phase_seconds_sum",
)
_RUNS, _ABANDONED = "reversal_model_runs_total", "reversal_predictions_abandoned_total"
_FALLBACKS, _EXPOSURES = "reversal_fallbacks_total", "reversal_exposures_total"
_MEMORY, _IN_PROGRESS = "reversal_memory_bytes", "reversal_requests_in_progress"
_USED = frozenset(
    (
        *(_PREDICTIONS, _ERRORS, _WARNINGS, _LATENCY, _PHASE, _PHASE_SUM, _RUNS, _ABANDONED, _FALLBACKS, _EXPOSURES),
        *(_MEMORY, _IN_PROGRESS),
    )
)


class ServerCounts(NamedTuple):
    """All counts since the server started.

    at: of time.time(). clock: of time.monotonic(). sums: by series; gauges are of the live processes. ended: the
    predictions that workers answered which have ended.
    """

    at: float
    clock: float
    sums: Counter[Series]
    ended: int

    @classmethod
    def nothing(cls) -> ServerCounts:
        """The counts of a server that has just started."""
        return cls(time.time(), time.monotonic(), Counter(), 0)

    @classmethod
    def of(cls, folder: Path, live: Collection[str]) -> ServerCounts:
        """The counts in the files of a folder. live: the process ids of the workers. Call it in a thread."""
        at, clock = time.time(), time.monotonic()
        sums: Counter[Series] = Counter()
        ended = 0.0
        for kind, process, numbers in read(folder):
            gone = kind == "counter" and process not in live
            for key, value in numbers:
                series = _series(key)
                if series is not None:
                    sums[series] += value  # type: ignore[assignment] # Counter's type has integers only
                    if gone and series[0] == _PREDICTIONS:
                        ended += value
        return cls(at, clock, sums, round(ended))

    def total(self, name: str) -> float:
        """The sum of all series of a name."""
        return sum(value for (series, _), value in self.sums.items() if series == name)

    @property
    def exposures(self) -> int:
        """The predictions that were recorded for experiments."""
        return round(self.total(_EXPOSURES))

    @property
    def in_progress(self) -> int:
        """The single predictions in progress."""
        return round(self.total(_IN_PROGRESS))

    def memory(self, process: str) -> int:
        """The resident bytes of the workers, or of the keeper."""
        return round(self.sums[_MEMORY, (process,)])


@lru_cache(maxsize=8192)
def _series(key: str) -> Series | None:
    """The series of a key in a file; None for one that no page shows."""
    _, name, labels, _ = json.loads(key)
    return (name, tuple(labels[label] for label in sorted(labels))) if name in _USED else None


def point(before: ServerCounts, after: ServerCounts) -> Json:
    """What happened between two readings. Counts of ended workers stay in the sums, so that none is negative."""
    grown = dict(_grown(before, after))
    answers: dict[str, dict[str, int]] = {}
    latency = [0] * (len(BUCKETS) + 1)
    phases: dict[str, Json] = {}
    for (name, labels), value in grown.items():
        if name == _PREDICTIONS:
            answers.setdefault(labels[1], {})[labels[0]] = round(value)  # signal, version
        elif name == _LATENCY:
            latency[bisect_left(BUCKETS, float(labels[0]))] += round(value)
        elif name == _PHASE:
            phases.setdefault(labels[1], {"seconds": 0.0, "count": 0})["count"] += round(value)
        elif name == _PHASE_SUM:
            phases.setdefault(labels[0], {"seconds": 0.0, "count": 0})["seconds"] += value
    return {
        "at": iso_ms(after.at),
        "seconds": round(after.clock - before.clock, 3),
        "answers": answers,
        "errors": _by_code(grown, _ERRORS),
        "warnings": _by_code(grown, _WARNINGS),
        "latency": latency if any(latency) else [],
        "phases": {phase: phases[phase] for phase in PHASES if phase in phases},
        "runs": _sum(grown, _RUNS),
        "fallbacks": _sum(grown, _FALLBACKS),
        "abandoned": _sum(grown, _ABANDONED),
    }


def _grown(before: ServerCounts, after: ServerCounts) -> Iterator[tuple[Series, float]]:
    for series, value in after.sums.items():
        if (more := value - before.sums[series]) > 0:
            yield series, more


def _by_code(grown: dict[Series, float], wanted: str) -> dict[str, int]:
    return {labels[0]: round(value) for (name, labels), value in grown.items() if name == wanted}


def _sum(grown: dict[Series, float], wanted: str) -> int:
    return round(sum(value for (name, _), value in grown.items() if name == wanted))
