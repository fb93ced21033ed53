"""A stand-in for the old service: it writes the files of its experiments exactly as that service did."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass
class OldRecord:
    """An experiment in the old service's memory."""

    experiment_id: str
    name: str
    description: str
    variant_a: str
    variant_b: str
    traffic_split: float
    start_time: datetime
    end_time: datetime | None = None
    active: bool = True  # from the creation on
    predictions: dict[str, dict[str, Any]] = field(default_factory=dict)

    def as_json(self) -> str:
        """The contents of the file."""
        fields = {**vars(self), "start_time": _written(self.start_time), "end_time": _written(self.end_time)}
        return json.dumps(fields, indent=2)


class OldService:
    """Create, predict, stop and restart. `now` is the time that the service sees, without a zone, in UTC."""

    def __init__(self, folder: Path, now: datetime) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.now = now
        self.experiments: dict[str, OldRecord] = {}

    def create(
        self,
        experiment_id: str,
        variant_a: str = "v1",
        variant_b: str = "v2",
        *,
        name: str = "one",
        description: str = "",
        traffic_split: float = 0.5,
    ) -> None:
        """Create an experiment, which is not activated."""
        record = OldRecord(experiment_id, name, description, variant_a, variant_b, traffic_split, self.now)
        self.experiments[experiment_id] = record
        self._save(record)

    def predict(
        self, experiment_id: str, variant: str, count: int, signal: str = "long", confidence: float = 0.75
    ) -> None:
        """Answer predictions under an active experiment. Counts are saved at every tenth of a variant; no user is."""
        record = self.experiments[experiment_id]
        for _ in range(count):
            zeros = {"count": 0, "signals": dict.fromkeys(("long", "short", "hold"), 0)}
            of = record.predictions.setdefault(variant, {**zeros, "avg_confidence": 0.0, "total_confidence": 0.0})
            of["count"] += 1
            of["signals"][signal] += 1
            of["total_confidence"] += confidence
            of["avg_confidence"] = of["total_confidence"] / of["count"]
            if of["count"] % 10 == 0:
                self._save(record)

    def stop(self, experiment_id: str) -> None:
        """Stop an experiment."""
        record = self.experiments[experiment_id]
        record.active, record.end_time = False, self.now
        self._save(record)

    def restart(self) -> None:
        """Read all files and write them again: the times have a zone from then on, and get a `Z` behind it."""
        self.experiments = {}
        for file in sorted(self.folder.glob("*.json")):
            fields = json.loads(file.read_text())
            record = OldRecord(**fields | {name: _read(fields[name]) for name in ("start_time", "end_time")})
            self.experiments[record.experiment_id] = record
            self._save(record)

    def _save(self, record: OldRecord) -> None:
        (self.folder / f"{record.experiment_id}.json").write_text(record.as_json())


def _written(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat() + "Z"


def _read(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
