"""Whether the budget holds: ratios taken in one run, in turns, each against its line of budget.toml.

What crosses its line is measured once more, and fails if it crosses it again. Takes about two minutes. `--tree` checks
the server of another checkout.
"""

from __future__ import annotations

import itertools
import statistics
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np

from benchmarks import bodies, budget, servers, stages
from benchmarks.background_load import under_load
from benchmarks.load import Result, closed, opened
from benchmarks.loading import while_loading
from benchmarks.machine import machine, tell
from benchmarks.options import parser
from benchmarks.servers import Running

CONNECTIONS = 32
KINDS = {"features": "features", "candles": "120 candles"}
# Of the contract: so many requests a second, for which the 99th percentile is under half a second.
PROMISED_RATE = 100.0
Ratios: TypeAlias = dict[str, float]
# Who gives a ratio.
Known: TypeAlias = "dict[str, Callable[[Bench], Ratios]]"


@dataclass(frozen=True)
class Bench:
    """What is measured: the echo server, ours with one worker, and ours with as many as there are cores."""

    echo: Running
    one: Running
    all: Running
    python: str
    tree: Path
    seconds: float
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def ask(self, running: Running, kind: str, connections: int, *, users: bool = False) -> Result:
        """Closed loop, for `seconds`. Raises SystemExit where anything but predictions is answered."""
        result = closed(running.port, bodies.messages(KINDS[kind], users=users), connections, self.seconds, 0.2)
        if result.errors:
            raise SystemExit(f"{kind} at {connections} connections: {result.errors} errors")
        return result

    def turns(self, running: Running) -> Iterator[tuple[str, bool]]:
        """Without an experiment and with one: what to add to a key, and whether there are users."""
        yield "", False
        with servers.experiment(running.port, f"check-{next(self.numbers)}"):
            yield "_ab", True


def lone(bench: Bench) -> Ratios:
    """One connection: the median against what nobody can do without."""
    floor = p50(bench.ask(bench.echo, "features", 1)) + float(np.median(stages.seconds(bodies.windows(1))))
    return {
        f"{kind}_p50{ab}": p50(bench.ask(bench.one, kind, 1, users=users)) / floor
        for ab, users in bench.turns(bench.one)
        for kind in KINDS
    }


def busy(bench: Bench) -> Ratios:
    """Many connections, one worker: throughput against the echo server's, and how far the tail is from the median."""
    floors = {kind: bench.ask(bench.echo, kind, CONNECTIONS) for kind in KINDS}
    found = {}
    for ab, users in bench.turns(bench.one):
        for kind, floor in floors.items():
            result = bench.ask(bench.one, kind, CONNECTIONS, users=users)
            found[f"{kind}_throughput{ab}"] = len(result.times) / len(floor.times)
            found[f"{kind}_tail{ab}"] = p99(result) / p50(result)
    return found


def cores(bench: Bench) -> Ratios:
    """Many connections, as many workers as cores: the tail again."""
    found = {}
    for ab, users in bench.turns(bench.all):
        for kind in KINDS:
            result = bench.ask(bench.all, kind, CONNECTIONS, users=users)
            found[f"{kind}_tail_cores{ab}"] = p99(result) / p50(result)
    return found


def crowded(bench: Bench) -> Ratios:
    """Single predictions beside a client that posts large batches."""
    item = bodies.encoded(bodies.asking("features")[0])
    alone = bench.ask(bench.one, "features", 1)
    crowd, _ = under_load(bench.one.port, item, lambda: {"p99": p99(bench.ask(bench.one, "features", 1))})
    return {"background_load": crowd["p99"] / p99(alone)}


def loaded(bench: Bench) -> Ratios:
    """Single predictions while one load follows another."""
    servers.manage(bench.one.port, "/reversal/models/v3.0/switch")  # the active one cannot be unloaded
    alone = bench.ask(bench.one, "features", 1)
    meanwhile, _ = while_loading(bench.one.port, 0.0, lambda: bench.ask(bench.one, "features", 1))
    return {"loading": p99(meanwhile) / p99(alone)}


def start(bench: Bench) -> Ratios:
    """From the start to the first 200 of /readyz, with the default number of workers."""
    with servers.server(python=bench.python, workers=None, tree=bench.tree) as running:
        ready = running.ready_seconds
    began = time.perf_counter()
    subprocess.run([bench.python, "-c", "import numpy, onnxruntime, aiohttp"], check=True)  # noqa: S603 - our own
    return {"start": ready / (time.perf_counter() - began)}


def promise(bench: Bench) -> Ratios:
    """The contract's milliseconds, at its rate, from when each request was due."""
    result = opened(bench.one.port, bodies.messages("120 candles"), PROMISED_RATE, CONNECTIONS, 2 * bench.seconds)
    if result.errors:
        raise SystemExit(f"{result.errors} errors at {PROMISED_RATE:g} requests a second")
    return {"promise": 1e3 * p99(result)}


GROUPS = (lone, busy, cores, crowded, loaded, start, promise)


def p50(result: Result) -> float:
    """Seconds."""
    return float(np.median(result.times))


def p99(result: Result) -> float:
    """Seconds."""
    return float(np.percentile(result.times, 99))


def medians(bench: Bench, rounds: int, keys: Collection[str], known: Known) -> Ratios:
    """Each key's median over rounds of what is needed for the keys; `known`: who gives them, as far as it is known."""
    groups = [group for group in GROUPS if not known or any(known[key] is group for key in keys)]
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for group in groups:
            with servers.apart(bench.echo, bench.one) if group in (lone, busy) else nullcontext():
                ratios = group(bench)
            for key, value in ratios.items():
                known[key] = group
                found.setdefault(key, []).append(value)
    return {key: statistics.median(values) for key, values in found.items()}


def measured() -> list[budget.Line]:
    """The lines of the budget that are measured here."""
    return [line for line in budget.read() if line.result is None]


@contextmanager
def bench(options: Namespace, cores: int) -> Iterator[Bench]:
    """The servers, with the options of any benchmark of servers."""
    at = {"python": options.server, "tree": options.tree}
    with (
        servers.echo(options.server) as echo,
        servers.server(**at) as one,
        servers.server(**at, workers=cores) as every,
    ):
        yield Bench(echo, one, every, options.server, options.tree, options.seconds)


def main() -> None:
    """Print what was found, and exit with 1 where a line is crossed twice."""
    options = parser(__doc__, "check", rounds=5, seconds=0.6).parse_args()
    about = machine()
    lines = measured()
    known: Known = {}
    with bench(options, about["cores"]) as ready:
        found = budget.judge(lines, lambda keys: medians(ready, options.rounds, keys, known))
    tell(
        {"machine": about, "found": {key: [round(value, 3) for value in each] for key, each in found.items()}},
        options.output,
    )
    print(f"{'':14}{'found':22}{'limit':9}{'reached':9}noise")
    for line in lines:
        figures = ", again ".join(f"{value:.2f}" for value in found[line.key])
        limits = f"{line.limit:9}{line.reached or '':<9}{line.noise:4.0%}"
        print(f"{line.verdict(found[line.key]):14}{figures:22}{limits}  {line.what}")
    sys.exit(any(budget.fails(line, found[line.key]) for line in lines))


if __name__ == "__main__":
    main()
