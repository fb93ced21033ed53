"""Describe the machine that measures, and save results."""

from __future__ import annotations

import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build"


def machine() -> dict[str, Any]:
    """Return the machine, its present load averages over 1, 5 and 15 minutes, and the versions that run on it."""
    cpu = Path("/proc/cpuinfo").read_text().split("model name")[1].split(":")[1].split("\n")[0].strip()
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "load": [round(load, 2) for load in os.getloadavg()],
        "kernel": platform.release(),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
    } | {name: version(name) for name in ("aiohttp", "gunicorn", "msgspec", "numpy", "onnxruntime", "orjson", "uvloop")}


def save(result: dict[str, Any], output: Path) -> None:
    """Print a result and save it as JSON."""
    text = json.dumps(result, indent=2)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(f"{text}\n")
    print(text)
