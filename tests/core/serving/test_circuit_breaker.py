from __future__ import annotations

import logging
from pathlib import Path

import msgspec
import pytest

from core.bundles import bundle
from core.errors import InvalidInput, ModelUnavailable
from core.inference.detector import Detector, DetectorResult, Prediction, Spent
from core.inference.inputs import GivenWindows
from core.serving import circuit_breaker as breaker_module
from core.serving.circuit_breaker import FAILURES, SLOW_SECONDS, CircuitBreaker
from tests import bundles

FAILED = ModelUnavailable("it broke")


@pytest.fixture
def detector(tmp_path: Path) -> Detector:
    """A detector that gives NaN for windows above 0.9."""
    bundles.write(tmp_path, "v1", kind="root")
    return Detector(bundle.read(tmp_path / "v1"))


@pytest.fixture
def answered(detector: Detector) -> Prediction:
    outcome = detector.predict([GivenWindows([[0.5, 0.5]] * 4, scaled=True)])[0]
    assert isinstance(outcome, Prediction)
    return outcome


def fail(breaker: CircuitBreaker, detector: Detector) -> None:
    """Record as many failures as open the circuit."""
    for _ in range(FAILURES):
        breaker.note(detector, [FAILED])


def test_failures_in_a_row_open_the_circuit_and_are_logged_once(
    detector: Detector, caplog: pytest.LogCaptureFixture
) -> None:
    breaker = CircuitBreaker()
    for _ in range(FAILURES - 1):
        breaker.note(detector, [FAILED])
        assert breaker.reason(detector) is None
    breaker.note(detector, [FAILED])
    assert breaker.reason(detector) == "version v1 failed 3 times in a row: it broke"
    fail(breaker, detector)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert caplog.messages[0].startswith('circuit_opened version=v1 failures=3 error="it broke" effect=')


def test_an_answer_resets_the_count_and_an_invalid_input_does_not_change_it(
    detector: Detector, answered: Prediction
) -> None:
    breaker = CircuitBreaker()
    rows: list[list[DetectorResult]] = [[FAILED], [InvalidInput("no"), FAILED], [FAILED, answered, FAILED]]
    for outcomes in rows * FAILURES:
        breaker.note(detector, outcomes)
        assert breaker.reason(detector) is None
    for _ in range(FAILURES):
        assert breaker.reason(detector) is None
        breaker.note(detector, [FAILED, InvalidInput("no"), FAILED])
        breaker.note(detector, [InvalidInput("no")])
        breaker.note(detector, [])
    assert breaker.reason(detector) is not None


def test_a_run_is_one_failure_however_many_requests_shared_it(detector: Detector, answered: Prediction) -> None:
    late = msgspec.structs.replace(answered, spent=Spent(0.0, SLOW_SECONDS, 0.5))
    for outcome, reason in ((FAILED, "it broke"), (late, "the run took 1.5 s")):
        breaker = CircuitBreaker()
        for _ in range(FAILURES):
            assert breaker.reason(detector) is None
            breaker.note(detector, [outcome] * 32)
        found = breaker.reason(detector)
        assert found is not None
        assert found.startswith(f"version v1 failed 3 times in a row: {reason}")


def test_a_failing_version_is_out_of_service_until_a_check_passes(
    detector: Detector, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaker = CircuitBreaker()
    for _ in range(FAILURES):
        assert breaker.due() == []
        assert not breaker.suspected.is_set()
        breaker.note(detector, detector.predict([GivenWindows([[0.95, 0.95]] * 4, scaled=True)]))
    assert breaker.suspected.is_set()
    assert breaker.due() == [detector]  # at once
    monkeypatch.setattr(detector, "trouble", lambda: "still broken")
    assert not breaker.retry(detector)
    breaker.tried(detector, well=False)
    assert breaker.reason(detector) is not None
    assert breaker.due() == []  # it was just checked
    fail(breaker, detector)  # further failures do not postpone the next check
    monkeypatch.setattr(breaker_module, "RETRY_SECONDS", 0.0)
    assert breaker.due() == [detector]
    monkeypatch.undo()
    assert breaker.retry(detector)
    breaker.tried(detector, well=True)
    assert breaker.reason(detector) is None
    assert "circuit_closed version=v1" in caplog.text


def test_after_a_passed_check_only_a_failed_check_opens_the_circuit(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a client that sends unanswerable inputs would take the version from all others, again and again."""
    breaker = CircuitBreaker()
    fail(breaker, detector)
    breaker.tried(detector, well=True)
    monkeypatch.setattr(breaker_module, "RETRY_SECONDS", 0.0)
    for _ in range(3):
        fail(breaker, detector)
        assert breaker.reason(detector) is None
        assert breaker.due() == [detector]
        breaker.tried(detector, well=True)
    fail(breaker, detector)
    breaker.tried(detector, well=False)
    assert breaker.reason(detector) is not None
    breaker.tried(detector, well=True)
    monkeypatch.setattr(breaker_module, "TRUSTED_SECONDS", 0.0)
    fail(breaker, detector)
    assert breaker.reason(detector) is not None


def test_a_version_that_is_loaded_again_has_no_failures(detector: Detector, tmp_path: Path) -> None:
    breaker = CircuitBreaker()
    fail(breaker, detector)
    assert breaker.reason(Detector(bundle.read(tmp_path / "v1"))) is None
