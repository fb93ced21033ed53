"""The folder that a server's processes share: on a full disk, deleted, or left behind by a killed server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from core.files import lock_file
from server.process import shared_folder
from server.protocol import metric_files
from server.protocol.metric_files import Numbers
from tests.market import ROOT
from tests.processes import post, serving
from tests.system.checks import events, folder_of, metric
from tests.system.disasters import filled
from tests.system.load import Load, question
from tests.waiting import wait_until

# Makes the server find no space in memory, so that it creates the folder on disk.
NO_MEMORY = """
import shutil
def disk_usage(path):
    raise OSError("not here")
shutil.disk_usage = disk_usage
"""

COUNTING = """
import sys
from prometheus_client import Counter
from server.protocol import metric_files
metric_files.use()
counter = Counter("name", "Text.", ["label"])
for number in range(int(sys.argv[1])):
    counter.labels(f"{number}" + 100 * "-").inc()
print([numbers.is_shared for numbers in metric_files._in_use], flush=True)
sys.stdin.readline()
metric_files.keep()
print([numbers.is_shared for numbers in metric_files._in_use], flush=True)
"""


def write(path: Path, value: int) -> None:
    """Write a file of metrics, as a process leaves it behind."""
    numbers = Numbers(str(path))
    numbers.write_value("key", value, 0.0)  # type: ignore[no-untyped-call]
    numbers.close()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("memory", [True, False])
def test_on_a_full_disk_a_killed_worker_is_replaced(
    models: Path, tmp_path: Path, small_disk: Path, *, memory: bool
) -> None:
    (tmp_path / "sitecustomize.py").write_text("" if memory else NO_MEMORY)
    with serving(
        "--models", str(models), REVERSAL_WORKERS="2", TMPDIR=str(small_disk), PYTHONPATH=str(tmp_path)
    ) as server:
        assert folder_of(server).is_relative_to(small_disk) is not memory
        before = server.workers
        load = Load(server.url, clients=4, pause=0.01)
        with load.running():
            load.wait_for(50)
            with filled(small_disk):
                for killed in before:
                    os.kill(killed, signal.SIGKILL)
                    wait_until(lambda killed=killed: killed not in server.workers and len(server.workers) == 2)  # type: ignore[misc]
                    load.wait_for(50)
                after = server.workers
                for version in range(3):  # series that the new workers do not have yet
                    assert post(f"{server.url}/reversal/predict", {**question(0, 0), "version": f"v{version}"})[0]
                if memory:
                    wait_until(lambda: metric(server, "reversal_prediction_seconds_count") >= 50)
            load.wait_for(50)
            assert server.workers == after
            wait_until(lambda: metric(server, "reversal_prediction_seconds_count") >= 150)
        assert not load.refused
        assert "SIGBUS" not in server.stop()


@pytest.mark.parametrize("series", [3, 600])
def test_metrics_that_find_no_room_on_disk_are_shared_when_there_is_room(small_disk: Path, series: int) -> None:
    """600 series do not fit in a new file."""
    command = [sys.executable, "-c", COUNTING, str(series)]
    environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(small_disk)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        room = small_disk / "room"
        if series > 3:
            room.write_bytes(bytes(1 << 16))
        with filled(small_disk):
            room.unlink(missing_ok=True)
            assert process.stdout.readline() == "[False]\n"
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "[True]\n"
    (path,) = small_disk.glob("counter_*.db")
    assert sum(value for _, value, *_ in Numbers.read_all_values_from_file(path)) == series  # type: ignore[no-untyped-call]


def test_ended_workers_leave_their_counts_and_no_files(models: Path) -> None:
    with serving("--models", str(models), REVERSAL_WORKERS="2") as server:
        for _ in range(20):
            assert post(f"{server.url}/reversal/predict", question(0, 0))[0] == 200
        wait_until(lambda: metric(server, "reversal_prediction_seconds_count") == 20)
        folder = folder_of(server)
        for _ in range(4):
            before = server.workers
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda before=before: len(server.workers) == 2 and not set(before) & set(server.workers))  # type: ignore[misc]
            wait_until(lambda: metric(server, "reversal_prediction_seconds_count") == 20)
        # Two files of counters and two of gauges for each worker, two for ended workers, and three for the keeper.
        wait_until(lambda: len(list(folder.glob("*.db"))) == 2 * 4 + 2 + 3)
        assert metric(server, "reversal_prediction_seconds_count") == 20


def test_nothing_is_merged_during_a_read(tmp_path: Path) -> None:
    for pid in (1, 2):
        write(tmp_path / f"counter_{pid}.db", pid)
    with metric_files.looking(tmp_path):
        assert not metric_files.merge(tmp_path, [1, 2])
    assert metric_files.merge(tmp_path, [1, 2])
    assert {path.name for path in tmp_path.glob("*.db")} == {"counter_ended.db", "histogram_ended.db"}
    (found,) = Numbers.read_all_values_from_file(tmp_path / "counter_ended.db")  # type: ignore[no-untyped-call]
    assert found[:2] == ("key", 3)


def test_files_that_cannot_be_merged_for_lack_of_room_stay(small_disk: Path) -> None:
    write(small_disk / "counter_1.db", 1)
    with filled(small_disk):
        assert not metric_files.merge(small_disk, [1])
    assert [path.name for path in small_disk.glob("counter*")] == ["counter_1.db"]
    assert metric_files.merge(small_disk, [1])


def test_a_deleted_folder_is_reported_and_created_again(models: Path) -> None:
    with serving("--models", str(models), REVERSAL_WORKERS="2") as server:
        folder = folder_of(server)
        shutil.rmtree(folder)
        killed = server.workers[0]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: killed not in server.workers and len(server.workers) == 2)
        wait_until(lambda: bool(events(server.log, "keeper_socket_deleted")))
        assert f" path={folder}/keeper.sock " in events(server.log, "keeper_socket_deleted")[0]
        assert post(f"{server.url}/reversal/models/v2/switch")[0] == 200

        def all_are_counted() -> bool:
            with suppress(OSError, ValueError):  # no folder, or the keeper has not written yet
                return metric(server, "reversal_workers") == 2
            return False

        wait_until(all_are_counted)
        server.stop()
        assert server.process.returncode == 0
        assert not folder.exists()


def test_only_folders_of_killed_servers_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_folder, "MEMORY", str(tmp_path))
    old = time.time() - 3600
    for name in ("killed", "in-use", "young"):
        (tmp_path / f"{shared_folder.PREFIX}{name}").mkdir()
        if name != "young":
            os.utime(tmp_path / f"{shared_folder.PREFIX}{name}", (old, old))
    (tmp_path / "another").mkdir()
    os.utime(tmp_path / "another", (old, old))
    (tmp_path / f"{shared_folder.PREFIX}link").symlink_to(tmp_path / "another")
    descriptor = os.open(tmp_path / f"{shared_folder.PREFIX}in-use", os.O_RDONLY)
    try:
        assert lock_file.lock(descriptor)
        folder = shared_folder.make()
        left = {path.name.removeprefix(shared_folder.PREFIX) for path in tmp_path.iterdir()}
    finally:
        os.close(descriptor)
    assert left == {"in-use", "young", "another", "link", folder.name.removeprefix(shared_folder.PREFIX)}
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        assert not lock_file.lock(descriptor)
    finally:
        os.close(descriptor)


def test_a_folder_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    shared_folder.make_again(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(PermissionError, match=f"^{folder} "):
        shared_folder.make_again(folder)
