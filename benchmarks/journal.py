"""The cost of recording an answer: appends of 1, 8 and 32 exposures to a journal, and the drain that follows.

All of it runs in one process and one thread. `decode` drains into a store that keeps nothing, so it times only reading
and decoding. `store` drains exposures into a new SQLite file. `idle` is a drain that finds nothing new.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from benchmarks.machine import BUILD, machine, save
from core.experiments.records import Exposure, Record, new_prediction_id, prediction_moment
from core.journals import journal_files
from core.journals.drainer import Drainer
from core.journals.journal import Journal
from core.store import open_store
from core.store.interface import Store

SIZES = (1, 8, 32)
WARM_UP = 500
IDLE_ROUNDS = 1000


class Nowhere:
    """The part of a store that a drainer needs. It keeps positions and no records."""

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}

    def drained(self, journal: str) -> int:
        """See Store."""
        return self._positions.get(journal, 0)

    def drain(self, journal: str, upto: int, _: Sequence[Record], *, after: int | None = None) -> None:  # noqa: ARG002 - the interface
        """See Store."""
        self._positions[journal] = upto

    def forget(self, journal: str) -> None:
        """See Store."""
        del self._positions[journal]


def exposure(number: int) -> Exposure:
    """Return an exposure of one of 1,000 users, on one of 100 candles."""
    now = time.time_ns() // 1000
    return Exposure(
        prediction_id=new_prediction_id(prediction_moment(now)),
        at=now,
        experiment_id="v30_vs_v31",
        variant="AB"[number % 2],  # type: ignore[arg-type]
        version="v3.1",
        fallback_reason=None,
        user=f"{number % 1000:032x}",
        pair="EUR/USD",
        timeframe="1h",
        candle=f"t:{1_760_000_000_000 + 3_600_000 * (number % 100)}",
        signal="long",
        confidence=0.7512345678901234,
        stage1_prob=0.8212345678901234,
        stage2_prob=0.6812345678901234,
        latency_us=412,
        slow=False,
    )


def appends(journal: Journal, exposures: Sequence[Exposure], size: int) -> list[float]:
    """Return the microseconds of each append of `size` exposures."""
    times = []
    for first in range(0, len(exposures), size):
        records = exposures[first : first + size]
        start = time.perf_counter()
        journal.append(records)
        times.append(1e6 * (time.perf_counter() - start))
    return times


def timed(call: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def drained(drainer: Drainer, store: Store, count: int) -> float:
    """Return the seconds of a drain. Raises SystemExit if it does not find `count` records."""
    start = time.perf_counter()
    found = drainer.drain(store)
    seconds = time.perf_counter() - start
    if found != (count, 0, 0):
        raise SystemExit(f"{count} records were written, but the drain found {found}")
    return seconds


def round_of(folder: Path, exposures: Sequence[Exposure]) -> dict[str, float]:
    """Measure one round in a new folder."""
    found: dict[str, float] = {}
    journal = Journal(folder / "decode", bound_bytes=1 << 40, memory_records=0)
    appends(journal, exposures[:WARM_UP], 1)
    for size in SIZES:
        percentiles = statistics.quantiles(appends(journal, exposures, size), n=100)
        found[f"append of {size}, p50 us"] = percentiles[49]
        found[f"append of {size}, p99 us"] = percentiles[98]
    count = WARM_UP + len(SIZES) * len(exposures)
    found["bytes a record"] = sum(journal_files.sizes(folder / "decode").values()) / count
    drainer = Drainer(folder / "decode")
    nowhere = cast("Store", Nowhere())
    found["decode, records a second"] = count / drained(drainer, nowhere, count)
    found["idle round, us"] = 1e6 * statistics.median(timed(lambda: drainer.drain(nowhere)) for _ in range(IDLE_ROUNDS))
    drainer.close()
    if journal.unrecorded or journal.close():
        raise SystemExit(f"some records were not written: {journal.error}")

    journal = Journal(folder / "store", bound_bytes=1 << 40, memory_records=0)
    appends(journal, exposures, SIZES[-1])
    store = open_store(f"sqlite:///{folder / 'state.db'}")
    drainer = Drainer(folder / "store")
    found["store, records a second"] = len(exposures) / drained(drainer, store, len(exposures))
    drainer.close()
    store.close()
    journal.close()
    return found


def main() -> None:
    """Print the medians of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--exposures", type=int, default=32_000)
    parser.add_argument("--folder", type=Path, help="on the disk to measure; default: a temporary folder")
    parser.add_argument("--output", type=Path, default=BUILD / "journal.json")
    options = parser.parse_args()
    about = machine()
    exposures = [exposure(number) for number in range(options.exposures)]
    rounds = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            rounds.append(round_of(Path(folder), exposures))
    result = {
        "machine": about,
        "medians": {name: round(statistics.median(each[name] for each in rounds), 1) for name in rounds[0]},
    }
    save(result, options.output)


if __name__ == "__main__":
    main()
