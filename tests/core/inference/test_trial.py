from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.bundles import bundle
from core.inference import trial
from tests import bundles, hanging
from tests.market import ONNX, ROOT, VERSIONS

# What each of these takes without end.
TIME = ("loop", "nested", "scan", "recurrent", "folded_for_long", "multiplied")
MEMORY = ("folded", "range", "expand", "tile", "pad", "resize")


@pytest.mark.parametrize("version", VERSIONS)
def test_committed_bundles_pass(version: str) -> None:
    assert trial.run(bundle.read(ONNX / version), trial.STARTING) is None


@pytest.mark.parametrize("kind", MEMORY)
def test_a_graph_that_does_not_fit_fails(tmp_path: Path, kind: str) -> None:
    failure = trial.run(bundle.read(hanging.write(tmp_path, "v1", kind, "stage2")), trial.STARTING)
    assert failure is not None
    assert failure.stage == "stage2"
    assert failure.final


@pytest.mark.long
@pytest.mark.parametrize("kind", TIME)
def test_a_graph_that_does_not_end_fails(tmp_path: Path, kind: str) -> None:
    limits = trial.TrialLimits(cpu_seconds=2.0, elapsed_seconds=60.0)  # the machine may be busy
    failure = trial.run(bundle.read(hanging.write(tmp_path, "v1", kind)), limits)
    assert failure is not None
    assert failure.stage == "stage1"
    assert failure.final


def test_every_kind_is_tested() -> None:
    assert set(TIME) | set(MEMORY) == set(hanging.PARTS)


def test_a_refusal_of_the_load_is_told_without_the_version_twice(tmp_path: Path) -> None:
    failure = trial.run(bundle.read(bundles.write(tmp_path, "v1", kind="two_wide")), trial.STARTING)
    assert failure is not None
    assert failure.stage == "stage1"
    assert failure.reason.startswith("stage1-network-")


def test_too_much_elapsed_time_is_not_final(tmp_path: Path) -> None:
    limits = trial.TrialLimits(cpu_seconds=2.0, elapsed_seconds=0.01)
    failure = trial.run(bundle.read(bundles.write(tmp_path, "v1")), limits)
    assert failure is not None
    assert not failure.final


def test_a_child_that_cannot_start_is_not_final(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    failure = trial.run(bundle.read(bundles.write(tmp_path, "v1")), trial.STARTING)
    assert failure is not None
    assert not failure.final


def test_a_crash_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "crashing.py").write_text("import os\nprint('stage2', flush=True)\nos.abort()")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(trial, "_MODULE", "crashing")
    failure = trial.run(bundle.read(bundles.write(tmp_path, "v1")), trial.STARTING)
    assert failure is not None
    assert failure.stage == "stage2"
    assert "SIGABRT" in failure.reason
    assert failure.final


def test_limits_hold_only_within_the_block() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with trial.limited(100.0):
        assert resource.getrlimit(resource.RLIMIT_DATA) != before
        assert signal.getitimer(signal.ITIMER_PROF)[0] > 0.0
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_cpu_time_beyond_the_limit_ends_the_process() -> None:
    code = "from core.inference import trial\nwith trial.limited(0.05):\n    while True: pass"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == -signal.SIGPROF
