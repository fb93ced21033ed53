"""Sample records, and readers of what journal files and a store contain."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

import msgspec

from core.experiments.experiment import Variant
from core.experiments.records import Exposure, Failure, Record, ShadowScore
from core.files import lock_file
from core.journals import journal_files
from core.journals.drainer import Drainer, DrainResult
from core.store import open_store
from core.store.interface import Store

EXPERIMENT = "exp"
SHADOW = "shadow"
DECODER = msgspec.json.Decoder[Record](Record)


def exposure(number: int | str, variant: Variant = "A", experiment: str = EXPERIMENT) -> Exposure:
    """An exposure. Its line has a fixed length for numbers of up to six digits, so that tests know where lines end."""
    return Exposure(
        f"{number:>6}".replace(" ", "-"),
        1_760_000_000_000_000,
        experiment,
        variant,
        "v3.1",
        None,
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "EUR/USD",
        "1h",
        "t:1760000000000",
        "long",
        0.75,
        0.82,
        0.68,
        412,
        slow=False,
    )


def exposures(first: int, end: int, variant: Variant = "A") -> list[Exposure]:
    return [exposure(number, variant) for number in range(first, end)]


def failure(variant: Variant = "B") -> Failure:
    return Failure(1_760_000_000_000_000, EXPERIMENT, variant)


def score(candle: int) -> ShadowScore:
    return ShadowScore(1_760_000_000_000_000, SHADOW, "EUR/USD", "1h", f"t:{candle}", "long", 0.7, "hold", 0.6)


def line(record: Record) -> bytes:
    return msgspec.json.encode(record) + b"\n"


def written(folder: Path) -> list[Record]:
    """The records of all files, in order. Raises if a line is incomplete."""
    return [
        record for name in journal_files.sizes(folder) for record in DECODER.decode_lines((folder / name).read_bytes())
    ]


def is_written(path: Path) -> bool:
    """Whether a writer holds the file's lock."""
    with path.open("rb") as file:
        return not lock_file.lock(file.fileno())


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Limit every file to `size` bytes: a write beyond it fails, as on a full disk, and one across it is short."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Ledger:
    """A store with the methods that a drainer calls, and with readers of what was drained into it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._store = open_store(f"sqlite:///{path}")
        self.drained = self._store.drained
        self.drain = self._store.drain
        self.forget = self._store.forget
        self.close = self._store.close

    def ids(self) -> list[str]:
        """The sorted ids of all exposures, after a check that the totals count as many."""
        found = sorted(row["prediction_id"] for row in self._store.export(EXPERIMENT))
        assert len(found) == sum(tally.predictions for tally in self._store.tally(EXPERIMENT).values())
        return found

    def others(self) -> dict[str, int]:
        """The number of records of each other kind, without kinds that have none."""
        tallies = self._store.tally(EXPERIMENT).values()
        found = {
            "Failure": sum(tally.failures for tally in tallies),
            "Unrecorded": sum(tally.unrecorded for tally in tallies),
            "ShadowScore": len(self._store.disagreements(SHADOW, 1000)),
        }
        return {kind: count for kind, count in found.items() if count}

    def journals(self) -> dict[str, int]:
        """The position of each journal, by name."""
        with closing(sqlite3.connect(self._path)) as database:
            return dict(database.execute("SELECT name, upto FROM journals"))


class Drains:
    """A drainer with its store."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self._drainer = Drainer(folder)
        self._store = cast("Store", ledger)
        self.bytes_left = self._drainer.bytes_left
        self.close = self._drainer.close

    def drain(self) -> DrainResult:
        return self._drainer.drain(self._store)
