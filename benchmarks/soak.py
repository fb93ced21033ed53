"""Hours of operation in minutes: 70 % load, while versions switch, experiments change and workers are killed.

The run fails, and exits with 1, if a request gets another answer than 200, if a prediction of an experiment is not in
the store exactly once, or if memory or file descriptors grow. Only requests on the connections of a killed worker may
be lost.
"""

from __future__ import annotations

import itertools
import os
import random
import select
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import bodies, servers
from benchmarks.load import Connection, LoadError, closed
from benchmarks.machine import machine, save
from benchmarks.options import parser
from benchmarks.servers import Running

# All versions accept this kind.
KIND = "120 candles"
CONNECTIONS = 32
SHARE = 0.7
# Limit of the last third ÷ the first third of what follows STARTUP_SECONDS, for resident memory and file descriptors.
GROWTH = 1.10
# The keeper's memory grows by a quarter within the first minute under load, until its buffers and SQLite's caches have
# their size: sooner or later, as the machine is fast or busy. After that it stays within 1 %.
STARTUP_SECONDS = 60.0
_ACTION_SECONDS = 2.0
_LOOK_SECONDS = 1.0
_PATIENCE = 10.0
_ID = b'"prediction_id":"'


class Client:
    """Sends requests at a constant rate. Replaces a connection that is lost or has got its last answer."""

    def __init__(self, port: int) -> None:
        self.answered = self.errors = self.lost = 0
        self.ids: list[int] = []
        self.examples: list[str] = []
        self._port = port
        self._poll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._free: list[Connection] = []
        self._heard = 0.0
        self._messages = itertools.cycle(bodies.messages(KIND, users=True))

    def ask(self, rate: float, seconds: float) -> None:
        """Send requests for `seconds`. Raises LoadError if no request is answered for a while."""
        for _ in range(CONNECTIONS):
            self._connect()
        begin, due = time.perf_counter(), 0
        self._heard = begin
        while (now := time.perf_counter()) < begin + seconds:
            if now > self._heard + _PATIENCE:
                raise LoadError(f"no answer for {_PATIENCE:g} s")
            while self._free and begin + due / rate <= now:
                due += 1
                connection = self._free.pop()
                try:
                    connection.send(next(self._messages), now)
                except OSError:  # the server closed the connection between two requests
                    self._replace(connection)
            for descriptor, _ in self._poll.poll(0.001):
                self._hear(self._connections[descriptor], now)
        for connection in self._connections.values():
            connection.close()

    def _hear(self, connection: Connection, now: float) -> None:
        try:
            if not connection.receive():
                return
        except (LoadError, OSError):
            if connection in self._free:  # closed between two requests, so no request is lost
                self._free.remove(connection)
            else:
                self.lost += 1
            self._replace(connection)
            return
        self._heard = now
        self._count(connection)
        if connection.last:  # the worker shuts down, and does not answer later requests on this connection
            self._replace(connection)
        else:
            self._free.append(connection)

    def _count(self, connection: Connection) -> None:
        if not connection.ok:
            self.errors += 1
            self.examples = [*self.examples, connection.answer.decode(errors="replace")][:5]
            return
        self.answered += 1
        at = connection.answer.find(_ID)
        if at >= 0:
            text = connection.answer[at + len(_ID) : at + len(_ID) + 36]
            self.ids.append(number(text.decode()))

    def _replace(self, old: Connection) -> None:
        descriptor = old.socket.fileno()
        self._poll.unregister(descriptor)
        del self._connections[descriptor]
        old.close()
        self._connect()

    def _connect(self) -> None:
        new = Connection(self._port)
        self._connections[new.socket.fileno()] = new
        self._poll.register(new.socket.fileno(), select.EPOLLIN)
        self._free.append(new)


def number(prediction_id: str) -> int:
    """Return the last 64 bits of an id, 62 of them random. This needs a tenth of the memory of the whole id."""
    return int(prediction_id.replace("-", "")[16:], 16)


def actions(running: Running) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield actions of an operator, and kills, in turns without end. An experiment is active nearly all the time."""

    def experiment(name: str) -> None:
        about = {"experiment_id": name, "name": name, "variant_a": "v3.0", "variant_b": "v3.1", "traffic_split": 0.5}
        servers.manage(running.port, "/reversal/experiments", about)
        servers.manage(running.port, f"/reversal/experiments/{name}/activate")

    def switch(version: str) -> None:
        servers.manage(running.port, f"/reversal/models/{version}/switch")

    def kill() -> None:
        workers = running.pids[2:]
        with suppress(ProcessLookupError):
            os.kill(random.choice(workers), signal.SIGKILL)  # noqa: S311 - any worker will do

    def load() -> None:
        servers.manage(running.port, "/reversal/models/v3.0/load")

    def batch() -> None:
        with closing(Connection(running.port)) as connection:
            connection.ask(bodies.batches(KIND, 256, count=1)[0])

    for turn in itertools.count():
        yield "experiment", lambda turn=turn: experiment(f"soak-{turn}")  # type: ignore[misc]
        yield "switch", lambda: switch("v3.1")
        yield "batch", batch
        yield "kill", kill
        yield "load", load
        yield "switch", lambda: switch("v3.0")
        if turn % 3 == 2:  # noqa: PLR2004 - in every third turn
            yield "reload", lambda: running.process.send_signal(signal.SIGHUP)


def operate(running: Running, ending: threading.Event, done: dict[str, Any]) -> None:
    """Run the actions until `ending` is set, and count them in `done`."""
    for name, act in actions(running):
        if ending.wait(_ACTION_SECONDS):
            return
        try:
            act()
            done["actions"][name] = done["actions"].get(name, 0) + 1
        except (LoadError, OSError) as error:  # the call was on a killed worker
            done["failed_actions"].append(f"{name}: {error}")


def watch(running: Running, ending: threading.Event, samples: list[tuple[float, int]]) -> None:
    """Record the memory of the largest process, and the number of all descriptors that are not sockets."""
    while not ending.wait(_LOOK_SECONDS):
        with suppress(OSError, ValueError, IndexError):
            files = [str(each.readlink()) for pid in running.pids for each in Path(f"/proc/{pid}/fd").iterdir()]
            samples.append((max(running.rss_mib), sum(not file.startswith("socket:") for file in files)))


def growth(values: list[float], startup: int) -> float:
    """Return the median of the last third ÷ the median of the first third of what follows the startup.

    `startup`: the number of values that belong to it; at most half of the values count as such.
    """
    later = values[min(startup, len(values) // 2) :]
    third = -(-len(later) // 3)
    return float(np.median(later[-third:]) / np.median(later[:third]))


def stored(folder: Path) -> list[int]:
    """Return the ids of all exposures in the store."""
    with closing(sqlite3.connect(folder / "state.db")) as store:
        return [number(row[0]) for row in store.execute("SELECT prediction_id FROM exposures")]


def main() -> None:
    """Run the soak test. Exits with 1 if it fails."""
    options_of = parser(__doc__, "soak", rounds=1, seconds=0.0)
    options_of.add_argument("--minutes", type=float, default=30.0)
    options = options_of.parse_args()
    about = machine()
    done: dict[str, Any] = {"actions": {}, "failed_actions": []}
    samples: list[tuple[float, int]] = []
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        with servers.server(python=options.server, workers=None, tree=options.tree, state=folder) as running:
            with servers.experiment(running.port, "capacity"):
                messages = bodies.messages(KIND, users=True)
                capacity = closed(running.port, messages, CONNECTIONS, 3.0).summary()["per_second"]
            client, ending = Client(running.port), threading.Event()
            threads = [
                threading.Thread(target=operate, args=(running, ending, done)),
                threading.Thread(target=watch, args=(running, ending, samples)),
            ]
            for thread in threads:
                thread.start()
            try:
                client.ask(SHARE * capacity, 60 * options.minutes)
            finally:
                ending.set()
                for thread in threads:
                    thread.join()
            running.process.send_signal(signal.SIGTERM)
            code = running.process.wait(60)
        ids = stored(folder)
    startup = int(STARTUP_SECONDS / _LOOK_SECONDS)
    missing = int((~np.isin(np.array(client.ids, np.uint64), np.array(ids, np.uint64))).sum())
    kills = done["actions"].get("kill", 0)
    found = {
        "machine": about,
        "minutes": options.minutes,
        "per_second": SHARE * capacity,
        "answered": client.answered,
        "errors": client.errors,
        "lost": client.lost,
        "lost_at_most": kills * CONNECTIONS,
        "under_an_experiment": len(client.ids),
        "not_stored": missing,
        "stored_twice": len(ids) - len(set(ids)),
        "memory_growth": growth([memory for memory, _ in samples], startup),
        "descriptors_growth": growth([float(files) for _, files in samples], startup),
        "exit_code": code,
        **done,
        "examples": client.examples,
    }
    save(found, options.output)
    good = (
        client.errors == missing == found["stored_twice"] == code == 0
        and client.lost <= found["lost_at_most"]
        and found["memory_growth"] <= GROWTH
        and found["descriptors_growth"] <= GROWTH
    )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
