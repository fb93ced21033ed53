"""How far what `check` finds differs from run to run, with nothing changed: what noise the budget may allow."""

from __future__ import annotations

import os

from benchmarks import check
from benchmarks.figures import shortened
from benchmarks.machine import machine, tell
from benchmarks.options import parser


def apart(found: list[float]) -> float:
    """How much the greatest is above the least, as a share of the least."""
    return max(found) / min(found) - 1


def main() -> None:
    """Check several times, on servers started anew, and print what each line was."""
    made = parser(__doc__, "noise", rounds=5, seconds=0.6)
    made.add_argument("--runs", type=int, default=5)
    options = made.parse_args()
    about = machine()
    lines = check.measured()
    runs, load = [], []
    for _ in range(options.runs):
        with check.bench(options, about["cores"]) as ready:
            runs.append(check.medians(ready, options.rounds, [line.key for line in lines], {}))
        load.append(shortened(os.getloadavg()[0]))
    spread = []
    for line in lines:
        found = [run[line.key] for run in runs]
        about_line = {"key": line.key, "found": [shortened(value) for value in found]}
        spread.append(about_line | {"apart": f"{apart(found):.0%}", "allowed": f"{line.noise:.0%}"})
    tell(
        {"machine": about, "load": {"before": about["load"][0], "after each run": load}, "spread": spread},
        options.output,
    )


if __name__ == "__main__":
    main()
