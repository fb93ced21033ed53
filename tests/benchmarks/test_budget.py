from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import cast

import pytest

from benchmarks import budget, check
from benchmarks.budget import BudgetError, Line
from tests.market import ROOT

MOST = Line(key="slow", what="p50", most=1.5, noise=0.1)
LEAST = Line(key="fast", what="throughput", least=0.5, noise=0.1)


@pytest.mark.parametrize(
    ("line", "found", "crossed"),
    [
        (MOST, 1.5, False),
        (MOST, 1.64, False),
        (MOST, 1.66, True),
        (MOST, math.nan, True),
        (LEAST, 0.5, False),
        (LEAST, 0.46, False),
        (LEAST, 0.44, True),
        (LEAST, math.nan, True),
    ],
)
def test_a_figure_crosses_its_limit_if_it_is_beyond_it_by_more_than_the_noise(
    line: Line, found: float, *, crossed: bool
) -> None:
    assert line.crossed(found) is crossed


@pytest.mark.parametrize(
    ("line", "found", "verdict"),
    [
        (MOST, (1.5,), "holds"),
        (MOST, (1.6,), "within noise"),
        (MOST, (1.7, 1.4), "holds"),
        (MOST, (1.7, 1.6), "within noise"),
        (MOST, (1.7, 1.8), "CROSSED"),
        (LEAST, (0.5,), "holds"),
        (LEAST, (0.47,), "within noise"),
        (LEAST, (0.3, 0.3), "CROSSED"),
    ],
)
def test_a_figure_beyond_the_limit_never_holds(line: Line, found: tuple[float, ...], verdict: str) -> None:
    assert line.verdict(found) == verdict


SHORT = Line(key="short", what="p50", most=1.5, noise=0.1, reached=2.0)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [((1.4,), "holds"), ((1.6,), "falls short"), ((2.15,), "falls short"), ((2.3, 2.3), "CROSSED")],
)
def test_a_figure_that_falls_short_must_not_get_worse(found: tuple[float, ...], verdict: str) -> None:
    assert SHORT.verdict(found) == verdict
    assert SHORT.crossed(found[0]) is (verdict == "CROSSED")


def test_only_a_line_that_crosses_is_measured_again() -> None:
    asked: list[list[str]] = []

    def measure(keys: Collection[str]) -> dict[str, float]:
        asked.append(list(keys))
        return {"slow": 3.0 if len(asked) == 1 else 1.2, "fast": 0.8}

    found = budget.judge([MOST, LEAST], measure)
    assert asked == [["slow", "fast"], ["slow"]]
    assert found == {"slow": (3.0, 1.2), "fast": (0.8,)}
    assert not budget.fails(MOST, found["slow"])


def test_a_line_that_crosses_twice_fails() -> None:
    # These figures mean 2 ms more in every answer; the echo server and both stages take 0.22 ms.
    found = budget.judge([MOST, LEAST], lambda _: {"slow": 10.4, "fast": 0.03})
    assert [budget.fails(line, found[line.key]) for line in (MOST, LEAST)] == [True, True]


def test_a_line_that_holds_is_not_measured_again() -> None:
    def once(keys: Collection[str]) -> dict[str, float]:
        assert set(keys) == {"slow", "fast"}
        return {"slow": 1.0, "fast": 1.0}

    assert budget.judge([MOST, LEAST], once) == {"slow": (1.0,), "fast": (1.0,)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"budget\.toml: .*\[\[line\]\]"),
        ('[[line]]\nkey = "a"\nwhat = "a"\nnoise = 0.1\n', "a: .*most.*least"),
        ('[[line]]\nkey = "a"\nwhat = "a"\nnoise = 0.1\nmost = 1\nleast = 1\n', "a: .*most.*least"),
        ('[[line]]\nkey = "a"\nwhat = "a"\nnoise = 1.5\nmost = 1\n', r"a: .*noise.*1\.5"),
        ('[[line]]\nkey = "a"\nwhat = "a"\nmost = 1\n', "noise"),
        ('[[line]]\nkey = "a"\nwhat = "a"\nnoise = 0.1\nmots = 1\n', "mots"),
        ('[[line]]\nkey = "a"\nwhat = "a"\nnoise = 0.1\nmost = 2\nreached = 1.9\n', r"a: .*reached.*1\.9"),
        (2 * '[[line]]\nkey = "a"\nwhat = "a"\nnoise = 0.1\nmost = 1\n', "more than once"),
        ("[[line]", "budget.toml"),
    ],
)
def test_an_invalid_budget_is_refused_with_the_place_of_the_mistake(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "budget.toml"
    path.write_text(text)
    with pytest.raises(BudgetError, match=message):
        budget.read(path)


def test_the_committed_budget_has_the_limits_that_were_asked_for() -> None:
    limits = {line.key: line.limit for line in budget.read()}
    asked = {
        "features_p50": "≤ 1.5",
        "candles_p50": "≤ 2",
        "features_throughput": "≥ 0.5",
        "candles_throughput": "≥ 0.35",
        "features_tail": "≤ 4",
        "features_tail_cores": "≤ 2.5",
        "start": "≤ 1.3",
        "background_load": "≤ 3",
        "promise": "≤ 500",
    }
    assert {key: limits[key] for key in asked} == asked
    under_an_experiment = {key: limits[f"{key}_ab"] for key in asked if f"{key}_ab" in limits}
    assert under_an_experiment.items() <= asked.items()


def test_the_promise_of_the_contract_has_no_noise() -> None:
    (promise,) = [line for line in budget.read() if line.key == "promise"]
    assert promise.noise == 0
    assert promise.crossed(500.1)


class TestMedians:
    def test_are_those_of_rounds_in_turns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        order: list[str] = []

        def lone(_: object) -> check.Ratios:
            order.append("lone")
            return {"a": [1.0, 9.0, 2.0][order.count("lone") - 1]}

        def busy(_: object) -> check.Ratios:
            order.append("busy")
            return {"b": 0.5, "c": 0.25}

        monkeypatch.setattr(check, "GROUPS", (lone, busy))
        known: check.Known = {}
        bench = cast("check.Bench", object())  # the groups above do not use it
        assert check.medians(bench, 3, ["a", "b", "c"], known) == {"a": 2.0, "b": 0.5, "c": 0.25}
        assert order == ["lone", "busy"] * 3
        order.clear()
        assert check.medians(bench, 1, ["c"], known) == {"b": 0.5, "c": 0.25}
        assert order == ["busy"]


def test_the_budget_has_a_line_for_the_check_in_ci() -> None:
    assert "make bench-check" in (ROOT / ".ci" / "run").read_text()
