"""What every benchmark of servers can be told."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks.machine import BUILD, ROOT


def parser(description: str | None, name: str, *, rounds: int, seconds: float) -> argparse.ArgumentParser:
    """With --server, --tree, --rounds, --seconds and --output, which is build/NAME.json unless told."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument(
        "--server",
        default=sys.executable,
        type=os.path.abspath,  # not resolved: an environment's Python is a link out of it
        help="the Python that runs the servers",
    )
    made.add_argument("--tree", type=Path, default=ROOT, help="the checkout whose server is measured")
    made.add_argument("--rounds", type=int, default=rounds, help="so often everything is measured, in turns")
    made.add_argument("--seconds", type=float, default=seconds, help="for each measurement")
    made.add_argument("--output", type=Path, default=BUILD / f"{name}.json")
    return made
