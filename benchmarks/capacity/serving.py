"""Requests a second of one core, by body and protocol, without and with an experiment.

A figure is the number of requests divided by the CPU seconds of the worker, so that the client and other processes on
the machine change it little. With an experiment the keeper's CPU seconds count as well, until it has stored all
exposures. One server has one worker; a second one, with the gRPC extra, gets the calls over gRPC.
"""

from __future__ import annotations

import json
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks import bodies, protocols, servers
from benchmarks.capacity import cpu
from benchmarks.figures import medians
from benchmarks.http2 import GrpcConnection
from benchmarks.load import Connect, Connection, LoadError, closed, message
from benchmarks.servers import Running

HTTP, GRPC = "HTTP/1.1", "gRPC"
CANDLES = "120 candles"
COMPARE = "/reversal/compare"
COMPARED = {"versions": ["v3.1", "v3.0"]}
BATCHES = (100, 1000)
BUSY = 32
# Batches fill the worker alone, so that a second connection is enough to keep it busy.
BUSY_BATCHES = 2
NONE, SPLIT = "none", "split"
# Bodies that name no user are beside an experiment.
WITHOUT_USER = {"compare", "V2 candles alone"}
_PATIENCE = 60.0

Rows = list[dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Work:
    """One kind of request. items: predictions in a request."""

    protocol: str
    body: str
    items: int
    messages: Sequence[bytes]
    connect: Connect = Connection

    @property
    def is_batch(self) -> bool:
        """Whether a request has several items."""
        return self.items > 1


def works(*, users: bool, grpc: bool) -> list[Work]:
    """Return all kinds of requests; with `users`, those that can take part in an experiment."""
    asking = bodies.asking(CANDLES, users=users)
    found = [Work(HTTP, kind, 1, bodies.messages(kind, users=users)) for kind in ("features", CANDLES)]
    for kind in ("features", CANDLES):
        found += [Work(HTTP, f"{n} x {kind}", n, bodies.batches(kind, n, users=users)) for n in BATCHES]
    for way in protocols.ways(asking, grpc=grpc):
        if way.name != protocols.JSON:
            over_grpc = way.connect is GrpcConnection
            body = "V2 binary" if over_grpc else way.name
            found.append(Work(GRPC if over_grpc else HTTP, body, 1, way.messages, way.connect))
    compared = [{key: value for key, value in body.items() if key != "version"} | COMPARED for body in asking]
    found.append(Work(HTTP, "compare", 1, [message(COMPARE, bodies.encoded(body)) for body in compared]))
    return [work for work in found if not (users and work.body in WITHOUT_USER)]


class Counted:
    """A running server, with the number of exposures that its active experiment must have."""

    def __init__(self, running: Running, experiment: str | None) -> None:
        self._running = running
        self._experiment = experiment
        self._exposures = 0

    def cost(self, work: Work, port: int, connections: int, seconds: float) -> dict[str, float]:
        """Return the CPU microseconds of the worker and of the keeper for one request. Raises LoadError."""
        worker, keeper = cpu.of_worker(self._running), cpu.of_keeper(self._running)
        result = closed(port, work.messages, connections, seconds, warm_up=0.0, connect=work.connect)
        if result.errors:
            raise LoadError(f"{work.protocol}, {work.body}: {result.errors} answers are errors")
        answers = len(result.times)
        worker = cpu.of_worker(self._running) - worker
        if self._experiment is not None:
            self._exposures += answers * work.items
            self._drained()
        keeper = cpu.of_keeper(self._running) - keeper
        return {"worker_us": 1e6 * worker / answers, "keeper_us": 1e6 * keeper / answers}

    def _drained(self) -> None:
        """Wait until the keeper has stored all exposures. Raises LoadError."""
        end = time.monotonic() + _PATIENCE
        while (stored := self._stored()) != self._exposures:
            if stored > self._exposures or time.monotonic() > end:
                raise LoadError(f"{self._exposures} requests were answered, {stored} exposures are stored")
            time.sleep(0.02)

    def _stored(self) -> int:
        with closing(Connection(self._running.port)) as connection:
            answer = connection.ask(message(f"/reversal/experiments/{self._experiment}/metrics"))
        variants = json.loads(answer.partition(b"\r\n\r\n")[2])["data"]["variants"]
        return sum(int(variant["metrics"]["count"]) for variant in variants.values())


@contextmanager
def counting(running: Running, number: int, state: str) -> Iterator[Counted]:
    """Bring a server into a state, without an experiment or with one in split mode, and count its exposures."""
    if state == NONE:
        yield Counted(running, None)
        return
    name = f"capacity-{number}"
    with servers.experiment(running.port, name):
        yield Counted(running, name)


def figures(counted: Counted, work: Work, port: int, seconds: float) -> dict[str, float]:
    """Return the cost of a request on a busy worker, and the worker's on an idle one (`alone_us`)."""
    found = counted.cost(work, port, BUSY_BATCHES if work.is_batch else BUSY, seconds)
    if not work.is_batch:
        found["alone_us"] = counted.cost(work, port, 1, seconds)["worker_us"]
    return found


def sizes(work: Work, port: int) -> dict[str, int]:
    """Return the bytes of a request and of its answer, heads included where they are HTTP/1.1. Also a warm-up."""
    with closing(work.connect(port)) as connection:
        answers = [len(connection.ask(each)) for each in work.messages]
    return {"request_bytes": _mean(list(map(len, work.messages))), "answer_bytes": _mean(answers)}


def _mean(values: Sequence[int]) -> int:
    return round(sum(values) / len(values))


def row(work: Work, state: str, size: dict[str, int], found: dict[str, float]) -> dict[str, Any]:
    """Return one row of the table. The keeper's time counts only with an experiment; without one it is idle."""
    about: dict[str, Any] = {"protocol": work.protocol, "body": work.body, "experiment": state, "items": work.items}
    per_core = 1e6 / found["worker_us"]
    rates = {"per_core": float(f"{per_core:.4g}"), "items_per_core": float(f"{per_core * work.items:.4g}")}
    if state == NONE:
        found = {key: value for key, value in found.items() if key != "keeper_us"}
    return about | size | rates | found


def measure(options: Namespace) -> Rows:
    """Measure each kind of request in each state in turns; returns the medians of the rounds."""
    found: dict[tuple[Work, str], list[dict[str, float]]] = defaultdict(list)
    chosen = {state: works(users=state == SPLIT, grpc=not options.without_grpc) for state in (NONE, SPLIT)}
    with ExitStack() as stack:
        running = {HTTP: stack.enter_context(servers.server(python=options.server, tree=options.tree))}
        ports = {HTTP: running[HTTP].port}
        if not options.without_grpc:
            ports[GRPC] = servers.free_port()
            flags = ("--grpc-port", str(ports[GRPC]))
            running[GRPC] = stack.enter_context(servers.server(*flags, python=options.grpc_server, tree=options.tree))
        size = {(work.protocol, work.body): sizes(work, ports[work.protocol]) for work in chosen[NONE]}
        for number in range(options.rounds):
            for state, each in chosen.items():
                with ExitStack() as during:
                    counted = {
                        protocol: during.enter_context(counting(server, number, state))
                        for protocol, server in running.items()
                    }
                    for work in each:
                        port = ports[work.protocol]
                        found[work, state].append(figures(counted[work.protocol], work, port, options.seconds))
    return [
        row(work, state, size[work.protocol, work.body], medians(rounds)) for (work, state), rounds in found.items()
    ]
