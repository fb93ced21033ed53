"""Guardrails: the counts of each limit, and the sentence about a crossed one."""

from __future__ import annotations

from typing import Any

import pytest

from core.experiments.candle_table import Tally
from core.experiments.experiment import Guardrails, Variant
from core.statistics.guardrails import crossed
from tests.core.statistics.tables import experiment, tally

FINE = tally(predictions=5_000, candles=2_000, held_candles=1_000)

CROSSED: list[tuple[dict[str, float], dict[str, int], str]] = [
    (
        {"max_error_rate": 0.01},
        {"predictions": 600, "fallbacks": 40, "failures": 260, "refused": 100},
        "guardrail max_error_rate: 36.00% of 1,000 requests of variant B (v3.1) failed or were refused (limit 1.00%)",
    ),
    (
        {"max_fallback_rate": 0.02},
        {"predictions": 600, "fallbacks": 380, "failures": 20},
        "guardrail max_fallback_rate: 38.00% of 1,000 requests of variant B (v3.1) fell back (limit 2.00%)",
    ),
    (
        {"max_p99_ms": 5.0},
        {"predictions": 1_900, "fallbacks": 100, "failures": 500, "slow": 600},
        "guardrail max_p99_ms: 30.00% of 2,000 answers of variant B (v3.1) took over 5 ms (limit 1.00%)",
    ),
    (
        {"max_hold_rate": 0.7},
        {"predictions": 9_000, "candles": 4_000, "held_candles": 3_600},
        "guardrail max_hold_rate: 90.00% of 4,000 candles of variant B (v3.1) were hold (limit 70.00%)",
    ),
    (
        {"min_hold_rate": 0.5},
        {"predictions": 9_000, "candles": 4_000, "held_candles": 1_200},
        "guardrail min_hold_rate: 30.00% of 4,000 candles of variant B (v3.1) were hold (minimum 50.00%)",
    ),
]


@pytest.mark.parametrize(("limits", "counts", "sentence"), CROSSED, ids=[next(iter(case[0])) for case in CROSSED])
def test_a_crossed_limit_is_named_with_variant_rate_and_count(
    limits: dict[str, Any], counts: dict[str, int], sentence: str
) -> None:
    running = experiment(guardrails=Guardrails(**limits))
    assert crossed(running, {"A": FINE, "B": tally(**counts)}) == sentence
    assert crossed(running, {"A": tally(**counts), "B": FINE}) == sentence.replace("B (v3.1)", "A (v3.0)")


@pytest.mark.parametrize("limits", [case[0] for case in CROSSED], ids=[next(iter(case[0])) for case in CROSSED])
def test_kept_limits_are_not_crossed(limits: dict[str, Any]) -> None:
    running = experiment(guardrails=Guardrails(**limits))
    assert crossed(running, {"A": FINE, "B": FINE}) is None
    assert crossed(running, {"A": tally(), "B": tally()}) is None


def test_a_rate_above_the_limit_that_could_be_chance_is_not_crossed() -> None:
    running = experiment(guardrails=Guardrails(max_error_rate=0.01))
    assert crossed(running, {"A": FINE, "B": tally(predictions=97, failures=3)}) is None


def test_without_limits_nothing_is_crossed() -> None:
    broken = tally(failures=10_000, fallbacks=10_000, slow=10_000)
    assert crossed(experiment(), {"A": broken, "B": broken}) is None


def test_one_failure_crosses_a_limit_of_zero() -> None:
    running = experiment(guardrails=Guardrails(max_error_rate=0.0))
    found = crossed(running, {"A": FINE, "B": tally(predictions=4, failures=1)})
    assert found is not None
    assert found.startswith("guardrail max_error_rate: 20.00% of 5 requests of variant B (v3.1)")


def test_a_thousand_requests_refused_for_one_side_stop_the_experiment() -> None:
    running = experiment(guardrails=Guardrails(max_error_rate=0.01))
    found = crossed(running, {"A": FINE, "B": tally(predictions=4_000, refused=1_000)})
    assert found is not None
    assert found.startswith("guardrail max_error_rate: 20.00% of 5,000 requests of variant B (v3.1)")


@pytest.mark.parametrize(
    ("limit", "goes_on", "stops"), [(0.001, 90, 100), (0.01, 100, 105), (0.05, 135, 140), (0.2, 230, 235)]
)
def test_an_outage_stops_an_experiment_that_has_just_begun(limit: float, goes_on: int, stops: int) -> None:
    """The numbers are those of docs/statistics-method.md."""
    running = experiment(guardrails=Guardrails(max_error_rate=limit))
    assert crossed(running, {"A": FINE, "B": tally(failures=goes_on)}) is None
    assert crossed(running, {"A": FINE, "B": tally(failures=stops)}) is not None


def test_fifty_failures_in_a_row_stop_no_experiment() -> None:
    running = experiment(guardrails=Guardrails(max_error_rate=0.001))
    assert crossed(running, {"A": FINE, "B": tally(failures=50)}) is None
    assert crossed(running, {"A": FINE, "B": tally(predictions=2_000, failures=50)}) is None


def test_the_surplus_of_busy_minutes_does_not_count() -> None:
    """Of 6,000 requests in a minute, 200 arrive in two seconds and count as one: a fourth of all counts."""
    running = experiment(guardrails=Guardrails(max_error_rate=0.01, max_fallback_rate=0.01, max_p99_ms=5.0))
    for name in ("failures", "refused", "fallbacks", "slow"):
        counts = {name: 600, "predictions": 6_000 if name == "slow" else 5_400}
        surplus = {name: 450.0, "requests": 4_500.0}
        assert crossed(running, {"A": FINE, "B": tally(**counts)}) is not None
        assert crossed(running, {"A": FINE, "B": tally(**counts, surplus=surplus)}) is None


def test_more_limits_need_more_evidence_each() -> None:
    """The evidence is just enough for the only limit, and not enough for one of five."""
    bad: dict[Variant, Tally] = {"A": FINE, "B": tally(failures=105)}
    limits = {"max_error_rate": 0.01}
    others = {"max_fallback_rate": 0.5, "max_p99_ms": 100.0, "max_hold_rate": 1.0, "min_hold_rate": 0.0}
    assert crossed(experiment(guardrails=Guardrails(**limits)), bad) is not None
    assert crossed(experiment(guardrails=Guardrails(**limits, **others)), bad) is None
