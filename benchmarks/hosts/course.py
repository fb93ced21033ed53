"""The course of events on the hosts, while clients ask. Each event gives a row of figures."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import bodies
from benchmarks.hosts.cluster import Cluster, Replica, State, database, holding_the_writers_lock
from benchmarks.machine import ROOT
from core.store.opening import open_store
from tests.system.checks import assert_stored
from tests.system.load import Load
from tests.waiting import wait_until

KIND = "120 candles"
COMMITTED = ROOT / "models" / "onnx"
# Both releases read these bundles. v3.2 has features and graphs that the old release does not know.
SERVED = ("v3.1", "v3.0")
PUBLISHED = "v4"
CLIENTS = 6
# The pause of a client between an answer and its next request.
PAUSE_SECONDS = 0.02
# Predictions after what an event has done, before the next one begins.
AFTER = 100
# How long a replica is cut off: shorter and longer than the store waits for an answer before it gives up.
CUTS = (4.0, 20.0)
# How long a replica is without PostgreSQL, and PostgreSQL without a primary.
WITHOUT_STORE = 8.0
WITHOUT_PRIMARY = 4.0

Row = dict[str, Any]
# Fields of an answer that name one prediction, or its time.
_OWN = {"prediction_id", "timestamp"}


def question(client: int, number: int) -> dict[str, Any]:
    """A body of real candles by one of 97 users."""
    asked = bodies.requests(KIND)
    return asked[(client * 7 + number) % len(asked)] | {"user_id": f"user{(client * 31 + number) % 97}"}


def served(folder: Path) -> Path:
    """Make a folder with the bundles that the replicas serve."""
    for version in SERVED:
        shutil.copytree(COMMITTED / version, folder / version)
    (folder / "index.json").write_text(json.dumps({"order": SERVED}))
    return folder


class Course:
    """Runs the events, one after the other."""

    def __init__(self, cluster: Cluster, load: Load, folder: Path) -> None:
        """`folder`: for the bundle that is published, and what else is made."""
        self.rows: list[Row] = []
        self._cluster = cluster
        self._load = load
        self._folder = folder
        self._experiments: list[str] = []

    def run(self, new: Path) -> None:
        """Run all events. The replicas run the old release; `new`: the folder with the command of the new one."""
        one, two = self._cluster.replicas
        with self._event("an experiment starts, both replicas on the old release") as row:
            self._experiment("first")
            self._agree(row, experiment="first")
        for replica, other in ((one, two), (two, one)):
            with self._event(f"replica {replica.name} gets the new release") as row:
                self._upgrade(replica, new)
                self._agree(row, experiment="first")
                if replica is one:
                    row["side_by_side"] = self._side_by_side(one, two)
            if replica is one:
                self._changes_between(one, other)
        with self._event("a switch") as row:
            self._cluster.call("models/v3.0/switch")
            self._agree(row, version="v3.0")
        with self._event("another experiment") as row:
            self._experiment("second")
            self._agree(row, experiment="second")
        with self._event("a new bundle is published on both, and loaded") as row:
            bundle = self._bundle()
            for replica in (one, two):
                replica.publish(PUBLISHED, bundle)
            self._cluster.call(f"models/{PUBLISHED}/load")
            self._agree(row, loaded=PUBLISHED)
        for seconds, version, experiment in zip(CUTS, (PUBLISHED, "v3.1"), ("third", "fourth"), strict=True):
            with self._event(f"replica two is cut off for {seconds:g} s, and both are changed meanwhile") as row:
                self._cut(row, two, seconds, version, experiment)
        with self._event(f"replica two loses PostgreSQL for {WITHOUT_STORE:g} s, and not its clients") as row:
            self._lose_store(row, one, two, PUBLISHED, "fifth")
        with self._event("the primary's host vanishes, and the standby is promoted") as row:
            self._fail_over(row, "v3.0")
        self._cluster.call(f"experiments/{self._experiments[-1]}/stop")

    @contextmanager
    def _event(self, name: str) -> Iterator[Row]:
        row: Row = {"event": name}
        begin = time.monotonic()
        yield row
        self._load.wait_for(AFTER)
        row |= {"begin": begin, "end": time.monotonic()}
        self.rows.append(row)

    def _agree(self, row: Row, since: float | None = None, loaded: str = "", **wanted: str) -> None:
        """Wait until both replicas answer the same, and as wanted; the row gets the seconds that it took.

        `since`: when the network or a primary was back. Then the time is a promise.
        """
        row["promised"] = since is not None
        since = time.monotonic() if since is None else since
        body = bodies.requests(KIND)[0]

        def agreed() -> bool:
            try:
                first, second = (replica.state(body) for replica in self._cluster.replicas)
            except OSError:  # it is still cut off
                return False
            as_wanted = all(getattr(first, name) == value for name, value in wanted.items())
            return same(first, second) and as_wanted and (not loaded or loaded in dict(first.digests))

        wait_until(agreed, 60)
        row["seconds_until_one_state"] = round(time.monotonic() - since, 2)

    def _experiment(self, name: str, through: Cluster | Replica | None = None) -> None:
        through = through or self._cluster
        about = {"experiment_id": name, "name": name, "variant_a": "v3.0", "variant_b": "v3.1", "traffic_split": 0.5}
        through.call("experiments", about)
        through.call(f"experiments/{name}/activate")
        self._experiments.append(name)

    def _upgrade(self, replica: Replica, commands: Path) -> None:
        position = len(self._cluster.balancer.log)
        replica.stop()
        self._cluster.balancer.wait_for(replica, "DOWN", position)
        replica.start(commands)
        self._cluster.balancer.wait_for(replica, "UP", position)

    def _side_by_side(self, new: Replica, old: Replica) -> dict[str, int]:
        """Ask both releases the same; returns the numbers of questions and of equal answers."""
        asked = [
            body | more
            for number, body in enumerate(bodies.requests(KIND))
            for more in ({"user_id": f"user{number}"}, {"version": "v3.0"}, {"version": "v3.1"})
        ]
        equal = sum(without_own(new.answer(body)) == without_own(old.answer(body)) for body in asked)
        return {"asked": len(asked), "equal": equal}

    def _changes_between(self, new: Replica, old: Replica) -> None:
        """Each release follows a change that was made through the other one."""
        for through, version in ((new, "v3.0"), (old, "v3.1")):
            with self._event(f"a switch through replica {through.name}, old and new side by side") as row:
                through.call(f"models/{version}/switch")
                self._agree(row, version=version)

    def _bundle(self) -> Path:
        """A further version: the networks of v3.1 with another threshold."""
        bundle = self._folder / PUBLISHED
        shutil.copytree(COMMITTED / "v3.1", bundle)
        manifest = json.loads((bundle / "manifest.json").read_text())
        (bundle / "manifest.json").write_text(json.dumps(manifest | {"version": PUBLISHED, "threshold": 0.6}))
        return bundle

    def _cut(self, row: Row, replica: Replica, seconds: float, version: str, experiment: str) -> None:
        """Cut a replica off while it writes, change all that can be changed through the other one, and heal it."""
        balancer, position = self._cluster.balancer, len(self._cluster.balancer.log)
        with holding_the_writers_lock(replica.host, self._cluster.url):
            cut = time.monotonic()
            replica.host.cut()
        balancer.wait_for(replica, "DOWN", position)
        noticed = time.monotonic()
        row |= {"cut": cut, "noticed": noticed, "seconds_until_noticed": round(noticed - cut, 2)}
        self._cluster.call(f"models/{version}/switch")
        self._experiment(experiment)
        row["seconds_until_changed"] = round(time.monotonic() - cut, 2)
        wait_until(lambda: time.monotonic() >= cut + seconds)
        replica.host.heal()
        healed = time.monotonic()
        self._agree(row, since=healed, version=version, experiment=experiment)
        balancer.wait_for(replica, "UP", position)
        row["seconds_until_used_again"] = round(time.monotonic() - healed, 2)

    def _lose_store(self, row: Row, other: Replica, replica: Replica, version: str, experiment: str) -> None:
        """Take PostgreSQL from a replica that clients go on asking, and change everything through the other one."""
        hosts = self._cluster.database_hosts
        lost = time.monotonic()
        replica.host.lose(*hosts)
        other.call(f"models/{version}/switch")
        self._experiment(experiment, other)
        wait_until(lambda: time.monotonic() >= lost + WITHOUT_STORE)
        replica.host.find(*hosts)
        self._agree(row, since=time.monotonic(), version=version, experiment=experiment)

    def _fail_over(self, row: Row, version: str) -> None:
        """Take the primary's host off the network and end its processes, then promote the standby."""
        primary, standby = self._cluster.databases
        place = self._cluster.database_hosts[0]
        place.cut()
        primary.stop(signal.SIGKILL)
        gone = time.monotonic()
        wait_until(lambda: time.monotonic() >= gone + WITHOUT_PRIMARY)
        standby.promote()
        promoted = time.monotonic()
        wait_until(lambda: _succeeds(lambda: self._cluster.call(f"models/{version}/switch")), 60)
        self._agree(row, since=promoted, version=version)
        place.heal()
        # The old primary comes back as a standby of the new one, with its data copied again.
        with database(place, standby):
            self._load.wait_for(AFTER)

    def stored(self) -> dict[str, list[str]]:
        """The ids of all exposures in the store, by experiment."""
        store = open_store(self._cluster.databases[1].url)
        try:
            return {name: [row["prediction_id"] for row in store.export(name)] for name in self._experiments}
        finally:
            store.close()

    def answered(self) -> dict[str, set[str]]:
        """The ids of all predictions that clients and this process got, by experiment."""
        found: dict[str, set[str]] = {name: set() for name in self._experiments}
        for each in self._load.answers:
            if each.prediction_id is not None and each.experiment is not None:
                found[each.experiment].add(each.prediction_id)
        for replica in self._cluster.replicas:
            for prediction_id, experiment in replica.answered.items():
                found[experiment].add(prediction_id)
        return found

    def wrong_totals(self) -> Iterator[str]:
        """Yield each experiment whose totals are not the sums of its rows, or that has a fallback."""
        for name, ids in self.stored().items():
            try:
                assert_stored(self._cluster.databases[1].url, name, set(ids))
            except AssertionError as error:
                yield f"experiment {name}: its totals are not those of its rows: {error}"


def same(first: State, second: State) -> bool:
    """Whether two states are one. The old release does not say digests."""
    versions = [dict(each.digests) for each in (first, second)]
    known = [{version: digest for version, digest in each.items() if digest} for each in versions]
    return (
        first[:2] == second[:2]
        and versions[0].keys() == versions[1].keys()
        and (not all(known) or known[0] == known[1])
    )


def without_own(data: dict[str, Any]) -> dict[str, Any]:
    """The data of an answer without what differs between two answers to one question."""
    return {name: value for name, value in data.items() if name not in _OWN}


def _succeeds(call: Callable[[], object]) -> bool:
    try:
        call()
    except (RuntimeError, OSError, psycopg.Error):
        return False
    return True
