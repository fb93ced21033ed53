"""How long a client waits, how many requests are answered in a second, and how much CPU time and memory that needs.

The servers are this server with one worker and with one worker per core, each without an experiment and during one, and
the echo server. The loads are a closed loop at 1 to 128 connections, an open loop at shares of the closed loop's
throughput at 32 connections, and batches. All of them are measured in turns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, TypeAlias

from benchmarks import bodies, servers
from benchmarks.figures import medians, watched
from benchmarks.load import closed, opened
from benchmarks.machine import machine, save
from benchmarks.options import parser
from benchmarks.servers import Running

KINDS = ("features", "70 candles", "120 candles")
CONNECTIONS = (1, 8, 32, 128)
# The open loop runs at SHARES of the closed loop's throughput at CAPACITY_AT connections, over OPEN_CONNECTIONS.
CAPACITY_AT = 32
SHARES = (0.25, 0.5, 0.75, 0.9)
OPEN_CONNECTIONS = 128
BATCH = 1000
ECHO = "echo"
# The values that identify a row of the report, each with the heading of its column.
Row: TypeAlias = tuple[tuple[str, Any], ...]
Found: TypeAlias = Mapping[str, dict[Row, list[dict[str, float]]]]


def states(running: dict[str, Running], number: int) -> Iterator[tuple[Row, Running, bool]]:
    """Yield each server without an experiment, then during one: its row, the server, whether requests have users."""
    for name, each in running.items():
        yield (("server", name), ("experiment", "none")), each, False
        if name != ECHO:
            with servers.experiment(each.port, f"whole-{number}"):
                yield (("server", name), ("experiment", "A/B")), each, True


def turn(found: Found, state: Row, running: Running, seconds: float, *, users: bool) -> None:
    """Measure a server in one state with all loads."""
    ours = ("server", ECHO) not in state
    for kind in KINDS:
        messages = bodies.messages(kind, users=users)
        row = (*state, ("body", kind))
        capacity = 0.0
        for connections in CONNECTIONS:
            figures = watched(running, closed, messages, connections, seconds)
            found["closed"][*row, ("connections", connections)].append(figures)
            if connections == CAPACITY_AT:
                capacity = figures["per_second"]
        for share in SHARES if ours else ():
            figures = watched(running, opened, messages, share * capacity, OPEN_CONNECTIONS, seconds)
            found["open"][*row, ("load", f"{share:.0%}")].append(figures)
    for kind in ("features", "120 candles") if ours else ():
        messages = bodies.batches(kind, BATCH, users=users)
        figures = watched(running, closed, messages, 1, 4 * seconds)
        figures |= {"items_per_second": BATCH * figures["per_second"], "cpu_us_an_item": figures.pop("cpu_us") / BATCH}
        found["batches"][*state, ("items", f"{BATCH} of {kind}")].append(figures)


def main() -> None:
    """Measure, and print the medians of the rounds."""
    options = parser(__doc__, "whole", rounds=3, seconds=0.6).parse_args()
    about = machine()
    found: Found = {name: defaultdict(list) for name in ("closed", "open", "batches")}
    memory = []
    with ExitStack() as stack:
        running = {ECHO: stack.enter_context(servers.echo(options.server))}
        for workers in sorted({1, about["cores"]}):
            name = f"{workers} worker{'s' * (workers > 1)}"
            server = servers.server(python=options.server, tree=options.tree, workers=workers)
            running[name] = stack.enter_context(server)
        for number in range(options.rounds):
            for state, each, users in states(running, number):
                turn(found, state, each, options.seconds, users=users)
        for name, each in running.items():
            memory.append({"server": name, "rss_mib": each.rss_mib, "ready_seconds": round(each.ready_seconds, 3)})
    tables = {name: [dict(row) | medians(rounds) for row, rounds in section.items()] for name, section in found.items()}
    save(
        {"machine": about, "rounds": options.rounds, "seconds": options.seconds} | tables | {"memory": memory},
        options.output,
    )


if __name__ == "__main__":
    main()
