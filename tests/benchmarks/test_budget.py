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
def test_a_figure_crosses_its_limit_when_it_is_beyond_it_by_more_than_the_noise(
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
def test_what_is_beyond_the_limit_is_never_said_to_hold(line: Line, found: tuple[float, ...], verdict: str) -> None:
    assert line.verdict(found) == verdict


SHORT = Line(key="short", what="p50", most=1.5, noise=0.1, reached=2.0)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [((1.4,), "holds"), ((1.6,), "falls short"), ((2.15,), "falls short"), ((2.3, 2.3), "CROSSED")],
)
def test_where_the_limit_is_not_reached_nothing_may_get_worse(found: tuple[float, ...], verdict: str) -> None:
    assert SHORT.verdict(found) == verdict
    assert SHORT.crossed(found[0]) is (verdict == "CROSSED")


def test_what_crosses_is_measured_once_more_and_nothing_else_is() -> None:
    asked: list[list[str]] = []

    def measure(keys: Collection[str]) -> dict[str, float]:
        asked.append(list(keys))
        return {"slow": 3.0 if len(asked) == 1 else 1.2, "fast": 0.8}

    found = budget.judge([MOST, LEAST], measure)
    assert asked == [["slow", "fast"], ["slow"]]
    assert found == {"slow": (3.0, 1.2), "fast": (0.8,)}
    assert not budget.fails(MOST, found["slow"])


def test_what_crosses_twice_fails() -> None:
    # 2 ms more in every answer, where echo and both stages take 0.22 ms.
    found = budget.judge([MOST, LEAST], lambda _: {"slow": 10.4, "fast": 0.03})
    assert [budget.fails(line, found[line.key]) for line in (MOST, LEAST)] == [True, True]


def test_what_holds_is_not_measured_again() -> None:
    def once(keys: Collection[str]) -> dict[str, float]:
        assert set(keys) == {"slow", "fast"}
        return {"slow": 1.0, "fast": 1.0}

    assert budget.judge([MOST, LEAST], once) == {"slow": (1.0,), "fast": (1.0,)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line"),
        ('[[line]]\nkey = "a"\nwhat = "a"\nnoise = 0.1\n', "a: expected either most or least"),
        ('[[line]]\nkey = "a"\nwhat = "a"\nnoise = 0.1\nmost = 1\nleast = 1\n', "a: expected either most or least"),
        ('[[line]]\nkey = "a"\nwhat = "a"\nnoise = 1.5\nmost = 1\n', "a: noise 1.5"),
        ('[[line]]\nkey = "a"\nwhat = "a"\nmost = 1\n', "noise"),
        ('[[line]]\nkey = "a"\nwhat = "a"\nnoise = 0.1\nmots = 1\n', "mots"),
        ('[[line]]\nkey = "a"\nwhat = "a"\nnoise = 0.1\nmost = 2\nreached = 1.9\n', "a: 1.9 is within the limit"),
        (2 * '[[line]]\nkey = "a"\nwhat = "a"\nnoise = 0.1\nmost = 1\n', "a key is there twice"),
        ("[[line]", "budget.toml"),
    ],
)
def test_a_budget_that_cannot_be_used_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
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


def test_the_contracts_promise_has_no_allowance() -> None:
    (promise,) = [line for line in budget.read() if line.key == "promise"]
    assert promise.noise == 0
    assert promise.crossed(500.1)


class TestMedians:
    def test_are_of_rounds_in_turns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        order: list[str] = []

        def lone(_: object) -> check.Ratios:
            order.append("lone")
            return {"a": [1.0, 9.0, 2.0][order.count("lone") - 1]}

        def busy(_: object) -> check.Ratios:
            order.append("busy")
            return {"b": 0.5, "c": 0.25}

        monkeypatch.setattr(check, "GROUPS", (lone, busy))
        known: check.Known = {}
        bench = cast("check.Bench", object())  # the groups above look at nothing of it
        assert check.medians(bench, 3, ["a", "b", "c"], known) == {"a": 2.0, "b": 0.5, "c": 0.25}
        assert order == ["lone", "busy"] * 3
        order.clear()
        assert check.medians(bench, 1, ["c"], known) == {"b": 0.5, "c": 0.25}
        assert order == ["busy"]


def test_the_budget_has_a_line_for_the_check_in_ci() -> None:
    assert "make bench-check" in (ROOT / ".ci" / "run").read_text()
