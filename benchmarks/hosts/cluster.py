"""What runs on the hosts: two replicas with a balancer before them, and PostgreSQL with a standby."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.hosts.network import Host, host
from benchmarks.machine import ROOT
from tests.needs import program
from tests.postgres import Server as Postgres
from tests.postgres import running_postgres
from tests.processes import Server, get, post, wait_until_alive
from tests.waiting import wait_until

CONFIGURATION = ROOT / "deploy" / "haproxy" / "haproxy.cfg"
_PORT, _DATABASE_PORT = 8000, 5432
# Longer than the balancer takes to notice that a replica is about to stop.
_GRACE_SECONDS = "5"
# Questions about a replica's state: so many are answered by each of its workers.
_QUESTIONS = 6


class State(NamedTuple):
    """What a replica answers: the active version, the active experiment, and the digest of each version.

    A value that its workers do not agree on is a text that says so.
    """

    version: str
    experiment: str
    digests: tuple[tuple[str, str], ...]


class Replica:
    """A replica of the server on a host, with a models folder and journals of its own."""

    def __init__(self, on: Host, folder: Path, database: str) -> None:
        self.host = on
        self.name = on.name
        self.url = f"http://{on.address}:{_PORT}"
        self.models = folder / "models"
        # The experiment of each prediction that this process has asked for, by the prediction's id.
        self.answered: dict[str, str] = {}
        self._folder = folder
        self._server: Server | None = None
        self._environ = {
            "REVERSAL_HOST": on.address,
            "REVERSAL_PORT": str(_PORT),
            "REVERSAL_INSECURE": "1",
            "REVERSAL_WORKERS": "2",
            "REVERSAL_GRACE_SECONDS": _GRACE_SECONDS,
            "REVERSAL_MODELS": str(self.models),
            "REVERSAL_STATE_URL": database,
            "REVERSAL_JOURNALS": str(folder / "journals"),
            "REVERSAL_AUDIT": str(folder / "audit.jsonl"),
        }

    @property
    def log(self) -> str:
        """The log of all its releases so far."""
        return (self._folder / "log").read_text()

    def start(self, commands: Path) -> None:
        """Start a release, by the folder with its command, and wait until it is ready."""
        call = [*self.host.within, str(commands / "reversal"), "serve"]
        outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        log = (self._folder / "log").open("ab+")
        process = subprocess.Popen(  # noqa: S603 - a release that was built before
            call, cwd=self._folder, env=outside | self._environ, stdout=log, stderr=log
        )
        self._server = Server(self.url, process, log)
        wait_until_alive(self._server)
        wait_until(lambda: get(f"{self.url}/readyz")[0] == 200)  # noqa: PLR2004 - HTTP

    def stop(self) -> None:
        """Stop as an operator does, and wait until the process has ended."""
        if self._server is not None:
            self._server.stop()
            self._server.log_file.close()
            self._server = None

    def end(self) -> None:
        """End all processes, if they run."""
        if self._server is not None:
            with suppress(ProcessLookupError):
                self._server.kill()

    def publish(self, version: str, bundle: Path) -> None:
        """Copy a bundle into the models folder."""
        shutil.copytree(bundle, self.models / version)

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """The data of the answer to a prediction."""
        status, answer = post(f"{self.url}/reversal/predict", body)
        if status != 200:  # noqa: PLR2004 - HTTP
            raise RuntimeError(f"replica {self.name} answered {status}: {answer}")
        data: dict[str, Any] = answer["data"]
        if "prediction_id" in data:
            self.answered[data["prediction_id"]] = data["experiment"]["experiment_id"]
        return data

    def call(self, path: str, body: object = None) -> None:
        """A management call, which must succeed."""
        manage(self.url, path, body)

    def state(self, body: dict[str, Any]) -> State:
        """What it answers now. `body`: a request without a user."""
        plain = {self.answer(body)["model_version"] for _ in range(_QUESTIONS)}
        users = [self.answer(body | {"user_id": "watcher"}).get("experiment") for _ in range(_QUESTIONS)]
        running = {"none" if each is None else str(each["experiment_id"]) for each in users}
        listed = get(f"{self.url}/reversal/models")[1]["data"]["versions"]
        digests = tuple(sorted((name, each.get("digest") or "") for name, each in listed.items() if each["loaded"]))
        return State(_one(plain), _one(running), digests)


def _one(found: set[str]) -> str:
    return found.pop() if len(found) == 1 else f"different: {', '.join(sorted(found))}"


class Balancer:
    """HAProxy with the configuration of deploy/."""

    def __init__(self, on: Host, log: Path) -> None:
        self.name = on.name
        self.url = f"http://{on.address}:{_PORT}"
        self._log = log

    @property
    def log(self) -> str:
        """The log so far: what happens to the replicas, and unusual requests."""
        return self._log.read_text()

    def wait_for(self, replica: Replica, what: str, since: int) -> None:
        """Wait until the log says, from a position on, that a replica is UP or DOWN."""
        wait_until(lambda: f"Server replicas/{replica.name} is {what}" in self.log[since:])


class Cluster(NamedTuple):
    """All that runs. The first of the databases is the primary."""

    replicas: tuple[Replica, Replica]
    balancer: Balancer
    databases: tuple[Postgres, Postgres]
    database_hosts: tuple[Host, Host]
    url: str

    def call(self, path: str, body: object = None) -> None:
        """A management call through the balancer, which must succeed."""
        manage(self.balancer.url, path, body)


def manage(url: str, path: str, body: object = None) -> None:
    """A management call, which must succeed."""
    status, answer = post(f"{url}/reversal/{path}", body)
    if status not in (200, 201):
        raise RuntimeError(f"{path} answered {status}: {answer}")


@contextmanager
def running(folder: Path, commands: Path, bundles: Path) -> Iterator[Cluster]:
    """Start everything on hosts of its own, the replicas with a release. They serve the bundles of a folder."""
    with ExitStack() as stack:
        one, two, primary, standby, balancer = (
            stack.enter_context(host(name, number))
            for name, number in (("one", 11), ("two", 12), ("db1", 21), ("db2", 22), ("balancer", 10))
        )
        places = (primary, standby)
        first = stack.enter_context(database(primary))
        second = stack.enter_context(database(standby, first))
        url = f"postgresql://postgres@{','.join(place.address for place in places)}/postgres"
        replicas = []
        for place in (one, two):
            (own := folder / place.name).mkdir()
            shutil.copytree(bundles, own / "models")
            replica = Replica(place, own, url)
            stack.callback(replica.end)
            replica.start(commands)
            replicas.append(replica)
        balancing = stack.enter_context(balanced(balancer, folder / "balancer.log"))
        yield Cluster((replicas[0], replicas[1]), balancing, (first, second), places, url)


@contextmanager
def database(on: Host, primary: Postgres | None = None) -> Iterator[Postgres]:
    """PostgreSQL on a host; a standby of `primary`, which streams, if that is given."""
    with running_postgres(primary, address=on.address, port=_DATABASE_PORT, within=on.within) as server:
        if primary is not None:
            wait_until(lambda: primary.run("SELECT state FROM pg_stat_replication") == [("streaming",)])
        yield server


@contextmanager
def holding_the_writers_lock(on: Host, url: str) -> Iterator[None]:
    """A process on a host that is in the middle of a COPY, as a keeper is in each drain."""
    call = [*on.within, sys.executable, "-m", "benchmarks.hosts.writer", url]
    with subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        try:
            if process.stdout.readline() != "writing\n":
                raise RuntimeError("nothing could be written")
            yield
        finally:
            process.kill()


@contextmanager
def balanced(on: Host, log: Path) -> Iterator[Balancer]:
    """Run HAProxy on a host, and wait until it uses both replicas."""
    call = [*on.within, program("haproxy", "haproxy"), "-db", "-f", str(CONFIGURATION)]
    with log.open("wb") as file, subprocess.Popen(call, stdout=file, stderr=file) as process:  # noqa: S603 - our file
        made = Balancer(on, log)
        try:
            wait_until(lambda: _is_ready(made))
            yield made
        finally:
            process.send_signal(signal.SIGKILL)


def _is_ready(balancer: Balancer) -> bool:
    with suppress(OSError, json.JSONDecodeError):
        return get(f"{balancer.url}/readyz")[0] == 200  # noqa: PLR2004 - HTTP
    return False
