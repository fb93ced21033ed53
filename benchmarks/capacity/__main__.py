"""Measure what docs/capacity.md computes with: a core, a store, a load balancer, memory. About five minutes.

python -m benchmarks.capacity --server .venv-serve/bin/python
python -m benchmarks.report
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import options
from benchmarks.capacity import backlog, balancer, growth, memory, serving, writers
from benchmarks.machine import machine, save


def main() -> None:
    """Measure each part after the other, and print the medians of the rounds."""
    made = options.parser(__doc__, "capacity", rounds=3, seconds=0.6)
    made.add_argument("--grpc-server", default=sys.executable, help="the Python of the server with the extra `grpc`")
    made.add_argument("--without-grpc", action="store_true", help="if there is no such Python")
    made.add_argument(
        "--exposures", type=int, default=1_000_000, help="of the large store; about 650 bytes of disk each"
    )
    made.add_argument("--backlog", type=int, default=48_000, help="exposures that replicas store together")
    made.add_argument("--folder", type=Path, help="where stores and journals are; default: temporary files")
    given = made.parse_args()
    found: dict[str, Any] = {"machine": machine(), "rounds": given.rounds, "seconds": given.seconds}
    for part in (serving, memory, growth, writers, balancer):
        began = time.perf_counter()
        name = part.__name__.rpartition(".")[2]
        measured = part.measure(given)
        found |= measured if isinstance(measured, dict) else {name: measured}
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    found["backlog"] = backlog.measure(given, writers.best(found["writers"]))
    save(found, given.output)


if __name__ == "__main__":
    main()
