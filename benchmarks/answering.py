"""What `Predictor.predict` takes for an answer beside the detector, in a process of its own. `dashboard` runs it.

The detector is a stub, so that the work around it is not lost in that of networks. The first argument is the number of
questions of a run. Prints microseconds for an answer: the least of many repeats, as other work only adds. It must run
in older checkouts as well, to be compared with them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

from core.inference.decision import Decision
from core.inference.detector import Prediction, Spent
from core.journals.journal import Journal
from core.serving.circuit_breaker import CircuitBreaker
from core.serving.routing import Question
from core.serving.snapshot import Snapshot
from server.worker.metrics import Metrics
from server.worker.predictor import Predictor
from server.worker.shadow import Shadow

ANSWERS, REPEATS = 2_000, 60


class Stub:
    """A detector that always gives the same answer."""

    manifest = SimpleNamespace(version="v1")

    def __init__(self) -> None:
        decision = Decision("hold", 0.9, 0.1, None, reversal_detected=False, direction=None)
        self._prediction = Prediction("v1", decision, (), Spent(1e-4, 1e-4, 0.0))

    def predict(self, sources: list[Any]) -> list[Prediction]:
        """Answer each source."""
        return [self._prediction] * len(sources)


def main() -> None:
    """Measure, and print the figure."""
    together = int(sys.argv[1])
    stub: Any = Stub()
    registry: Any = SimpleNamespace(snapshot=Snapshot("v1", MappingProxyType({"v1": stub}), ("v1",), ("v1",)))
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder), bound_bytes=1 << 30, memory_records=10)
        metrics = Metrics()
        shadow = Shadow(lambda: registry.snapshot, journal, metrics)
        predictor = Predictor(registry, journal, metrics, shadow, CircuitBreaker())
        source: Any = SimpleNamespace(opens=None)
        questions = [Question("EUR/USD", "1h", None, None, source, 0.0, float("inf"))] * together
        runs = ANSWERS // together
        best = float("inf")
        for _ in range(REPEATS):
            began = time.perf_counter()
            for _ in range(runs):
                predictor.answer(questions)
            best = min(best, time.perf_counter() - began)
        journal.close()
    print(1e6 * best / (runs * together))


if __name__ == "__main__":
    main()
