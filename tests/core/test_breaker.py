from __future__ import annotations

import logging
from pathlib import Path

import pytest

from core import breaker as breaker_module
from core import bundle
from core.breaker import FAILURES, SLOW_SECONDS, Breaker
from core.detector import Detector, Outcome, Prediction, Spent
from core.errors import InvalidInput, ModelUnavailable
from core.windows import GivenWindows
from tests import bundles

FAILED = ModelUnavailable("it broke")


@pytest.fixture
def detector(tmp_path: Path) -> Detector:
    """Of windows above 0.9 it makes NaN."""
    bundles.write(tmp_path, "v1", kind="root")
    return Detector(bundle.read(tmp_path / "v1"))


@pytest.fixture
def answered(detector: Detector) -> Prediction:
    outcome = detector.predict([GivenWindows([[0.5, 0.5]] * 4, scaled=True)])[0]
    assert isinstance(outcome, Prediction)
    return outcome


def test_failures_in_a_row_trip_it_and_it_says_why(detector: Detector, caplog: pytest.LogCaptureFixture) -> None:
    breaker = Breaker()
    for _ in range(FAILURES - 1):
        breaker.note(detector, [FAILED])
        assert breaker.reason(detector) is None
    breaker.note(detector, [FAILED])
    assert breaker.reason(detector) == "version v1 failed 3 times in a row: it broke"
    breaker.note(detector, [FAILED] * 5)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_an_answer_in_between_begins_the_row_anew_and_a_clients_mistake_says_nothing(
    detector: Detector, answered: Prediction
) -> None:
    breaker = Breaker()
    rows: list[list[Outcome]] = [[FAILED, FAILED, answered, FAILED], [InvalidInput("no"), FAILED], [answered]]
    for outcomes in rows:
        breaker.note(detector, outcomes)
        assert breaker.reason(detector) is None
    breaker.note(detector, [FAILED, InvalidInput("no"), FAILED, FAILED])
    assert breaker.reason(detector) is not None


def test_a_version_that_takes_too_long_fails_once_a_run(detector: Detector, answered: Prediction) -> None:
    breaker = Breaker()
    late = answered._replace(spent=Spent(0.0, SLOW_SECONDS, 0.5))
    for _ in range(FAILURES):
        assert breaker.reason(detector) is None
        breaker.note(detector, [late] * 32)
    assert breaker.reason(detector) == "version v1 failed 3 times in a row: it took 1.5 s"


def test_what_it_cannot_answer_keeps_it_out_until_it_is_tried_and_found_well(
    detector: Detector, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaker = Breaker()
    odd = [GivenWindows([[0.95, 0.95]] * 4, scaled=True)] * FAILURES
    breaker.note(detector, detector.predict(odd))
    assert breaker.due() == []  # it has just failed
    monkeypatch.setattr(breaker_module, "RETRY_SECONDS", 0.0)
    assert breaker.due() == [detector]
    monkeypatch.setattr(detector, "trouble", lambda: "still broken")
    assert not breaker.retry(detector)
    monkeypatch.undo()
    assert breaker.retry(detector)
    breaker.recovered(detector)
    breaker.recovered(detector)  # a request was quicker
    assert breaker.reason(detector) is None
    assert "version v1 answers again" in caplog.text


def test_one_that_is_loaded_anew_begins_anew(detector: Detector, tmp_path: Path) -> None:
    breaker = Breaker()
    breaker.note(detector, [FAILED] * FAILURES)
    assert breaker.reason(Detector(bundle.read(tmp_path / "v1"))) is None
