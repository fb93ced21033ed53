"""How evenly do workers share keep-alive connections? Three methods of accepting connections, measured in turns.

quickest: all workers accept on one socket, and the first one to accept gets the connection. reuseport: each worker has
its own socket, and the kernel chooses one for a connection by a hash. fewest: all workers share one socket, and the
worker with the fewest connections accepts (server/process/connection_balancing.py). Each request runs both stages of
v3.0 for one window.

In the result, busiest is the number of connections of the worker that has the most, and anew is the milliseconds of a
request on a new connection.
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
from benchmarks.machine import BUILD, ROOT, machine, save
from core.bundles.repository import Repository
from core.inference import session
from server.process.connection_balancing import Connections, Site

METHODS = ("quickest", "reuseport", "fewest")
WORKERS = (2, 4)
CONNECTIONS = (8, 32)
ANEW = 300
QUESTION = load.message("/predict", b"x" * 2600)
WHICH = load.message("/which")


def predictor() -> web.Application:
    """Return an application that runs both stages for every request, and answers with the id of its process."""
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
    """Return a listening socket that can share its port."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    made.listen(2048)
    return made


async def work(method: str, shared: socket.socket, connections: Connections, number: int, ready: int) -> None:
    """Serve until killed; write a byte to `ready` when requests are accepted."""
    runner = web.AppRunner(predictor(), access_log=None)
    await runner.setup()
    site = Site(runner, shared, connections, number) if method == "fewest" else web.SockSite(runner, shared)
    await site.start()
    os.write(ready, b"1")
    await asyncio.Event().wait()


@contextmanager
def serving(method: str, workers: int) -> Iterator[int]:
    """Run workers on a new port; yields the port when all workers accept connections."""
    connections = Connections()
    first = listening(0)
    port: int = first.getsockname()[1]
    sockets = [first, *(listening(port) for _ in range(workers - 1))] if method == "reuseport" else [first] * workers
    reading, ready = os.pipe()
    pids = []
    for number, own in enumerate(sockets):
        pid = os.fork()
        if pid == 0:
            try:
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runner.run(work(method, own, connections, number, ready))
            finally:
                os._exit(1)
        pids.append(pid)
    for each in (*sockets[1:], first) if method == "reuseport" else (first,):
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
    """Open connections one after the other, and return the number that the busiest worker has."""
    made = [load.Connection(port) for _ in range(connections)]
    found = Counter(connection.ask(WHICH).rpartition(b"\r\n")[2] for connection in made)
    for connection in made:
        connection.close()
    return max(found.values())


def anew(port: int) -> list[float]:
    """Return the milliseconds of consecutive requests, each on a new connection."""
    times = []
    for _ in range(ANEW):
        began = time.perf_counter()
        with closing(load.Connection(port)) as connection:
            connection.ask(QUESTION)
        times.append(1e3 * (time.perf_counter() - began))
    return times


def measure(method: str, workers: int, connections: int, seconds: float) -> dict[str, float]:
    """Measure one round with new workers."""
    with serving(method, workers) as port:
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
    """Return the medians, and the connections of the busiest worker in each round."""
    return {key: statistics.median(each[key] for each in rounds) for key in rounds[0]} | {
        "busiest_of_each_round": [each["busiest"] for each in rounds]
    }


def main() -> None:
    """Measure in turns and print the medians of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of requests, for each method and round")
    parser.add_argument("--output", type=Path, default=BUILD / "connection_balancing.json")
    options = parser.parse_args()
    about = machine()
    cases = list(itertools.product(WORKERS, CONNECTIONS, METHODS))
    rounds: dict[tuple[int, int, str], list[dict[str, float]]] = {case: [] for case in cases}
    for _ in range(options.rounds):
        for workers, connections, method in cases:
            rounds[workers, connections, method].append(measure(method, workers, connections, options.seconds))
    found = {
        f"{workers} workers, {connections} connections, {method}": combined(each)
        for (workers, connections, method), each in rounds.items()
    }
    save({"machine": about} | found, options.output)


if __name__ == "__main__":
    main()
