"""All workers of a server serve the same bundles, whatever happens to the models folder and to the workers."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from core.bundles.repository import Repository
from server.protocol.messages import KEPT_BUNDLES
from tests import bundles
from tests.processes import Server, post, serving
from tests.system.checks import events, folder_of
from tests.system.load import change
from tests.waiting import wait_until

WORKERS = 2
_SERIES = re.compile(r'^reversal_bundle_info\{digest="(\w+)",version="(\w+)"\} (\d+)', re.MULTILINE)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A models folder of each test, because they change it."""
    for version in ("v1", "v2", "v3"):
        bundles.write(tmp_path / "models", version)
    return tmp_path / "models"


def served(server: Server) -> dict[tuple[str, str], int]:
    """The number of workers by version and digest."""
    with urlopen(f"{server.url}/metrics", timeout=30) as response:  # noqa: S310 - the test's own server
        text = response.read().decode()
    return {(version, digest): int(count) for digest, version, count in _SERIES.findall(text) if count != "0"}


def copies(shared: Path) -> set[str]:
    """The digests of the kept copies."""
    return {path.name for path in (shared / KEPT_BUNDLES).iterdir()}


def replace_workers(server: Server, how: str) -> None:
    """Replace one worker or all, and wait until the new ones serve."""
    workers, started = server.workers, len(events(server.log, "worker_ready"))
    if how == "reload":
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not set(workers) & set(server.workers) and len(server.workers) == WORKERS)
        started += WORKERS
    else:
        os.kill(workers[0], signal.SIGKILL if how == "kill" else signal.SIGTERM)
        wait_until(lambda: workers[0] not in server.workers and len(server.workers) == WORKERS)
        started += 1
    wait_until(lambda: len(events(server.log, "worker_ready")) >= started)


def digests(models: Path) -> set[tuple[str, str]]:
    repository = Repository(models)
    return {(version, repository.digest(version)) for version in repository.listing().versions}


@pytest.mark.parametrize("how", ["kill", "end", "reload"])
def test_a_replaced_worker_serves_the_bundles_of_the_others_and_not_what_is_on_disk(models: Path, how: str) -> None:
    with serving("--models", str(models), REVERSAL_WORKERS=str(WORKERS)) as server:
        before = dict.fromkeys(digests(models), WORKERS)
        wait_until(lambda: served(server) == before)
        bundles.write(models, "v1", threshold=0.7)
        shutil.rmtree(models / "v2")
        bundles.write(models, "v4")
        replace_workers(server, how)
        wait_until(lambda: served(server) == before)
        assert not events(server.log, "bundle_copy_missing")
        # A load reads the folder, and a full restart as well.
        change(server.url, "models/v1/load")
        wait_until(
            lambda: (
                {key for key in served(server) if key[0] == "v1"} == {key for key in digests(models) if key[0] == "v1"}
            )
        )
        assert "Traceback" not in server.stop()
    with serving("--models", str(models), REVERSAL_WORKERS=str(WORKERS)) as server:
        wait_until(lambda: served(server) == dict.fromkeys(digests(models), WORKERS))


def test_the_only_worker_of_a_server_is_replaced_by_one_that_serves_the_same(models: Path) -> None:
    with serving("--models", str(models)) as server:
        before = dict.fromkeys(digests(models), 1)
        wait_until(lambda: served(server) == before)
        bundles.write(models, "v1", threshold=0.7)
        (worker,) = server.workers
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: len(events(server.log, "worker_ready")) == 2)
        wait_until(lambda: served(server) == before)


def test_copies_that_no_worker_serves_are_removed(models: Path) -> None:
    with serving("--models", str(models), REVERSAL_WORKERS=str(WORKERS)) as server:
        shared = folder_of(server)
        wait_until(lambda: copies(shared) == {digest for _, digest in digests(models)})
        bundles.write(models, "v1", threshold=0.7)
        change(server.url, "models/v1/load")
        wait_until(lambda: copies(shared) == {digest for _, digest in digests(models)})
        server.stop()
    assert not shared.exists()


@pytest.mark.parametrize("seed", range(3))
def test_after_anything_that_happens_all_workers_serve_the_same_bundles(models: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    versions = ("v1", "v2", "v3", "v4")
    steps = ("publish", "publish", "break", "remove", "load", "load", "switch", "unload", "kill", "kill", "reload")
    with serving("--models", str(models), REVERSAL_WORKERS=str(WORKERS)) as server:
        for _ in range(8):
            version, what = chance.choice(versions), chance.choice(steps)
            if what == "publish":
                bundles.write(models, version, threshold=chance.randint(1, 99) / 100)
            elif what == "break" and (models / version).exists():
                (models / version / "manifest.json").write_text("{}")
            elif what == "remove":
                shutil.rmtree(models / version, ignore_errors=True)
            elif what in ("load", "switch", "unload"):
                with suppress(OSError):
                    post(f"{server.url}/reversal/models/{version}/{what}")
            elif what in ("kill", "reload"):
                replace_workers(server, what)
        wait_until(lambda: bool(served(server)) and set(served(server).values()) == {WORKERS})
        assert not events(server.log, "worker_differs")
        assert "Traceback" not in server.stop()
