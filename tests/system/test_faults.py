"""Failures around a running server, each caused for real. docs/failures.md has a row for each."""

from __future__ import annotations

import errno
import http.client
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from core.store.opening import open_store
from tests import bundles
from tests.market import ROOT
from tests.processes import Server, cpu_seconds, get, post, serving
from tests.sockets import is_read
from tests.system.checks import assert_stored, events, metric
from tests.system.load import Load, create, print_figures, question, start_experiment
from tests.waiting import wait_until


@pytest.fixture
def own_models(models: Path, tmp_path: Path) -> Path:
    """A copy of the models folder that a test can damage."""
    return Path(shutil.copytree(models, tmp_path / "models"))


def predict(server: Server, level: float = 0.5, **fields: Any) -> tuple[int, dict[str, Any]]:  # noqa: ANN401
    status, answer = post(f"{server.url}/reversal/predict", {**question(0, 0), "features": [[level] * 2] * 4, **fields})
    return status, answer["data"] or answer


def test_a_corrupted_bundle_answers_until_it_is_loaded_again(own_models: Path) -> None:
    (graph,) = (own_models / "v1").glob("stage1-network-*.onnx")
    whole = graph.read_bytes()
    with serving("--models", str(own_models)) as server:
        bundles.flip_byte(graph)
        assert predict(server)[1]["model_version"] == "v1"
        status, answer = post(f"{server.url}/reversal/models/v1/load")
        assert (status, answer["code"]) == (503, "MODEL_UNAVAILABLE")
        assert f"v1: {graph.name}: SHA-256" in answer["error"]
        assert predict(server)[1]["model_version"] == "v1"
        # A worker that replaces it serves what was served.
        (killed,) = server.workers
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: server.workers not in ([], [killed]))
        assert predict(server)[1]["model_version"] == "v1"
        server.stop()
    # A server that starts has only the files on disk.
    with serving("--models", str(own_models)) as server:
        status, data = predict(server)
        assert (status, data["model_version"]) == (200, "v2")
        assert get(f"{server.url}/health")[1]["model_version"] == "v2"
        assert graph.name in get(f"{server.url}/reversal/models/v1")[1]["data"]["error"]
        graph.write_bytes(whole)
        assert post(f"{server.url}/reversal/models/v1/load")[0] == 200
        assert predict(server, version="v1")[1]["model_version"] == "v1"


# Drops CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, with which root can read every file.
WITHOUT_READ_CAPABILITIES = """
import ctypes
header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
libc = ctypes.CDLL(None)
libc.capget(header, sets)
sets[0] &= ~0b110
libc.capset(header, sets)
"""


@contextmanager
def missing(folder: Path) -> Iterator[None]:
    elsewhere = folder.rename(folder.with_name("elsewhere"))
    yield
    elsewhere.rename(folder)


@contextmanager
def unreadable(folder: Path) -> Iterator[None]:
    folder.chmod(0)
    try:
        yield
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize(
    ("broken", "reason"), [(missing, "v2 is no longer in"), (unreadable, os.strerror(errno.EACCES))]
)
def test_a_missing_or_unreadable_models_folder_prevents_only_loading(
    own_models: Path, tmp_path: Path, broken: Callable[[Path], AbstractContextManager[None]], reason: str
) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "sitecustomize.py").write_text(WITHOUT_READ_CAPABILITIES)
    with serving("--models", str(own_models), PYTHONPATH=str(code)) as server:
        with broken(own_models):
            assert predict(server)[0] == 200
            assert get(f"{server.url}/readyz")[0] == get(f"{server.url}/reversal/models")[0] == 200
            status, answer = post(f"{server.url}/reversal/models/v2/load")
            assert (status, answer["code"]) == (503, "MODEL_UNAVAILABLE")
            assert reason in answer["error"]
            assert post(f"{server.url}/reversal/models/v2/switch")[0] == 200  # v2 is in memory
            assert predict(server)[1]["model_version"] == "v2"
        assert post(f"{server.url}/reversal/models/v1/load")[0] == 200


def test_a_pipe_in_place_of_a_file_blocks_nothing(own_models: Path) -> None:
    index, manifest = own_models / "index.json", own_models / "v2" / "manifest.json"
    for file in (index, manifest):
        file.unlink()
        os.mkfifo(file)
    with serving("--models", str(own_models)) as server:
        assert predict(server)[1]["model_version"] == "v1"
        (line,) = events(server.log, "models_folder_invalid")
        assert "index.json" in line
        (line,) = events(server.log, "version_skipped")
        assert "version=v2 " in line
        assert "manifest.json" in line
        assert get(f"{server.url}/reversal/models")[0] == 200
        status, answer = post(f"{server.url}/reversal/models/v2/load")
        assert (status, answer["code"]) == (503, "MODEL_UNAVAILABLE")
        assert "v2: manifest.json: not a regular file" in answer["error"]
        assert post(f"{server.url}/reversal/models/v1/load")[0] == 200
        server.stop()
        assert server.process.returncode == 0


def remount(folder: Path, how: str) -> bool:
    """Remount a file system. Returns false if the kernel refuses, for example while a file is open for writing."""
    return (
        subprocess.run(["/bin/mount", "-o", f"remount,{how}", str(folder)], capture_output=True, check=False).returncode
        == 0
    )


def test_with_a_read_only_state_file_at_startup_predictions_continue(models: Path, small_disk: Path) -> None:
    with serving("--models", str(models), state=small_disk) as server:
        start_experiment(server.url, "before")
        server.stop()
    assert remount(small_disk, "ro")
    journals = small_disk.parent / "journals"
    shutil.copytree(small_disk / "journals", journals)  # they include the copy of the last state
    audit = str(small_disk.parent / "audit.jsonl")
    with serving(
        "--models", str(models), "--journals", str(journals), state=small_disk, REVERSAL_AUDIT=audit
    ) as server:
        assert predict(server)[0] == 200
        assert metric(server, "reversal_store_degraded") == 1
        status, answer = post(f"{server.url}/reversal/experiments/before/stop")
        assert (status, answer["code"]) == (503, "STORE_UNAVAILABLE")
        assert remount(small_disk, "rw")
        wait_until(lambda: metric(server, "reversal_store_degraded") == 0)
        assert post(f"{server.url}/reversal/experiments/before/stop")[0] == 200


def test_a_truncated_state_file_is_reported_and_renamed_at_the_next_startup(models: Path, tmp_path: Path) -> None:
    with serving("--models", str(models), state=tmp_path) as server:
        start_experiment(server.url, "lost")
        load = Load(server.url, clients=2, pause=0.01)
        with load.running():
            load.wait_for(50)
            for name in ("state.db", "state.db-wal"):
                os.truncate(tmp_path / name, 100)
            assert_degraded(server, "lost", "truncated")
            reported = time.monotonic()
            load.wait_for(50)
        assert not load.refused
        assert not load.lost
        server.stop()
    journaled = {answer.prediction_id for answer in load.since(reported)}
    assert journaled
    with serving("--models", str(models), state=tmp_path) as server:
        assert predict(server)[0] == 200
        (renamed,) = tmp_path.glob("state.db.unreadable-*Z")
        (line,) = events(server.log, "state_file_unreadable")
        assert f" renamed_to={renamed} " in line
        assert "store_outdated revision=0 " in server.log
        create(server.url, "new")
        assert get(f"{server.url}/reversal/experiments/lost/metrics")[0] == 404
        server.stop()
    with closing(open_store(f"sqlite:///{tmp_path}/state.db")) as store:
        assert journaled <= {row["prediction_id"] for row in store.export("lost")}


def test_a_state_file_that_is_moved_away_is_reported_and_used_again_when_it_is_back(
    models: Path, tmp_path: Path
) -> None:
    with serving("--models", str(models), state=tmp_path) as server:
        start_experiment(server.url, "moved")
        load = Load(server.url, clients=2, pause=0.01)
        with load.running():
            load.wait_for(50)
            files = list(tmp_path.glob("state.db*"))
            for file in files:
                file.rename(tmp_path / f"away-{file.name}")
            assert_degraded(server, "moved", os.strerror(errno.ENOENT))
            load.wait_for(50)
            for file in files:
                (tmp_path / f"away-{file.name}").rename(file)
            wait_until(lambda: "store_recovered" in server.log)
            assert post(f"{server.url}/reversal/experiments/moved/stop")[0] == 200
        assert not load.refused
        log = server.stop()
    assert "Traceback" not in log
    assert_stored(f"sqlite:///{tmp_path}/state.db", "moved", load.answered_ids)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="/proc is needed to find the open files")
def test_a_deleted_state_file_is_reported_and_can_be_copied_from_the_open_descriptors(
    models: Path, tmp_path: Path
) -> None:
    with serving("--models", str(models), state=tmp_path) as server:
        start_experiment(server.url, "deleted")
        load = Load(server.url, clients=2, pause=0.01)
        with load.running():
            load.wait_for(50)
            for file in tmp_path.glob("state.db*"):
                file.unlink()
            assert_degraded(server, "deleted", os.strerror(errno.ENOENT))
            load.wait_for(50)
        assert not load.refused
        for descriptor in Path(f"/proc/{server.process.pid}/fd").iterdir():
            for name in ("state.db", "state.db-wal"):
                if str(descriptor.readlink()) == f"{tmp_path / name} (deleted)":
                    shutil.copy(descriptor, tmp_path / name)
        server.stop()
        assert server.process.returncode == 0
    with serving("--models", str(models), state=tmp_path) as server:
        assert post(f"{server.url}/reversal/experiments/deleted/stop")[0] == 200
        assert " ERROR " not in server.stop()
    assert_stored(f"sqlite:///{tmp_path}/state.db", "deleted", load.answered_ids)


def assert_degraded(server: Server, experiment: str, reason: str) -> None:
    """Assert that the failure is soon reported by the metric, by the management call, and in the log."""
    wait_until(lambda: metric(server, "reversal_store_degraded") == 1, 10)
    status, answer = post(f"{server.url}/reversal/experiments/{experiment}/stop")
    assert (status, answer["code"]) == (503, "STORE_UNAVAILABLE")
    (line,) = events(server.log, "store_unavailable")
    assert "state.db: " in line
    assert reason in line


def is_answered(connection: http.client.HTTPConnection) -> bool:
    connection.request("POST", "/reversal/predict", json.dumps(question(0, 0)))
    return bool(json.loads(connection.getresponse().read())["success"])


def test_without_free_descriptors_new_connections_wait_and_open_ones_are_answered(models: Path) -> None:
    with serving("--models", str(models)) as server, ExitStack() as stack:
        (worker,) = server.workers
        address = ("127.0.0.1", urllib.parse.urlsplit(server.url).port or 0)
        kept = stack.enter_context(closing(http.client.HTTPConnection(*address)))
        assert is_answered(kept)
        used = len(list(Path(f"/proc/{worker}/fd").iterdir()))
        _, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (used + 20, hard))
        held = [stack.enter_context(socket.create_connection(address)) for _ in range(60)]
        wait_until(lambda: bool(events(server.log, "accept_failed")))
        assert all(is_answered(kept) for _ in range(3))
        assert len(events(server.log, "accept_failed")) < 5  # not one line for each connection
        for each in held:
            each.close()
        assert predict(server)[0] == 200


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("root", "stage1 answered nan"), ("raises", "stage1 failed"), ("slow", "the run took")],
)
def test_a_stage_that_fails_is_replaced_until_it_works_again(own_models: Path, kind: bundles.Kind, reason: str) -> None:
    bundles.write(own_models, "v0", kind=kind)
    bundles.write_order(own_models, "v0", "v1", "v2")
    with serving("--models", str(own_models)) as server:
        assert predict(server)[1]["model_version"] == "v0"
        for _ in range(3):
            began = time.monotonic()
            status, data = predict(server, 0.95)
            assert status == 200
            if kind == "slow":  # it answers late
                print_figures(f"a slow stage took {time.monotonic() - began:.1f} s")
            else:
                assert data["served_by"] == "v1"
                assert reason in data["fallback_reason"]
        # It is tried immediately with windows that every version can answer, and that succeeds.
        wait_until(lambda: predict(server)[1]["model_version"] == "v0", 10)
        status, data = predict(server, 0.95, version="v0")
        assert (status, data.get("code")) == ((200, None) if kind == "slow" else (503, "MODEL_UNAVAILABLE"))
        (opened,) = events(server.log, "circuit_opened")
        assert "version=v0 failures=3 error=" in opened
        assert reason in opened
        (closed,) = events(server.log.partition(opened)[2], "circuit_closed")
        assert closed.endswith("version=v0")
        if kind != "slow":
            assert metric(server, 'reversal_fallbacks_total{served_by="v1",version="v0"}') >= 3


def test_a_deadline_that_passes_behind_a_slow_stage_gets_504(own_models: Path) -> None:
    bundles.write(own_models, "v0", kind="slow")
    bundles.write_order(own_models, "v0", "v1")
    body = json.dumps(question(0, 0))
    with serving("--models", str(own_models)) as server, ThreadPoolExecutor(1) as first:
        with closing(http.client.HTTPConnection("127.0.0.1", urllib.parse.urlsplit(server.url).port)) as client:
            client.putrequest("POST", "/reversal/predict")
            client.putheader("Content-Length", str(len(body)))
            client.putheader("X-Request-Timeout-Ms", "500")
            client.endheaders()
            wait_until(lambda: is_read(client.sock))  # its deadline is set
            before = cpu_seconds(server.workers[0])
            slow = first.submit(predict, server, 0.95)
            wait_until(lambda: cpu_seconds(server.workers[0]) > before + 0.05)  # the slow stage runs
            client.send(body.encode())
            late = client.getresponse()
            assert (late.status, json.loads(late.read())["code"]) == (504, "DEADLINE_EXCEEDED")
        assert slow.result()[1]["model_version"] == "v0"


BROKEN_STAGE = """
import os
from core.inference.stage_runner import _BoundSession
_run = _BoundSession.run
def run_or_break(self, values):
    def fail(*_):
        raise RuntimeError("out of order")
    working = self._session
    if os.path.exists(os.environ["BROKEN"]) and self._name.startswith("version v0"):
        self._session = type("Broken", (), {"run": staticmethod(fail)})
    try:
        return _run(self, values)
    finally:
        self._session = working
_BoundSession.run = run_or_break
"""


def test_a_stage_that_is_broken_is_not_used_until_it_is_healthy(own_models: Path, tmp_path: Path) -> None:
    """The stage fails for every input, which a patch in the server's processes simulates."""
    bundles.write(own_models, "v0")
    bundles.write_order(own_models, "v0", "v1", "v2")
    code, broken = tmp_path / "code", tmp_path / "broken"
    code.mkdir()
    (code / "sitecustomize.py").write_text(BROKEN_STAGE)
    with serving("--models", str(own_models), PYTHONPATH=f"{code}:{ROOT}", BROKEN=str(broken)) as server:
        assert predict(server)[1]["model_version"] == "v0"
        broken.touch()
        for _ in range(3):
            reason = predict(server)[1]["fallback_reason"]
            assert all(part in reason for part in ("v0", "stage1", "out of order"))
        end = time.monotonic() + 2  # long enough for several tries
        while time.monotonic() < end:
            status, data = predict(server)
            assert (status, data["served_by"]) == (200, "v1")
            assert all(part in data["fallback_reason"] for part in ("v0 failed 3 times", "stage1", "out of order"))
            time.sleep(0.05)
        assert metric(server, 'reversal_version_failing{version="v0"}') == 1
        broken.unlink()
        wait_until(lambda: predict(server)[1]["model_version"] == "v0", 10)
        (closed,) = events(server.log, "circuit_closed")
        assert closed.endswith("version=v0")


def test_bad_input_from_one_client_does_not_take_a_version_from_other_clients(own_models: Path) -> None:
    for version in ("v0", "v1", "v2"):
        bundles.write(own_models, version, kind="root")
    bundles.write_order(own_models, "v0", "v1", "v2")

    def bad(client: int, number: int) -> dict[str, Any]:
        named = {"version": "v0"} if number % 2 else {}
        return {**question(client, number), "features": [[0.95] * 2] * 4, **named}

    def good(client: int, number: int) -> dict[str, Any]:
        return {**question(client, number), "features": [[0.5] * 2] * 4}

    batch = {"items": [bad(0, number) for number in range(64)]}
    with serving("--models", str(own_models)) as server:
        offender, others = Load(server.url, clients=4, body=bad), Load(server.url, clients=2, body=good, pause=0.01)
        with others.running(), offender.running():
            ready = []
            for _ in range(40):
                assert post(f"{server.url}/reversal/predict/batch", batch)[0] == 200
                ready.append(get(f"{server.url}/readyz")[0])
                others.wait_for(5)
    good_ones = len(others.answers)
    replaced = sum(answer.data.get("model_version") != "v0" for answer in others.answers)
    print_figures(
        f"{replaced} of {good_ones} good predictions were not answered by v0, beside {len(offender.answers)} bad ones"
    )
    assert replaced < good_ones / 20
    assert ready.count(503) <= 2


def test_a_worker_that_cannot_start_ends_the_server_and_the_reason_is_logged(models: Path) -> None:
    with serving("--models", str(models)) as server:
        used = len(list(Path(f"/proc/{server.manager}/fd").iterdir()))
        resource.prlimit(server.manager, resource.RLIMIT_NOFILE, (used + 8, used + 8))  # too few for a worker
        os.kill(server.workers[0], signal.SIGKILL)
        assert server.process.wait(20) == 1
        log = server.log
    assert os.strerror(errno.EMFILE) in log
    (line,) = events(log, "worker_start_failed")
    assert ' reason="exit code 3" ' in line
    (line,) = events(log, "manager_failed")
    assert line.endswith("code=3")


def test_a_killed_worker_loses_only_its_own_connections(models: Path) -> None:
    with serving("--models", str(models), REVERSAL_WORKERS="2") as server:
        load = Load(server.url, clients=8)
        with load.running():
            load.wait_for(100)
            victim = server.workers[0]
            killed = time.monotonic()
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: victim not in server.workers and len(server.workers) == 2, 5)
            back = time.monotonic() - killed
            load.wait_for(100)
        (line,) = events(server.log, "worker_ended")
        assert f" process={victim} reason=SIGKILL " in line
        print_figures(
            f"a worker was back after {back:.2f} s; {len(load.lost)} of {len(load.answers)} requests were lost"
        )
        assert not load.refused
        assert len(load.lost) <= load.clients
        assert back < 2.0


def test_a_killed_worker_counts_as_lost_and_a_replaced_one_does_not(models: Path) -> None:
    with serving("--models", str(models), REVERSAL_WORKERS="2") as server:
        before = server.workers
        os.kill(server.process.pid, signal.SIGHUP)
        wait_until(lambda: len(server.workers) == 2 and not {*server.workers} & {*before})
        wait_until(lambda: metric(server, "reversal_workers") == 2)
        assert metric(server, "reversal_workers_lost_total") == 0
        os.kill(server.workers[0], signal.SIGKILL)
        wait_until(lambda: metric(server, "reversal_workers_lost_total") == 1)
        assert metric(server, "reversal_workers_configured") == 2


def test_with_tokens_that_cannot_be_read_the_previous_ones_stay_valid(models: Path, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("first:token-of-the-first\n")

    def status(token: str) -> int:
        request = urllib.request.Request(f"{server.url}/reversal/models", headers={"Authorization": f"Bearer {token}"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - our own server
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    with serving("--models", str(models), REVERSAL_API_TOKEN_FILE=str(file)) as server:
        for spoil in (file.unlink, partial(file.write_text, "# no tokens\n")):
            spoil()
            for number in (signal.SIGHUP, signal.SIGKILL):
                (before,) = server.workers
                os.kill(before if number == signal.SIGKILL else server.process.pid, number)
                wait_until(partial(replaced, server, before))
                wait_until(partial(answers, server))
                assert (status("token-of-the-first"), status("another")) == (200, 401)
        unusable = events(server.log, "tokens_unusable")
        assert all(str(file) in line for line in unusable)
        assert {os.strerror(errno.ENOENT) in line for line in unusable} == {True, False}  # deleted, and without a token
        file.write_text("second:token-of-the-second\n")
        (before,) = server.workers
        server.process.send_signal(signal.SIGHUP)
        wait_until(partial(replaced, server, before))
        assert (status("token-of-the-first"), status("token-of-the-second")) == (401, 200)
        assert events(server.log, "tokens_loaded")[-1].endswith("level=api names=second")


def replaced(server: Server, worker: int) -> bool:
    return len(server.workers) == 1 and worker not in server.workers


def answers(server: Server) -> bool:
    try:
        return get(f"{server.url}/readyz")[0] == 200
    except OSError:
        return False


SHIFTED_CLOCK = """
import os, time
_file, _time, _time_ns = os.environ["CLOCK_SHIFT"], time.time, time.time_ns
def _shift():
    with open(_file) as file:
        return int(file.read())
time.time = lambda: _time() + _shift()
time.time_ns = lambda: _time_ns() + _shift() * 1_000_000_000
"""


def test_with_a_clock_that_is_set_back_nothing_is_lost_or_refused(models: Path, tmp_path: Path) -> None:
    """A patch shifts the clock of the server's processes, because all programs share the machine's clock."""
    shift, code = tmp_path / "shift", tmp_path / "code"
    shift.write_text("0")
    code.mkdir()
    (code / "sitecustomize.py").write_text(SHIFTED_CLOCK)
    state = tmp_path / "state"
    state.mkdir()
    clock = partial(serving, PYTHONPATH=str(code), CLOCK_SHIFT=str(shift))
    with clock("--models", str(models), state=state, REVERSAL_WORKERS="2") as server:
        start_experiment(server.url, "back")
        load = Load(server.url, clients=4)
        with load.running():
            load.wait_for(100)
            before = get(f"{server.url}/health")[1]["timestamp"]
            (tmp_path / "back").write_text("-3600")
            (tmp_path / "back").replace(shift)  # atomic: otherwise the server could read an empty file
            load.wait_for(100)
            assert get(f"{server.url}/health")[1]["timestamp"] < before
            os.kill(server.workers[0], signal.SIGKILL)  # the replacement's journal has earlier times than the others
            load.wait_for(100)
            assert post(f"{server.url}/reversal/experiments/back/stop")[0] == 200
        assert not load.refused
        log = server.stop()
    assert "Traceback" not in log
    with closing(open_store(f"sqlite:///{state}/state.db")) as store:
        times = [datetime.fromisoformat(row["at"]) for row in store.export("back")]
    assert times == sorted(times)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps) > timedelta(minutes=59)  # predictions after the change have earlier times
    assert_stored(f"sqlite:///{state}/state.db", "back", load.answered_ids)
