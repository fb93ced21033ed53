"""What an experiment adds to the CPU time of an answer, in microseconds, and where: without sockets, in one process.

`worker` is the choice of a version, the prediction and the record in the journal, for answers that are computed
together; with a split experiment less without one, in turns. All users are assigned to one version, so that its
networks do the same work. `halved` is what half of the users with the other version add to that: its answers are
computed in a run of their own, even though both versions have equal networks here. `keeper` is the drain of a second's
exposures from the journal into a new SQLite file. Each figure is the least of many turns, because on a shared machine
all others contain the work of other processes, in the caches that both use.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from types import MappingProxyType
from typing import cast

import reversal
from benchmarks import bodies, stages
from benchmarks.journal import exposure
from benchmarks.machine import ROOT, machine, save
from benchmarks.options import parser
from core.experiments.experiment import Experiment
from core.journals.drainer import Drainer
from core.journals.journal import Journal
from core.serving.circuit_breaker import CircuitBreaker
from core.serving.registry import Registry
from core.serving.routing import Question
from core.serving.snapshot import Snapshot
from core.store import open_store
from server.api import decoding
from server.worker.metrics import Metrics
from server.worker.predictor import Predictor
from server.worker.shadow import Shadow

KINDS = ("features", "120 candles")
TOGETHER = (1, 8, 32)
# Answers in one turn.
ANSWERS = 160
# Exposures in one drain, about those of half a second and of a tenth.
DRAINS = (2000, 400)
DRAINED = 8000


def snapshot(split: float | None) -> Snapshot:
    """Return what a worker serves: v3.0, its copy v3.1, and an experiment that assigns `split` of all users to v3.0."""
    versions = (stages.VERSION, "v3.1")
    detectors = [reversal.load(stages.VERSION, ROOT / "models" / "onnx")._detector for _ in versions]  # noqa: SLF001 - as a worker has it
    experiment = Experiment(
        experiment_id="recording",
        name="",
        variant_a=stages.VERSION,
        variant_b=versions[1],
        traffic_split=split or 0.0,
        created_at=0,
        status="active",
    )
    loaded = MappingProxyType(dict(zip(versions, detectors, strict=True)))
    running = None if split is None else experiment
    return Snapshot(stages.VERSION, loaded, versions, versions, running, bytes(32))


def questions(kind: str, count: int, *, users: bool) -> list[Question]:
    """Return decoded requests."""
    texts = [bodies.encoded(body) for body in bodies.asking(kind, users=users)[:count]]
    return [decoding.prediction(text, time.perf_counter(), float("inf")) for text in texts]


def answered(predictor: Predictor, serving: Snapshot, together: list[Question]) -> float:
    """Return the microseconds of CPU time for an answer."""
    turns = ANSWERS // len(together)
    began = time.process_time()
    for _ in range(turns):
        predictor.note(together, predictor.predict(serving, together))
    return 1e6 * (time.process_time() - began) / (turns * len(together))


def worker(rounds: int, folder: Path) -> dict[str, dict[str, float]]:
    """Return what an experiment adds in a worker, by kind and by the number of answers that run together."""
    journal = Journal(folder, bound_bytes=1 << 40, memory_records=0)
    unused = cast("Registry", None), cast("Shadow", None)
    predictor = Predictor(unused[0], journal, Metrics(), unused[1], CircuitBreaker())
    serving = {split: snapshot(split) for split in (None, 1.0, 0.5)}
    found = {}
    for kind in KINDS:
        for count in TOGETHER:
            asked = {split: questions(kind, count, users=split is not None) for split in serving}
            times: dict[float | None, list[float]] = {split: [] for split in serving}
            for _ in range(rounds):
                for split, each in serving.items():
                    times[split].append(answered(predictor, each, asked[split]))
            none, whole, halved = (min(of_split) for of_split in times.values())
            added = {"none": none, "added": whole - none, "halved": halved - whole}
            found[f"{kind}, {count} together"] = {name: round(value, 1) for name, value in added.items()}
    journal.close()
    return found


def keeper(folder: Path, size: int) -> float:
    """Return the microseconds of CPU time for an exposure, in drains of `size`."""
    journal = Journal(folder / "journals", bound_bytes=1 << 40, memory_records=0)
    store = open_store(f"sqlite:///{folder}/state.db")
    drainer = Drainer(folder / "journals")
    used = 0.0
    for start in range(0, DRAINED, size):
        for number in range(start, start + size):
            journal.append([exposure(number)])
        began = time.process_time()
        if drainer.drain(store).records != size:
            raise SystemExit("a drain did not find all records")
        used += time.process_time() - began
    drainer.close()
    store.close()
    journal.close()
    return 1e6 * used / DRAINED


def main() -> None:
    """Measure, and print the least of all rounds."""
    options = parser(__doc__, "recording", rounds=60, seconds=0).parse_args()
    about = machine()
    with tempfile.TemporaryDirectory() as folder:
        added = worker(options.rounds, Path(folder))
    drains: dict[int, list[float]] = {size: [] for size in DRAINS}
    for _ in range(max(1, options.rounds // 10)):
        for size, times in drains.items():
            with tempfile.TemporaryDirectory() as folder:
                times.append(keeper(Path(folder), size))
    result = {"worker": added, "keeper": {f"drains of {size}": round(min(times), 1) for size, times in drains.items()}}
    save({"machine": about} | result, options.output)


if __name__ == "__main__":
    main()
