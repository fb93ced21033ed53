"""Is the budget held? Ratios of one run, measured in turns, each compared with its line of budget.toml.

A figure that crosses its limit is measured again, by new servers; the check fails if it crosses both times. It takes
two minutes. `--tree` checks the server of another checkout.
"""

from __future__ import annotations

import itertools
import statistics
import subprocess
import sys
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np

from benchmarks import bodies, budget, forms, servers, stages, yardstick
from benchmarks.background_load import under_load
from benchmarks.dashboard import pages
from benchmarks.explaining import beside
from benchmarks.figures import answers, watched
from benchmarks.load import Result, closed, opened
from benchmarks.loading import while_loading
from benchmarks.machine import machine, save
from benchmarks.options import parser
from benchmarks.servers import Running

CONNECTIONS = 32
KINDS = {"features": "features", "candles": "120 candles"}
# Requests a second at which the contract promises a 99th percentile below half a second.
PROMISED_RATE = 100.0
# A page gets figures every two seconds, so that each measurement has one of them.
PAGE_SECONDS = 2.0
# The keys of the forms of candles, and the turns in which they are measured.
_FORMS = ("objects", "columns", "rows", "binary", "alone")
_TURNS = 3
Ratios: TypeAlias = dict[str, float]
# The function that measures each key.
Known: TypeAlias = "dict[str, Callable[[Bench], Ratios]]"


@dataclass(frozen=True)
class Bench:
    """The servers to measure: the echo server, and this server with one worker and with one worker per core."""

    echo: Running
    one: Running
    all: Running
    python: str
    tree: Path
    seconds: float
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def ask(self, running: Running, kind: str, connections: int, *, users: bool = False) -> Result:
        """Send requests in a closed loop for `seconds`. Raises SystemExit if any of them is answered with an error."""
        result = closed(running.port, bodies.messages(KINDS[kind], users=users), connections, self.seconds, 0.2)
        if result.errors:
            raise SystemExit(f"{kind} at {connections} connections: {result.errors} errors")
        return result

    def turns(self, running: Running) -> Iterator[tuple[str, bool]]:
        """Yield the suffix of the key and whether requests have users, first without an experiment, then during one."""
        yield "", False
        with servers.experiment(running.port, f"check-{next(self.numbers)}"):
            yield "_ab", True


def lone(bench: Bench) -> Ratios:
    """Measure one connection: the median ÷ the floor, and the median beyond the floor ÷ the yardstick.

    The floor is the echo server and both networks. Much of it is the wake-up of a sleeping process, which is free on
    some machines and a third of the floor on others. What is beyond the floor is the server's own work.
    """
    floor = p50(bench.ask(bench.echo, "features", 1)) + float(np.median(stages.seconds(bodies.windows(1))))
    work = yardstick.seconds()
    found = {}
    for ab, users in bench.turns(bench.one):
        for kind in KINDS:
            median = p50(bench.ask(bench.one, kind, 1, users=users))
            found[f"{kind}_p50{ab}"] = median / floor
            found[f"{kind}_work{ab}"] = (median - floor) / work
    return found


def busy(bench: Bench) -> Ratios:
    """Measure many connections and one worker: throughput ÷ the echo server's, and p99 ÷ p50.

    Also the CPU time for an answer, of all processes of the server, ÷ the yardstick: most of the echo server's time is
    the kernel's, which differs from machine to machine by more than ours does.
    """
    floors = {kind: bench.ask(bench.echo, kind, CONNECTIONS) for kind in KINDS}
    work = yardstick.seconds()
    found = {}
    for ab, users in bench.turns(bench.one):
        for kind, floor in floors.items():
            before = bench.one.cpu_seconds
            result = bench.ask(bench.one, kind, CONNECTIONS, users=users)
            servers.ask(bench.one.port, "/reversal/experiments")  # the keeper drains the journals first
            used = bench.one.cpu_seconds - before
            found[f"{kind}_throughput{ab}"] = len(result.times) / len(floor.times)
            found[f"{kind}_cpu{ab}"] = used / answers(result) / work
            found[f"{kind}_tail{ab}"] = p99(result) / p50(result)
    return found


def cores(bench: Bench) -> Ratios:
    """Measure many connections and one worker per core: p99 ÷ p50."""
    found = {}
    for ab, users in bench.turns(bench.all):
        for kind in KINDS:
            result = bench.ask(bench.all, kind, CONNECTIONS, users=users)
            found[f"{kind}_tail_cores{ab}"] = p99(result) / p50(result)
    return found


def formed(bench: Bench) -> Ratios:
    """Measure one connection and each form of 120 candles: the median ÷ that from features, in short turns."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(_TURNS):
        for kind, messages in forms.messages().items():
            result = closed(bench.one.port, messages, 1, bench.seconds / _TURNS, 0.05)
            if result.errors:
                raise SystemExit(f"{kind} at 1 connection: {result.errors} errors")
            times[kind] += result.times.tolist()
    features, *others = (float(np.median(of_kind)) for of_kind in times.values())
    return {f"form_{key}": median / features for key, median in zip(_FORMS, others, strict=True)}


def crowded(bench: Bench) -> Ratios:
    """Measure single predictions beside a client that posts large batches: p99 with batches ÷ without."""
    item = bodies.encoded(bodies.asking("features")[0])
    alone = bench.ask(bench.one, "features", 1)
    crowd, _ = under_load(bench.one.port, item, lambda: {"p99": p99(bench.ask(bench.one, "features", 1))})
    return {"background_load": crowd["p99"] / p99(alone)}


def loaded(bench: Bench) -> Ratios:
    """Measure single predictions during back-to-back version loads: p99 with loads ÷ without. And the longest load."""
    servers.manage(bench.one.port, "/reversal/models/v3.0/switch")  # the active one cannot be unloaded
    alone = bench.ask(bench.one, "features", 1)
    meanwhile, took = while_loading(bench.one.port, 0.0, lambda: bench.ask(bench.one, "features", 1))
    return {"loading": p99(meanwhile) / p99(alone), "load": max(took) / 1e3}


def explained(bench: Bench) -> Ratios:
    """Measure single predictions beside explanations, one after the other: p99 with explanations ÷ without."""
    alone = bench.ask(bench.one, "features", 1)
    meanwhile, _ = beside(bench.one.port, lambda: bench.ask(bench.one, "features", 1))
    return {"explaining": p99(meanwhile) / p99(alone)}


def paged(bench: Bench) -> Ratios:
    """Measure the CPU time for an answer with ten open pages of the dashboard ÷ without, of all processes."""

    def used() -> float:
        return watched(bench.one, closed, bodies.messages("features"), CONNECTIONS, PAGE_SECONDS, 0.2)["cpu_us"]

    alone = used()
    with pages(bench.one.port):
        return {"dashboard_ten_pages": used() / alone}


def start(bench: Bench) -> Ratios:
    """Measure the time until the first 200 of /readyz, with the default number of workers, ÷ the imports alone."""
    with servers.server(python=bench.python, workers=None, tree=bench.tree) as running:
        ready = running.ready_seconds
    began = time.perf_counter()
    subprocess.run([bench.python, "-c", "import numpy, onnxruntime, aiohttp"], check=True)  # noqa: S603 - the command is fixed
    return {"start": ready / (time.perf_counter() - began)}


def promise(bench: Bench) -> Ratios:
    """Measure the p99 in milliseconds at the rate of the contract, from when each request was due."""
    result = opened(bench.one.port, bodies.messages("120 candles"), PROMISED_RATE, CONNECTIONS, 2 * bench.seconds)
    if result.errors:
        raise SystemExit(f"{result.errors} errors at {PROMISED_RATE:g} requests a second")
    return {"promise": 1e3 * p99(result)}


def memory(bench: Bench) -> Ratios:
    """Measure resident memory after the load of the other groups: of a server in MB, and of a worker ÷ the imports."""
    code = "import numpy, onnxruntime, aiohttp; print(open('/proc/self/status').read().split('VmRSS:')[1].split()[0])"
    done = subprocess.run([bench.python, "-c", code], check=True, capture_output=True)  # noqa: S603 - the command is fixed
    # The worker is the process that was started last.
    ratio = bench.one.rss_mib[-1] * 1024 / int(done.stdout)
    return {"memory_server": sum(bench.all.rss_mib) * 2**20 / 1e6, "memory_worker": ratio}


GROUPS = (lone, formed, busy, cores, crowded, loaded, explained, paged, start, promise, memory)


def p50(result: Result) -> float:
    """Return the median in seconds."""
    return float(np.median(result.times))


def p99(result: Result) -> float:
    """Return the 99th percentile in seconds."""
    return float(np.percentile(result.times, 99))


def medians(bench: Bench, rounds: int, keys: Collection[str], known: Known) -> Ratios:
    """Return the median over the rounds for each key.

    Only the groups that measure one of `keys` run. `known` has the group of each key and is filled by the first call,
    which runs all groups.
    """
    groups = [group for group in GROUPS if not known or any(known[key] is group for key in keys)]
    if memory in groups:  # it is that after the load of all others
        groups = list(GROUPS)
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for group in groups:
            with servers.apart(bench.echo, bench.one) if group in (lone, formed, busy) else nullcontext():
                ratios = group(bench)
            for key, value in ratios.items():
                known[key] = group
                found.setdefault(key, []).append(value)
    return {key: statistics.median(values) for key, values in found.items()}


def measured() -> list[budget.Line]:
    """Return the lines of the budget that are measured here."""
    return [line for line in budget.read() if line.result is None]


@contextmanager
def bench(options: Namespace, cores: int) -> Iterator[Bench]:
    """Run the servers with the options that all benchmarks of servers have."""
    at = {"python": options.server, "tree": options.tree}
    with (
        servers.echo(options.server) as echo,
        servers.server(**at) as one,
        servers.server(**at, workers=cores) as every,
    ):
        yield Bench(echo, one, every, options.server, options.tree, options.seconds)


def main() -> None:
    """Print the figures, and exit with 1 if a line is crossed twice."""
    options = parser(__doc__, "check", rounds=5, seconds=0.6).parse_args()
    about = machine()
    lines = measured()
    known: Known = {}

    def measure(keys: Collection[str]) -> Ratios:
        # By new servers each time, because figures of one and the same code differ from start to start.
        with bench(options, about["cores"]) as ready:
            return medians(ready, options.rounds, keys, known)

    found = budget.judge(lines, measure)
    save(
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
