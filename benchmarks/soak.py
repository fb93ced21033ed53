"""Hours in minutes: load at 70 % of what the server can do, while versions switch, experiments change and workers die.

Nothing may go wrong but what was on a killed worker's connections: any other answer than 200, a prediction that was
answered under an experiment and is not in the store exactly once, memory or descriptors that grow. Exits with 1 then.
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

# Which both versions take.
KIND = "120 candles"
CONNECTIONS = 32
SHARE = 0.7
# Of resident memory and of descriptors: what the last third may have above the first.
GROWTH = 1.10
_ACTION_SECONDS = 2.0
_LOOK_SECONDS = 1.0
_PATIENCE = 10.0
_ID = b'"prediction_id":"'


class Client:
    """Asks at a constant rate, and goes on over another connection where one is lost or has had its last answer."""

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
        """Ask for so long. Raises LoadError where nothing is answered any more."""
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
                except OSError:  # it was closed between two requests
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
            if connection in self._free:  # as above
                self._free.remove(connection)
            else:
                self.lost += 1
            self._replace(connection)
            return
        self._heard = now
        self._count(connection)
        if connection.last:  # a worker that ends says so; what is sent to it afterwards is not answered
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
    """The last 64 bits of an id, 62 of them random: a tenth of the memory."""
    return int(prediction_id.replace("-", "")[16:], 16)


def actions(running: Running) -> Iterator[tuple[str, Callable[[], None]]]:
    """What an operator and bad luck do, in turns, for ever. One experiment is active nearly always."""

    def experiment(name: str) -> None:
        about = {"experiment_id": name, "name": name, "variant_a": "v3.0", "variant_b": "v3.1", "traffic_split": 0.5}
        servers.manage(running.port, "/reversal/experiments", about)
        servers.manage(running.port, f"/reversal/experiments/{name}/activate")

    def switch(version: str) -> None:
        servers.manage(running.port, f"/reversal/models/{version}/switch")

    def kill() -> None:
        workers = running.pids[2:]
        with suppress(ProcessLookupError):
            os.kill(random.choice(workers), signal.SIGKILL)  # noqa: S311 - any of them

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
        if turn % 3 == 2:  # noqa: PLR2004 - now and then
            yield "reload", lambda: running.process.send_signal(signal.SIGHUP)


def operate(running: Running, ending: threading.Event, told: dict[str, Any]) -> None:
    """Do all that until told to end, and count it."""
    for name, act in actions(running):
        if ending.wait(_ACTION_SECONDS):
            return
        try:
            act()
            told["actions"][name] = told["actions"].get(name, 0) + 1
        except (LoadError, OSError) as error:  # a worker that was killed had the call
            told["failed_actions"].append(f"{name}: {error}")


def watch(running: Running, ending: threading.Event, samples: list[tuple[float, int]]) -> None:
    """Remember the largest process's memory, and how many descriptors all have but for their connections."""
    while not ending.wait(_LOOK_SECONDS):
        with suppress(OSError, ValueError, IndexError):
            files = [str(each.readlink()) for pid in running.pids for each in Path(f"/proc/{pid}/fd").iterdir()]
            samples.append((max(running.rss_mib), sum(not file.startswith("socket:") for file in files)))


def growth(values: list[float]) -> float:
    """The last third's median ÷ the first's, whose first half is the start's."""
    third = len(values) // 3
    return float(np.median(values[-third:]) / np.median(values[third // 2 : third]))


def stored(folder: Path) -> list[int]:
    """The ids of all exposures in the store."""
    with closing(sqlite3.connect(folder / "state.db")) as store:
        return [number(row[0]) for row in store.execute("SELECT prediction_id FROM exposures")]


def main() -> None:
    """Run it. Exits with 1 where something went wrong."""
    options_of = parser(__doc__, "soak", rounds=1, seconds=0.0)
    options_of.add_argument("--minutes", type=float, default=30.0)
    options = options_of.parse_args()
    about = machine()
    told: dict[str, Any] = {"actions": {}, "failed_actions": []}
    samples: list[tuple[float, int]] = []
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        with servers.server(python=options.server, workers=None, tree=options.tree, state=folder) as running:
            with servers.experiment(running.port, "capacity"):
                messages = bodies.messages(KIND, users=True)
                capacity = closed(running.port, messages, CONNECTIONS, 3.0).summary()["per_second"]
            client, ending = Client(running.port), threading.Event()
            threads = [
                threading.Thread(target=operate, args=(running, ending, told)),
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
    missing = int((~np.isin(np.array(client.ids, np.uint64), np.array(ids, np.uint64))).sum())
    kills = told["actions"].get("kill", 0)
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
        "memory_growth": growth([memory for memory, _ in samples]),
        "descriptors_growth": growth([float(files) for _, files in samples]),
        "exit_code": code,
        **told,
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
