"""The stand-in for the old service writes what that service wrote."""

from __future__ import annotations

import json
from pathlib import Path

from tests.migration.old_service import OldService

# A file of the old service, which was restarted between the creation and the predictions.
WRITTEN = """{
  "experiment_id": "v30_vs_v31",
  "name": "Swing Point vs Profitable Logic",
  "description": "Compare",
  "variant_a": "v3.0",
  "variant_b": "v3.1",
  "traffic_split": 0.5,
  "start_time": "2026-11-28T11:14:52.698676+00:00Z",
  "end_time": null,
  "active": true,
  "predictions": {
    "B": {
      "count": 80,
      "signals": {
        "long": 80,
        "short": 0,
        "hold": 0
      },
      "avg_confidence": 0.75,
      "total_confidence": 60.0
    },
    "A": {
      "count": 16,
      "signals": {
        "long": 16,
        "short": 0,
        "hold": 0
      },
      "avg_confidence": 0.75,
      "total_confidence": 12.0
    }
  }
}"""


def file(old: OldService, experiment_id: str) -> Path:
    return old.folder / f"{experiment_id}.json"


def test_it_writes_the_file_byte_for_byte(old: OldService) -> None:
    name = "Swing Point vs Profitable Logic"
    old.create("v30_vs_v31", "v3.0", "v3.1", name=name, description="Compare")
    old.restart()
    for variant, count in (("B", 79), ("A", 16), ("B", 1), ("A", 3)):
        old.predict("v30_vs_v31", variant, count)
    assert file(old, "v30_vs_v31").read_text() == WRITTEN


def test_an_experiment_is_active_from_its_creation_on_and_its_time_has_one_zone(old: OldService) -> None:
    old.create("e2")
    written = json.loads(file(old, "e2").read_text())
    assert (written["active"], written["predictions"]) == (True, {})
    assert written["start_time"] == "2026-11-28T11:14:52.698676Z"


def test_a_stop_is_written_with_its_time(old: OldService) -> None:
    old.create("e1")
    old.stop("e1")
    written = json.loads(file(old, "e1").read_text())
    assert (written["active"], written["end_time"]) == (False, "2026-11-28T11:14:52.698676Z")
