"""How much code a reader must follow: what is counted, and the bounds for a prediction."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.calls import Calls, Function, summary
from core.features import catalogue
from core.features.indicators import Indicators
from core.inference.decision import decide
from tests import market
from tests.market import ROOT


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    monkeypatch.setattr("threading.setprofile", lambda _: None)  # threads of other tests are not counted
    return Calls()


def names(calls: Calls) -> Iterator[str]:
    return (function.name for function in calls.entered)


def test_only_the_projects_functions_are_counted_in_order(calls: Calls) -> None:
    decide(0.9, 0.2, threshold=0.5, positive="short")  # fills its cache
    with calls.counting():
        decide(0.9, 0.2, threshold=0.5, positive="short")
        json.dumps([])
    assert list(names(calls)) == ["decide", "after_stage1", "gate_opens", "after_stage2"]
    assert {function.file for function in calls.entered} == {"core/inference/decision.py"}
    decide(0.9, 0.2, threshold=0.5, positive="short")
    assert len(calls.entered) == 4, "nothing is counted after the block"


def test_comprehensions_belong_to_the_function_around_them(calls: Calls) -> None:
    with calls.counting():
        catalogue.required_candles(["close", "open"], 5)  # this function has a generator expression
    assert set(names(calls)) <= {"required_candles", "feature"}
    assert "required_candles" in names(calls)


def test_lambdas_are_functions(calls: Calls) -> None:
    close, indicators = catalogue.feature("close"), Indicators(market.candles(0, 5), 3)
    with calls.counting():
        close.compute(indicators)
    assert list(names(calls)) == ["_field.<locals>.<lambda>"]


def test_a_summary_counts_functions_files_and_changes_of_file() -> None:
    one, two, other = (
        Function("core/a.py", 1, "one"), Function("core/a.py", 9, "two"), Function("server/b.py", 1, "one"),
    )  # fmt: skip
    assert summary([one, two, other, one, one]) == {
        "functions": 3,
        "files": 2,
        "changes_of_file": 2,
        "calls": 5,
        "core": {"functions": 2, "files": 1},
        "server": {"functions": 1, "files": 1},
    }


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    output = tmp_path_factory.mktemp("calls") / "calls.json"
    command = [sys.executable, "-m", "benchmarks.calls", "--no-conversion", "--output", str(output)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    found: dict[str, Any] = json.loads(Path(output).read_text())
    return found


def test_a_prediction_from_features_calls_few_functions(counted: dict[str, Any]) -> None:
    found = counted["features"]
    assert 20 < found["functions"] <= 60
    assert 5 < found["files"] <= 18
    assert found["core"]["functions"] <= 26
    assert found["core"]["files"] <= 7


def test_a_prediction_from_candles_also_calls_the_functions_of_its_features(counted: dict[str, Any]) -> None:
    found = counted["120 candles"]
    assert counted["features"]["functions"] < found["functions"] <= 80
    assert found["files"] <= 23
    assert found["core"]["functions"] <= 52
    assert found["core"]["files"] <= 12


def test_a_switch_is_counted_in_keeper_and_worker(counted: dict[str, Any]) -> None:
    assert counted["switch"]["functions"] > 50
