from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.bundles import bundle
from core.bundles.bundle import Bundle
from core.errors import BundleRefused
from core.inference import trial
from core.inference.trial import TrialFailure, TrialLimits
from core.serving.trials import Trials
from tests import bundles, hanging
from tests.market import ROOT

LOAD = """
import sys
from pathlib import Path
from core.bundles import bundle
from core.inference.detector import Detector
from core.serving.trials import Trials
found = bundle.read(Path(sys.argv[2]))
with Trials(Path(sys.argv[1])).loading(found, starting=True):
    Detector(found)
"""


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


@pytest.fixture
def good(tmp_path: Path) -> Bundle:
    return bundle.read(bundles.write(tmp_path / "models", "v1"))


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The versions of all trials, which succeed at once."""
    found: list[str] = []
    monkeypatch.setattr(trial, "run", lambda bundle, _: found.append(bundle.manifest.version))
    return found


def load(shared: Path, found: Bundle, *, starting: bool) -> None:
    with Trials(shared).loading(found, starting=starting):
        pass


def names(shared: Path) -> set[str]:
    return {path.name.split("-")[0] for path in shared.iterdir()}


def test_a_starting_process_makes_no_trial(shared: Path, good: Bundle, tried: list[str]) -> None:
    load(shared, good, starting=True)
    assert names(shared) == {"loaded"}
    load(shared, good, starting=False)
    assert tried == []


def test_a_serving_process_makes_one_trial_of_a_bundle(shared: Path, good: Bundle, tried: list[str]) -> None:
    load(shared, good, starting=False)
    load(shared, good, starting=False)
    load(shared, good, starting=True)
    assert tried == ["v1"]


def test_a_refused_bundle_leaves_no_mark(shared: Path, good: Bundle, tried: list[str]) -> None:
    with pytest.raises(BundleRefused), Trials(shared).loading(good, starting=True):
        raise BundleRefused("bundle v1: wrong shape")
    assert names(shared) == set()
    load(shared, good, starting=True)
    assert tried == []


def test_a_load_that_another_process_makes_now_is_no_reason_for_a_trial(
    shared: Path, good: Bundle, tried: list[str]
) -> None:
    with Trials(shared).loading(good, starting=True):
        (mark,) = shared.glob("loading-*")
        mark.rename(mark.with_name(f"loading-{good.digest}-1"))  # as of another process, which holds the lock
        load(shared, good, starting=True)
        mark.with_name(f"loading-{good.digest}-1").rename(mark)
    assert tried == []


def test_a_process_that_was_lost_during_a_load_leads_to_a_trial(tmp_path: Path, shared: Path) -> None:
    folder = hanging.write(tmp_path, "v9", "loop")
    command = [sys.executable, "-c", LOAD, str(shared), str(folder)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGPROF
    assert names(shared) == {"loading"}
    for _ in range(2):
        with pytest.raises(BundleRefused, match=r"bundle v9: stage1: .*CPU"):
            load(shared, bundle.read(folder), starting=True)


def test_a_process_that_was_killed_during_the_load_of_a_good_bundle_does_no_harm(
    shared: Path, good: Bundle, tried: list[str]
) -> None:
    (shared / f"loading-{good.digest}-1").touch()
    load(shared, good, starting=True)
    assert tried == ["v1"]
    assert "loaded" in names(shared)


def test_a_failure_that_is_not_final_is_tried_again(
    shared: Path, good: Bundle, monkeypatch: pytest.MonkeyPatch, tried: list[str]
) -> None:
    with monkeypatch.context() as context:
        context.setattr(trial, "run", lambda *_: TrialFailure("stage2", "busy", final=False))
        with pytest.raises(BundleRefused, match="stage2: busy"):
            load(shared, good, starting=False)
    load(shared, good, starting=False)
    assert tried == ["v1"]


def test_a_failure_that_is_not_final_holds_for_a_process_that_waited_for_it(
    shared: Path, good: Bundle, monkeypatch: pytest.MonkeyPatch, tried: list[str]
) -> None:
    with monkeypatch.context() as context:
        context.setattr(trial, "run", lambda *_: TrialFailure("stage2", "busy", final=False))
        with pytest.raises(BundleRefused):
            load(shared, good, starting=False)
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)  # it began to wait before that failure
    with pytest.raises(BundleRefused, match="stage2: busy"):
        load(shared, good, starting=False)
    assert tried == []


def test_a_load_is_a_new_trial_after_any_failure_and_does_not_bind_a_start(
    shared: Path, good: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[TrialLimits] = []

    def run(_: Bundle, limits: TrialLimits) -> TrialFailure:
        tried.append(limits)
        return TrialFailure("stage1", "too much CPU time")

    monkeypatch.setattr(trial, "run", run)
    (shared / f"loading-{good.digest}-1").touch()
    for starting in (False, False, True, True, False):
        with pytest.raises(BundleRefused):
            load(shared, good, starting=starting)
    assert tried == [trial.LOADING, trial.LOADING, trial.STARTING, trial.LOADING]


def test_a_bundle_that_a_start_may_load_takes_longer_than_a_load_may(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = bundle.read(hanging.write(tmp_path, "v9", "loop"))
    monkeypatch.setattr(trial, "LOADING", trial.TrialLimits(0.1, 60.0))
    monkeypatch.setattr(trial, "STARTING", trial.TrialLimits(0.3, 60.0))
    (shared / f"loading-{found.digest}-1").touch()
    for starting, seconds in ((False, "0.1"), (True, "0.3")):
        with pytest.raises(BundleRefused, match=rf" {seconds} s of CPU"):
            load(shared, found, starting=starting)


def test_without_the_folder_every_load_is_tried(tmp_path: Path, good: Bundle, tried: list[str]) -> None:
    for _ in range(2):
        load(tmp_path / "deleted", good, starting=True)
    assert tried == ["v1", "v1"]
