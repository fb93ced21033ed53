"""How evenly workers share kept connections, and what that does to answers: three ways to accept, in turns.

quickest: all accept on one socket, whoever comes first. reuseport: each has a socket of its own, and the kernel picks
one for a connection by a hash. fewest: one socket, of which each takes what is for it
(server/process/connection_balancing.py). Each request costs its worker what both stages of v3.0 take for one window.

busiest: the connections of the worker that has the most. anew: milliseconds with a connection for each request.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import signal
import socket
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import uvloop
from aiohttp import web

from benchmarks import load
from benchmarks.machine import BUILD, ROOT, machine, tell
from core.bundles.repository import Repository
from core.inference import session
from server.process.connection_balancing import Connections, Site

WAYS = ("quickest", "reuseport", "fewest")
WORKERS = (2, 4)
CONNECTIONS = (8, 32)
ANEW = 300
QUESTION = load.message("/predict", b"x" * 2600)
WHICH = load.message("/which")


def predictor() -> web.Application:
    """Runs both stages for every request, and tells which worker it is."""
    bundle = Repository(ROOT / "models" / "onnx").read("v3.0")
    stages = [stage for stage in (bundle.manifest.stage1, bundle.manifest.stage2) if stage is not None]
    sessions = [session.make(bundle.graphs[stage.network.sha256]) for stage in stages]
    stage = bundle.manifest.stage1
    window = np.zeros((1, stage.sequence_length, stage.num_features), np.float32)
    feeds = [{each.get_inputs()[0].name: window} for each in sessions]
    me = str(os.getpid())

    async def predict(request: web.Request) -> web.Response:
        await request.read()
        for each, feed in zip(sessions, feeds, strict=True):
            each.run(None, feed)
        return web.Response(text=me)

    async def which(_: web.Request) -> web.Response:
        return web.Response(text=me)

    application = web.Application()
    application.add_routes([web.post("/predict", predict), web.get("/which", which)])
    return application


def listening(port: int) -> socket.socket:
    """A socket that may share its port."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    made.listen(2048)
    return made


async def work(way: str, shared: socket.socket, connections: Connections, number: int, ready: int) -> None:
    """Serve until killed; a byte to `ready` tells the beginning."""
    runner = web.AppRunner(predictor(), access_log=None)
    await runner.setup()
    site = Site(runner, shared, connections, number) if way == "fewest" else web.SockSite(runner, shared)
    await site.start()
    os.write(ready, b"1")
    await asyncio.Event().wait()


@contextmanager
def serving(way: str, workers: int) -> Iterator[int]:
    """Workers on a port of their own, which is given once all accept."""
    connections = Connections()
    first = listening(0)
    port: int = first.getsockname()[1]
    sockets = [first, *(listening(port) for _ in range(workers - 1))] if way == "reuseport" else [first] * workers
    reading, ready = os.pipe()
    pids = []
    for number, own in enumerate(sockets):
        pid = os.fork()
        if pid == 0:
            try:
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runner.run(work(way, own, connections, number, ready))
            finally:
                os._exit(1)
        pids.append(pid)
    for each in (*sockets[1:], first) if way == "reuseport" else (first,):
        each.close()
    os.close(ready)
    try:
        for _ in pids:
            if not os.read(reading, 1):
                raise load.LoadError("a worker did not start")
        yield port
    finally:
        os.close(reading)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def busiest(port: int, connections: int) -> int:
    """Of so many connections, made one after the other, those of the worker that has the most."""
    made = [load.Connection(port) for _ in range(connections)]
    found = Counter(connection.ask(WHICH).rpartition(b"\r\n")[2] for connection in made)
    for connection in made:
        connection.close()
    return max(found.values())


def anew(port: int) -> list[float]:
    """Milliseconds of requests one after the other, each with a connection of its own."""
    times = []
    for _ in range(ANEW):
        began = time.perf_counter()
        with closing(load.Connection(port)) as connection:
            connection.ask(QUESTION)
        times.append(1e3 * (time.perf_counter() - began))
    return times


def measure(way: str, workers: int, connections: int, seconds: float) -> dict[str, float]:
    """One round with workers of its own."""
    with serving(way, workers) as port:
        most = busiest(port, connections)
        result = load.closed(port, [QUESTION], connections, seconds).summary()
        times = anew(port)
    return {
        "busiest": most,
        "per_second": round(result["per_second"]),
        "p50": round(result["p50"], 3),
        "p99": round(result["p99"], 3),
        "p99_to_p50": round(result["p99"] / result["p50"], 2),
        "anew_p50": round(statistics.median(times), 3),
        "anew_p99": round(statistics.quantiles(times, n=100)[98], 3),
    }


def combined(rounds: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Medians, and how the busiest worker fared in every round."""
    return {key: statistics.median(each[key] for each in rounds) for key in rounds[0]} | {
        "busiest_of_each_round": [each["busiest"] for each in rounds]
    }


def main() -> None:
    """Measure in turns and print the medians of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of requests, for each way and round")
    parser.add_argument("--output", type=Path, default=BUILD / "connection_balancing.json")
    options = parser.parse_args()
    about = machine()
    cases = list(itertools.product(WORKERS, CONNECTIONS, WAYS))
    rounds: dict[tuple[int, int, str], list[dict[str, float]]] = {case: [] for case in cases}
    for _ in range(options.rounds):
        for workers, connections, way in cases:
            rounds[workers, connections, way].append(measure(way, workers, connections, options.seconds))
    found = {
        f"{workers} workers, {connections} connections, {way}": combined(each)
        for (workers, connections, way), each in rounds.items()
    }
    tell({"machine": about} | found, options.output)


if __name__ == "__main__":
    main()
