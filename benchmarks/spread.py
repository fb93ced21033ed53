"""How evenly workers share kept connections, and what that does to answers: three ways to accept, in turns.

quickest: all accept on one socket, whoever comes first. reuseport: each has a socket of its own, and the kernel picks
one for a connection by a hash. fewest: one socket, of which each takes what is for it (server/accepting.py).
Each request costs its worker what both stages of v3.0 take for one window.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import signal
import socket
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import uvloop
from aiohttp import web

from benchmarks import load
from benchmarks.machine import BUILD, ROOT, machine, tell
from core import session
from core.repository import Repository
from server.accepting import Connections, Site

WAYS = ("quickest", "reuseport", "fewest")
WORKERS = (2, 4)
CONNECTIONS = (8, 32)
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


async def work(way: str, shared: socket.socket, connections: Connections, number: int) -> None:
    """Serve until killed."""
    runner = web.AppRunner(predictor(), access_log=None)
    await runner.setup()
    if way == "fewest":
        site: web.BaseSite = Site(runner, shared, connections, number)
    else:
        site = web.SockSite(runner, shared)
    await site.start()
    connections.tell(number, 0)
    await asyncio.Event().wait()


@contextmanager
def serving(way: str, workers: int) -> Iterator[int]:
    """Workers on a port of their own, which is given once all accept."""
    connections = Connections()
    first = listening(0)
    port: int = first.getsockname()[1]
    sockets = [first, *(listening(port) for _ in range(workers - 1))] if way == "reuseport" else [first] * workers
    pids = []
    for number, own in enumerate(sockets):
        pid = os.fork()
        if pid == 0:
            try:
                asyncio.run(work(way, own, connections, number), loop_factory=uvloop.new_event_loop)
            finally:
                os._exit(1)
        pids.append(pid)
    for each in set(sockets):
        each.close()
    try:
        wait_for(port, workers)
        yield port
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
