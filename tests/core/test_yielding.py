from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from core import yielding
from core.bundles.bundle import read
from core.bundles.repository import Repository
from core.inference.detector import Detector
from core.serving.circuit_breaker import CircuitBreaker
from core.serving.registry import Registry
from core.serving.state import Action, State
from tests import bundles


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


def test_steps_pause_only_if_pauses_are_enabled_in_their_context(slept: list[float]) -> None:
    yielding.give_way()
    with yielding.enabled(wanted=True):
        yielding.give_way()
        with yielding.enabled(wanted=False):
            yielding.give_way()
        yielding.give_way()
        another = threading.Thread(target=yielding.give_way)  # in a context of its own
        another.start()
        another.join()
    yielding.give_way()
    assert len(slept) == 2
    assert all(0 < seconds < 0.01 for seconds in slept)


def test_a_version_is_loaded_with_pauses_if_another_version_is_served(tmp_path: Path, slept: list[float]) -> None:
    bundles.write(tmp_path, "v1")
    registry = Registry(Repository(tmp_path))
    registry.apply(registry.prepare(State(), ("v1",)))
    assert not slept
    bundles.write(tmp_path, "v2")
    registry.apply(registry.prepare(State().loading("v2"), ("v1", "v2"), Action("load", "v2")))
    assert "v2" in registry.snapshot.detectors
    stages = 2
    assert len(slept) >= stages * 4  # reading, checking, creating the session, running it


def test_a_failed_version_is_tried_again_with_pauses(tmp_path: Path, slept: list[float]) -> None:
    bundles.write(tmp_path, "v1")
    detector = Detector(read(tmp_path / "v1"))
    assert not slept
    assert CircuitBreaker().retry(detector)
    assert slept
