"""How does latency grow with the load? Draws an open loop at growing shares of the throughput of one worker."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks import bodies, servers
from benchmarks.figures import medians, watched
from benchmarks.load import closed, opened
from benchmarks.machine import ROOT, machine, save
from benchmarks.options import parser

PICTURE = ROOT / "docs" / "latency.svg"
COLOURS = {"features": "tab:blue", "120 candles": "tab:red"}
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)
CONNECTIONS = 128


def draw(curves: dict[str, list[dict[str, Any]]], picture: Path) -> None:
    """Draw the median and the 99th percentile by requests a second. The same figures give the same file."""
    mpl.rcParams |= {"svg.hashsalt": "latency", "svg.fonttype": "none"}
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for kind, points in curves.items():
        rates = [point["asked_per_second"] for point in points]
        axes.plot(rates, [point["p99"] for point in points], color=COLOURS[kind], ls="--", label=f"{kind}, p99")
        axes.plot(rates, [point["p50"] for point in points], color=COLOURS[kind], marker=".", label=f"{kind}, p50")
    axes.set(xlabel="requests a second, one worker", ylabel="milliseconds", yscale="log", xlim=(0, None))
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(picture, metadata={"Date": None})


def main() -> None:
    """Measure, draw, and print the medians of the rounds."""
    made = parser(__doc__, "curve", rounds=3, seconds=0.8)
    made.add_argument("--picture", type=Path, default=PICTURE)
    options = made.parse_args()
    about = machine()
    found: dict[str, dict[float, list[dict[str, float]]]] = {kind: defaultdict(list) for kind in COLOURS}
    with servers.server(python=options.server, tree=options.tree) as running:
        messages = {kind: bodies.messages(kind) for kind in COLOURS}
        # All rounds use the same capacity, because medians are only meaningful for the same load.
        most = {kind: watched(running, closed, messages[kind], CONNECTIONS, 2 * options.seconds) for kind in COLOURS}
        for _ in range(options.rounds):
            for kind, shares in found.items():
                for share in SHARES:
                    rate = share * most[kind]["per_second"]
                    figures = watched(running, opened, messages[kind], rate, CONNECTIONS, options.seconds)
                    shares[share].append({"asked_per_second": rate} | figures)
    curves = {
        kind: [{"load": f"{share:.0%}"} | medians(rounds) for share, rounds in shares.items()]
        for kind, shares in found.items()
    }
    draw(curves, options.picture)
    save({"machine": about, "rounds": options.rounds, "seconds": options.seconds} | curves, options.output)


if __name__ == "__main__":
    main()
