"""The command line options that all benchmarks of servers have."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks.machine import BUILD, ROOT


def parser(description: str | None, name: str, *, rounds: int, seconds: float) -> argparse.ArgumentParser:
    """Return a parser with --server, --tree, --rounds, --seconds and --output (default: build/NAME.json)."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument(
        "--server",
        default=sys.executable,
        type=os.path.abspath,  # not resolved, because the Python of an environment is a link to one outside
        help="the Python that runs the servers",
    )
    made.add_argument("--tree", type=Path, default=ROOT, help="the checkout whose server is measured")
    made.add_argument("--rounds", type=int, default=rounds, help="how often everything is measured, in turns")
    made.add_argument("--seconds", type=float, default=seconds, help="length of each measurement")
    made.add_argument("--output", type=Path, default=BUILD / f"{name}.json")
    return made
