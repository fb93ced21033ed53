"""With a full disk, a locked state file or a deleted folder, predictions continue and records are kept if possible."""

from __future__ import annotations

import re
import shutil
import time
from contextlib import closing
from pathlib import Path

from core.store.opening import open_store
from server.worker.app import MEMORY_RECORDS
from tests.processes import get, post, serving
from tests.system.checks import assert_stored, events, metric
from tests.system.disasters import filled, locked
from tests.system.load import Load, create, print_figures, question, start_experiment
from tests.waiting import wait_until

ITEMS = 1024


def test_on_a_full_disk_predictions_continue_and_are_stored_when_there_is_room(models: Path, small_disk: Path) -> None:
    with serving("--models", str(models), state=small_disk, REVERSAL_WORKERS="2") as server:
        start_experiment(server.url, "full")
        create(server.url, "other")
        load = Load(server.url, clients=4, pause=0.005)
        with load.running():
            load.wait_for(50)
            with filled(small_disk):
                wait_until(lambda: metric(server, "reversal_journal_degraded") == 1)
                wait_until(lambda: metric(server, "reversal_store_degraded") == 1)
                status, answer = post(f"{server.url}/reversal/experiments/other/activate")
                assert (status, answer["code"]) == (503, "STORE_UNAVAILABLE"), answer
                load.wait_for(200)
                waiting = metric(server, "reversal_exposures_waiting")
            # The recovery is automatic, and includes the last records, although no further request comes.
            wait_until(lambda: metric(server, "reversal_journal_degraded") == 0)
            wait_until(lambda: metric(server, "reversal_store_degraded") == 0)
            load.wait_for(50)
        wait_until(lambda: metric(server, "reversal_exposures_waiting") == 0)
        print_figures(f"{len(load.answers)} answered, {waiting:.0f} of them waited in memory")
        assert waiting
        assert not load.refused
        assert not load.lost
        assert {answer.experiment for answer in load.answers} == {"full"}
        assert metric(server, "reversal_exposures_unrecorded_total") == 0
        log = server.stop()
        assert server.process.returncode == 0
    assert "Traceback" not in log
    assert_stored(f"sqlite:///{small_disk}/state.db", "full", load.answered_ids)


def test_a_prediction_that_exceeds_disk_and_memory_is_answered_and_counted_as_unrecorded(
    models: Path, small_disk: Path
) -> None:
    with serving("--models", str(models), state=small_disk) as server:
        start_experiment(server.url, "lost")
        answered: set[str] = set()
        with filled(small_disk):
            for batch in range(MEMORY_RECORDS // ITEMS + 2):
                items = [question(batch, number) for number in range(ITEMS)]
                status, answer = post(f"{server.url}/reversal/predict/batch", {"items": items})
                assert status == 200
                answered |= {result["data"]["prediction_id"] for result in answer["data"]["results"]}
            assert len(answered) > MEMORY_RECORDS
            # Metrics can be one second old.
            wait_until(lambda: metric(server, "reversal_journal_degraded") == 1)
        wait_until(lambda: metric(server, "reversal_journal_degraded") == 0)
        report = get(f"{server.url}/reversal/experiments/lost/report")[1]["data"]
        unrecorded = sum(variant["unrecorded"] for variant in report["variants"].values())
        predictions = sum(variant["predictions"] for variant in report["variants"].values())
        print_figures(f"{len(answered)} answered, {predictions} recorded, {unrecorded} unrecorded")
        assert unrecorded > 0
        assert predictions + unrecorded == len(answered)
        assert re.search(rf"\b{unrecorded:,} predictions\b.* not recorded", report["verdict"]["sentence"])
        assert metric(server, "reversal_exposures_unrecorded_total") == unrecorded
        # From now on predictions are recorded again.
        status, answer = post(f"{server.url}/reversal/predict", question(0, 0))
        server.stop()
    with closing(open_store(f"sqlite:///{small_disk}/state.db")) as store:
        stored = {row["prediction_id"] for row in store.export("lost")}
    assert answer["data"]["prediction_id"] in stored
    assert len(stored & answered) == predictions


def test_while_another_process_has_the_state_locked_predictions_continue(models: Path, tmp_path: Path) -> None:
    with serving("--models", str(models), state=tmp_path, REVERSAL_WORKERS="2") as server:
        start_experiment(server.url, "locked")
        create(server.url, "other")
        load = Load(server.url, clients=2, pause=0.005)
        with load.running():
            load.wait_for(50)
            with locked(tmp_path / "state.db") as since:
                status, answer = post(f"{server.url}/reversal/experiments/other/activate")
                assert (status, answer["code"]) == (503, "STORE_UNAVAILABLE"), answer
                print_figures(f"refused after {time.monotonic() - since:.1f} s of a lock")
                wait_until(lambda: metric(server, "reversal_store_degraded") == 1)
                load.wait_for(50)
            wait_until(lambda: bool(events(server.log, "store_recovered")))
            wait_until(lambda: metric(server, "reversal_store_degraded") == 0)
        assert not load.refused
        assert not load.lost
        assert {answer.experiment for answer in load.answers} == {"locked"}
        log = server.stop()
        assert server.process.returncode == 0
    assert "Traceback" not in log
    assert_stored(f"sqlite:///{tmp_path}/state.db", "locked", load.answered_ids)


def test_a_journals_folder_that_is_deleted_is_created_again_and_nothing_is_lost(models: Path, tmp_path: Path) -> None:
    with serving("--models", str(models), state=tmp_path, REVERSAL_WORKERS="2") as server:
        start_experiment(server.url, "gone")
        load = Load(server.url, clients=4, pause=0.005)
        with load.running():
            load.wait_for(100)
            shutil.rmtree(tmp_path / "journals")
            load.wait_for(500)
            wait_until(lambda: len(events(server.log, "journal_folder_deleted")) == 1)  # logged by the keeper
            wait_until(lambda: len(events(server.log, "journal_deleted")) == 2)  # logged by each worker
            wait_until(lambda: metric(server, "reversal_store_degraded") == 0)
            assert post(f"{server.url}/reversal/experiments/gone/stop")[0] == 200
        assert not load.refused
        assert not load.lost
        server.stop()
    assert_stored(f"sqlite:///{tmp_path}/state.db", "gone", load.answered_ids)


def test_a_locked_store_is_reported_without_an_experiment_too(models: Path, tmp_path: Path) -> None:
    """With empty journals only a management call detects the lock. It is reported until the store works again."""
    with serving("--models", str(models), state=tmp_path) as server:
        with locked(tmp_path / "state.db"):
            assert post(f"{server.url}/reversal/models/v1/switch")[0] == 503
            time.sleep(1.0)
            assert metric(server, "reversal_store_degraded") == 1
        wait_until(lambda: metric(server, "reversal_store_degraded") == 0, 30)
        assert post(f"{server.url}/reversal/models/v1/switch")[0] == 200
