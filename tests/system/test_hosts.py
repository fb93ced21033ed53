"""Machines that are not as usual: read-only folders, no IPv6, process 1 of a container, few descriptors, odd mounts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.process.first_signals import IGNORED
from tests.market import ROOT
from tests.namespaces import after, entering, needs, read_only, signals
from tests.needs import missing
from tests.processes import Server, alive, children, get, post, serving, starting
from tests.system.checks import events
from tests.system.load import Load, question, start_experiment
from tests.waiting import wait_until

MEMORY = "/dev/shm"  # noqa: S108 - a unique folder is made in it


@pytest.fixture
def in_memory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)


def without_temporary_folders() -> str:
    """Make every folder read-only in which Python looks for a place for temporary files."""
    folders = [folder for folder in ("/tmp", "/var/tmp", "/usr/tmp") if Path(folder).is_dir()]  # noqa: S108
    return "".join(map(read_only, [*folders, ROOT]))


def test_it_serves_with_all_temporary_folders_read_only(models: Path, in_memory: Path) -> None:
    within = after(without_temporary_folders())
    with serving("--models", str(models), state=in_memory, within=within, TMPDIR="") as server:
        start_experiment(server.url, "memory")
        assert post(f"{server.url}/reversal/predict", question(0, 0))[0] == 200
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(events(server.log, "worker_ready")) == 2)
        assert get(f"{server.url}/reversal/experiments/memory/report")[0] == 200
        log = server.stop()
        assert server.process.returncode == 0
    assert " ERROR " not in log


def test_it_serves_with_the_memory_folder_read_only(models: Path, tmp_path: Path) -> None:
    with serving("--models", str(models), within=after(read_only(MEMORY)), TMPDIR=str(tmp_path)) as server:
        assert post(f"{server.url}/reversal/predict", question(0, 0))[0] == 200
        assert list(tmp_path.glob("reversal-server-*/keeper.sock"))
        assert " ERROR " not in server.stop()
    assert not list(tmp_path.glob("reversal-server-*"))


def test_without_any_folder_that_can_be_written_one_line_names_the_way_out(models: Path, tmp_path: Path) -> None:
    within = after(without_temporary_folders() + read_only(MEMORY))
    command = [*within, sys.executable, "-m", "server", "--port", "0", "--models", str(models)]
    environ = os.environ | {"TMPDIR": str(tmp_path), "LOG_LEVEL": "critical"}
    run = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1
    assert MEMORY in run.stderr
    assert "set TMPDIR " in run.stderr
    assert run.stderr.count("\n") == 1


def test_localhost_without_ipv6_is_served_on_ipv4(models: Path, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("::1 localhost\n127.0.0.1 localhost\n")
    off = "sysctl -qw net.ipv6.conf.all.disable_ipv6=1"
    within = after(f"mount --bind '{hosts}' /etc/hosts\nip link set lo up\n{off}", "--net")
    with starting("--models", str(models), "--host", "localhost", within=within) as server:
        wait_until(lambda: bool(events(server.log, "worker_ready")))
        code = f"import urllib.request; print(urllib.request.urlopen('{server.url}/readyz').status)"
        inside = [*entering(server.process.pid, "--net"), sys.executable, "-c", code]
        assert subprocess.run(inside, capture_output=True, text=True, check=True).stdout == "200\n"
        log = server.stop()
        assert server.process.returncode == 0
    (line,) = events(log, "address_unavailable")
    assert " host=::1 " in line
    (line,) = events(log, "port_opened")
    assert " host=127.0.0.1 " in line


def test_the_soft_limit_of_descriptors_is_raised_for_all_processes(models: Path) -> None:
    within = ("prlimit", "--nofile=256:3000")
    if shutil.which(within[0]) is None:
        missing("prlimit is not installed")
    with serving("--models", str(models), within=within) as server:
        for pid in server.pids:
            (line,) = [
                line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if line.startswith("Max open")
            ]
            assert line.split()[3:5] == ["3000", "3000"]


def first_child(pid: int) -> int:
    found: list[int] = []

    def appeared() -> bool:
        found[:] = children(pid)
        return bool(found)

    wait_until(appeared)
    return found[0]


CONTAINER = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


def test_as_process_1_it_collects_orphans_and_stops_on_sigterm(models: Path) -> None:
    needs(*CONTAINER, "true")
    with serving("--models", str(models), within=CONTAINER, REVERSAL_WORKERS="2") as container:
        init = first_child(container.process.pid)
        keeper = first_child(init)
        server = Server(container.url, container.process, container.log_file)
        orphan = "sleep 100 & exit"
        subprocess.run([*entering(init, "--pid", "--mount"), "sh", "-c", orphan], check=True)
        wait_until(lambda: len(children(init)) == 2)
        (orphaned,) = set(children(init)) - {keeper}
        os.kill(orphaned, signal.SIGKILL)
        wait_until(lambda: children(init) == [keeper])  # a zombie would still be listed
        os.kill(init, signal.SIGHUP)
        wait_until(lambda: len(events(server.log, "worker_ready")) == 4)
        os.kill(init, signal.SIGTERM)
        assert container.process.wait(30) == 0
        assert events(container.log, "server_stopped")
        assert " ERROR " not in container.log


def test_as_process_1_it_hears_a_sigterm_before_it_has_started(models: Path) -> None:
    needs(*CONTAINER, "true")
    with starting("--models", str(models), within=CONTAINER) as container:
        init = first_child(container.process.pid)
        wait_until(lambda: set(IGNORED) <= signals(init, "SigIgn"))  # SIGTERM is waited for before that
        os.kill(init, signal.SIGTERM)
        assert container.process.wait(30) == 0
        assert not events(container.log, "port_opened")


def test_a_failed_start_as_process_1_has_its_exit_code(models: Path) -> None:
    needs(*CONTAINER, "true")
    with starting("--models", str(models), "--port", "none", within=CONTAINER) as container:
        assert container.process.wait(30) == 2


@pytest.mark.parametrize("command", ["server", "reversal"])
def test_a_sigterm_during_the_imports_ends_the_process(command: str) -> None:
    arguments = ["serve"] if command == "reversal" else []
    with subprocess.Popen([sys.executable, "-m", command, *arguments], cwd=ROOT, stderr=subprocess.PIPE) as process:
        wait_until(lambda: signal.SIGTERM in signals(process.pid, "SigCgt"))
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
        assert process.returncode == 0
        assert log == b""


def test_a_parent_that_ignores_ended_children_does_not_stop_the_server_from_stopping(models: Path) -> None:
    ignore = "signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
    ignoring = f"import os, signal, sys; {ignore}; os.execv(sys.argv[1], sys.argv[1:])"
    with serving("--models", str(models), within=(sys.executable, "-c", ignoring)) as server:
        server.stop()
        assert server.process.returncode == 0


def test_signals_that_mean_nothing_change_nothing_in_any_process(models: Path) -> None:
    with starting("--models", str(models), REVERSAL_WORKERS="2") as server:
        wait_until(lambda: set(IGNORED) <= signals(server.process.pid, "SigIgn"))

        def started() -> bool:
            send_all(server)
            return len(events(server.log, "worker_ready")) == 2

        wait_until(started)
        pids = server.pids
        for pid in pids:
            assert set(IGNORED) <= signals(pid, "SigIgn")
        load = Load(server.url, clients=2, pause=0.01)
        with load.running():
            load.wait_for(20)
            send_all(server)
            load.wait_for(50)
            assert server.pids == pids
            server.process.send_signal(signal.SIGHUP)

            def replaced() -> bool:
                send_all(server)
                return len(server.workers) == 2 and not set(pids[2:]) & set(server.workers)

            wait_until(replaced)
            load.wait_for(50)
        assert server.pids[:2] == pids[:2]
        assert all(map(alive, server.pids))
        assert not load.refused
        assert not load.lost
        log = server.stop()
        assert server.process.returncode == 0
    assert " ERROR " not in log
    assert " WARNING " not in log


def send_all(server: Server) -> None:
    for pid in server.pids:
        for number in IGNORED:
            try:
                os.kill(pid, number)
            except ProcessLookupError:  # it was replaced by a reload
                break


def test_a_state_file_that_is_mounted_by_itself_is_refused_and_its_folder_is_whole(
    models: Path, tmp_path: Path
) -> None:
    host, container = tmp_path / "host", tmp_path / "container"
    host.mkdir()
    container.mkdir()
    for folder in (host, container):
        (folder / "state.db").touch(mode=0o600)
    alone = after(f"mount --bind '{host}/state.db' '{container}/state.db'")
    whole = after(f"mount --bind '{host}' '{container}'")
    arguments = ("--models", str(models))
    with serving(*arguments, state=container, within=whole) as server:
        start_experiment(server.url, "kept")
        server.kill()
    with starting(*arguments, state=container, within=alone) as server:
        assert server.process.wait(30) == 1
        line = server.log.splitlines()[-1]
        assert f"state file {container}/state.db " in line
        assert f" its folder as {container} " in line
        assert "Traceback" not in server.log
    with serving(*arguments, state=container, within=whole) as server:
        assert get(f"{server.url}/reversal/experiments/kept")[0] == 200
