"""The cost of open pages of the dashboard, and of the page while none is open.

`pages`: one worker; ten pages read the stream in a process of their own, or none; in turns, the order of which changes
each round. `parts`: milliseconds of a reading of the counts in the keeper, and microseconds that an answer takes in
`Predictor.predict` beside the detector (benchmarks/answering.py). With --before, a checkout without the page, both of
them are compared with it: `closed` and `parts`.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import bodies, options
from benchmarks.figures import shortened, watched
from benchmarks.load import closed, message
from benchmarks.machine import ROOT, machine, save
from benchmarks.servers import Running, apart, server
from server.keeper.dashboard.totals import ServerCounts

PAGES = 10
KINDS = ("features", "120 candles")
CONNECTIONS = (1, 32)
# Answers that share a run in `parts`.
TOGETHER = (1, 32)
_READINGS = 50
_STREAM = "/dashboard/stream"


@contextmanager
def pages(port: int, count: int = PAGES) -> Iterator[None]:
    """Keep pages open during the block. They are read by a process of its own."""
    command = [sys.executable, "-m", "benchmarks.dashboard", "--read", str(port), "--pages", str(count)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as reading:  # noqa: S603 - our own command
        try:
            if reading.stdout is not None:
                reading.stdout.readline()  # all of them are open
            yield
        finally:
            reading.terminate()


def read(port: int, count: int) -> None:
    """Read the streams of some pages until this process is ended."""
    import selectors  # noqa: PLC0415 - only in that process
    import socket  # noqa: PLC0415

    with selectors.DefaultSelector() as selector:
        unread: set[object] = set()
        for _ in range(count):
            page = socket.create_connection(("127.0.0.1", port))
            page.sendall(message(_STREAM))
            selector.register(page, selectors.EVENT_READ)
            unread.add(page)
        while True:
            for key, _ in selector.select():
                if not os.read(key.fd, 1 << 18):
                    raise SystemExit("a stream has ended")
                if unread:
                    unread.discard(key.fileobj)
                    if not unread:
                        print("open", flush=True)


Figures = dict[str, float]


def paired(ways: dict[str, Callable[[], Figures]], number: int) -> Figures:
    """Measure two ways, the first one first in every second round; returns both, and the second ÷ the first."""
    names = list(ways)
    found = {name: ways[name]() for name in (names if number % 2 else names[::-1])}
    first, second = (found[name] for name in names)
    for figures in found.values():
        if figures["errors"]:
            raise SystemExit(f"{figures['errors']} errors")
    both = {f"{name}_{key}": found[name][key] for name in names for key in ("cpu_us", "p50")}
    return both | {f"ratio_{key}": second[key] / first[key] for key in ("cpu_us", "p50")}


def rounds(
    running: dict[str, Running], ways: Callable[[str, int], dict[str, Callable[[], Figures]]], count: int
) -> list[dict[str, float | str]]:
    """Return the medians of the rounds, by kind and connections. ways: the two ways of a kind at some connections."""
    found: list[dict[str, float | str]] = []
    with apart(*running.values()):
        cases = list(itertools.product(KINDS, CONNECTIONS))
        measured: dict[tuple[str, int], list[Figures]] = {case: [] for case in cases}
        for number in range(count):
            for case in cases:
                measured[case].append(paired(ways(*case), number))
    for (kind, connections), figures in measured.items():
        medians = {key: shortened(statistics.median(each[key] for each in figures)) for key in figures[0]}
        found.append({"body": kind, "connections": connections, **medians})
    return found


def opened(chosen: argparse.Namespace) -> list[dict[str, float | str]]:
    """Measure ten open pages against none."""
    with server(python=chosen.server, tree=chosen.tree) as running:

        def ways(kind: str, connections: int) -> dict[str, Callable[[], Figures]]:
            def without() -> Figures:
                return watched(running, closed, bodies.messages(kind), connections, chosen.seconds, 0.2)

            def beside() -> Figures:
                with pages(running.port):
                    return without()

            return {"none": without, "ten": beside}

        return rounds({"one": running}, ways, chosen.rounds)


def shut(chosen: argparse.Namespace) -> list[dict[str, float | str]]:
    """Measure this server without a page against one of another checkout."""
    with (
        server(python=chosen.server, tree=chosen.before) as before,
        server(python=chosen.server, tree=chosen.tree) as running,
    ):

        def ways(kind: str, connections: int) -> dict[str, Callable[[], Figures]]:
            def of(which: Running) -> Callable[[], Figures]:
                return lambda: watched(which, closed, bodies.messages(kind), connections, chosen.seconds, 0.2)

            return {"before": of(before), "now": of(running)}

        return rounds({"before": before, "now": running}, ways, chosen.rounds)


def answering(python: str, tree: Path, together: int) -> float:
    """Return the microseconds that an answer takes beside the detector, in a checkout."""
    command = [python, str(ROOT / "benchmarks" / "answering.py"), str(together)]
    environ = os.environ | {"PYTHONPATH": str(tree)}
    return float(subprocess.run(command, cwd=tree, env=environ, check=True, capture_output=True, text=True).stdout)  # noqa: S603


def parts(chosen: argparse.Namespace) -> list[dict[str, float | str]]:
    """Measure a reading of the counts, and what an answer takes."""
    found: list[dict[str, float | str]] = [
        {"what": "one reading of the counts, 2 workers, ms", "now": _reading(chosen)}
    ]
    for together in TOGETHER:
        row: dict[str, float | str] = {"what": f"an answer beside the detector, {together} together, µs"}
        trees = {"now": chosen.tree} if chosen.before is None else {"before": chosen.before, "now": chosen.tree}
        taken: dict[str, list[float]] = {name: [] for name in trees}
        for _ in range(chosen.rounds):
            for name, tree in trees.items():
                taken[name].append(answering(chosen.server, tree, together))
        row |= {name: shortened(statistics.median(values)) for name, values in taken.items()}
        if chosen.before is not None:
            more = [now - before for before, now in zip(taken["before"], taken["now"], strict=True)]
            row["more"] = shortened(statistics.median(more))
        found.append(row)
    return found


def _reading(chosen: argparse.Namespace) -> float:
    """Return the CPU milliseconds of a reading of the files of a server that has answered something."""
    with server(python=chosen.server, tree=chosen.tree, workers=2) as running:
        closed(running.port, bodies.messages("features"), 8, 0.5)
        shared = shared_folder(running)
        ServerCounts.of(shared, ())  # parses each key, once
        began = time.process_time()
        for _ in range(_READINGS):
            ServerCounts.of(shared, ())
        return shortened(1e3 * (time.process_time() - began) / _READINGS)


def shared_folder(running: Running) -> Path:
    """Return the folder with the metrics of a server's processes, as one of them has opened them."""
    for pid in running.pids:
        for each in Path(f"/proc/{pid}/fd").iterdir():
            if (path := each.readlink()).suffix == ".db" and path.stem.startswith("counter_"):
                return path.parent
    raise SystemExit("the server has no files of metrics")


def main() -> None:
    """Measure everything, print it and save it."""
    parser = options.parser(__doc__, "dashboard", rounds=11, seconds=2.0)
    parser.add_argument("--before", type=Path, help="a checkout without the page")
    parser.add_argument("--read", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--pages", type=int, default=PAGES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.read is not None:
        read(chosen.read, chosen.pages)
    found: dict[str, object] = {"machine": machine(), "parts": parts(chosen), "pages": opened(chosen)}
    if chosen.before is not None:
        found["closed"] = shut(chosen)
    save(found, chosen.output)


if __name__ == "__main__":
    main()
