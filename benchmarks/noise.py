"""Variation of the figures of `check` from run to run with nothing changed: the noise that the budget has to allow."""

from __future__ import annotations

import os

from benchmarks import check
from benchmarks.figures import shortened
from benchmarks.machine import machine, save
from benchmarks.options import parser


def apart(found: list[float]) -> float:
    """Return the difference of the largest and the smallest figure, as a share of the smallest."""
    return max(found) / min(found) - 1


def main() -> None:
    """Run the check several times, each time on new servers, and print the figures of each line."""
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
    save(
        {"machine": about, "load": {"before": about["load"][0], "after each run": load}, "spread": spread},
        options.output,
    )


if __name__ == "__main__":
    main()
