"""What loading a version does to those who are answered meanwhile: p99 of single predictions with and without it.

One worker; v3.1 is unloaded and loaded again and again over another connection, each time from its files, beside single
predictions over one. A session is made with the interpreter's lock held, so that nobody is answered for so long.
"""

from __future__ import annotations

import statistics
import threading

from benchmarks import bodies, servers
from benchmarks.load import closed
from benchmarks.machine import machine, tell
from benchmarks.options import parser

LOADED = "v3.1"


def _load(port: int, stop: threading.Event, counted: list[int]) -> None:
    while not stop.is_set():
        servers.manage(port, f"/reversal/models/{LOADED}/unload")
        servers.manage(port, f"/reversal/models/{LOADED}/load")
        counted[0] += 1


def main() -> None:
    """Measure, and print the medians of the rounds."""
    options = parser(__doc__, "loading", rounds=5, seconds=3.0).parse_args()
    about, messages = machine(), bodies.messages("features")
    rounds = []
    with servers.server(python=options.server, tree=options.tree) as running:
        servers.manage(running.port, "/reversal/models/v3.0/switch")  # the active one cannot be unloaded
        for _ in range(options.rounds):
            alone = closed(running.port, messages, 1, options.seconds).summary()
            stop, counted = threading.Event(), [0]
            loading = threading.Thread(target=_load, args=(running.port, stop, counted))
            loading.start()
            try:
                beside = closed(running.port, messages, 1, options.seconds).summary()
            finally:
                stop.set()
                loading.join()
            rounds.append(
                {
                    "alone_p99": alone["p99"],
                    "beside_p99": beside["p99"],
                    "ratio_p99": beside["p99"] / alone["p99"],
                    "ratio_p50": beside["p50"] / alone["p50"],
                    "loads_per_second": counted[0] / options.seconds,
                }
            )
    tell(
        {"machine": about, **{key: statistics.median(each[key] for each in rounds) for key in rounds[0]}},
        options.output,
    )


if __name__ == "__main__":
    main()
