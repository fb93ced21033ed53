"""The results of the search as JSON, from which the report is made."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lab import splits
from lab.search import references, studies, trial
from lab.search.candidates import KINDS, PARTS, Candidate

LIBRARIES = ("keras", "tensorflow-cpu", "lightgbm", "optuna", "scikit-learn", "numpy")


def made_with(seed: int) -> dict[str, Any]:
    """What the figures depend on beside the data."""
    return {
        "seed": seed,
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def read(path: Path) -> dict[str, Any]:
    """Read JSON. Raises OSError."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def write(found: dict[str, Any], path: Path) -> None:
    """Write JSON, a line for each entry of a list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = []
    for key, value in found.items():
        if isinstance(value, list):
            lines = ",\n".join(f"    {json.dumps(each)}" for each in value)
            parts.append(f"  {json.dumps(key)}: [\n{lines}\n  ]")
        else:
            parts.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def write_search(folder: Path, results: Path, seed: int) -> None:
    """Write the trials of a folder to `results`/search.json."""
    names = (*KINDS, *references.STUDIES)
    found = studies.finished(folder, names)
    trials = [{"kind": kind, **studies.record(each)} for kind in KINDS for each in found[kind]]
    for each in trials:
        each["required_candles"] = Candidate.of(each["candidate"]).required_candles
    write(
        {
            "made_with": made_with(seed),
            "label": trial.LABEL,
            "pairs": trial.PAIRS,
            "parts": PARTS,
            "seconds_a_trial": studies.SECONDS_A_TRIAL,
            "folds": splits.FOLDS,
            "trained_every": trial.TRAINED_EVERY,
            "scored_every": trial.SCORED_EVERY,
            "trials": trials,
            **{name: [studies.record(each) for each in found[name]] for name in references.STUDIES},
        },
        results / "search.json",
    )
