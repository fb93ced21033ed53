"""Guardrails on win rate and P&L: crossed only when it is certain, and only where a result says something."""

from __future__ import annotations

import numpy as np
import pytest

from core.experiments.candle_table import CandleTable
from core.experiments.experiment import Experiment, Guardrails
from core.reports.recorded import Recorded
from core.reports.result_guardrails import has_limits, results_crossed
from tests.core.statistics import tables
from tests.core.statistics.tables import experiment, table, traded


def results(rates: tuple[float, float], n: int = 4_000) -> CandleTable:
    rng = np.random.default_rng(1)
    a, b = (traded((rng.random(n) < rate).astype(np.float64)) for rate in rates)
    return table(a, b)


def judged(of: CandleTable, setting: Experiment) -> str | None:
    units = {} if setting.mode == "shadow" else tables.units(of)
    return results_crossed(setting, Recorded({"A": tables.tally(), "B": tables.tally()}, of, units, 0, []))


@pytest.mark.parametrize("mode", ["split", "crossover"])
@pytest.mark.parametrize(
    ("limit", "shown"), [({"min_win_rate": 0.5}, ("38.48%", "50.00%")), ({"min_mean_pnl": -0.5}, ("-2.", "-0.50"))]
)
def test_a_result_below_its_limit_is_named(mode: str, limit: dict[str, float], shown: tuple[str, str]) -> None:
    setting = experiment(mode=mode, guardrails=Guardrails(**limit))
    assert has_limits(setting)
    found = judged(results((0.55, 0.4)), setting)
    assert found is not None
    assert found.startswith(f"guardrail {next(iter(limit))}: ")
    assert "variant B (v3.1)" in found
    assert "4,000 candle times" in found
    for part in shown:
        assert part in found
    found = judged(results((0.4, 0.55)), setting)
    assert found is not None
    assert "variant A (v3.0)" in found


def test_a_result_that_could_be_chance_is_not_crossed() -> None:
    setting = experiment(guardrails=Guardrails(min_win_rate=0.5, min_mean_pnl=0.0))
    assert judged(results((0.49, 0.51)), setting) is None
    assert judged(results((0.3, 0.3), n=299), setting) is None
    assert judged(results((0.3, 0.3), n=300), setting) is not None


def test_more_limits_need_more_evidence_each() -> None:
    of = results((0.47, 0.5))
    alone = experiment(guardrails=Guardrails(min_win_rate=0.5))
    levels = [rate for rate in np.linspace(0.47, 0.55, 400) if judged(of, _with(alone, float(rate))) is not None]
    crowded = [rate for rate in levels if judged(of, _with(alone, float(rate), max_error_rate=0.1, max_p99_ms=9.0))]
    assert 0 < len(crowded) < len(levels)


def _with(setting: Experiment, rate: float, **others: float) -> Experiment:
    return tables.experiment(mode=setting.mode, guardrails=Guardrails(min_win_rate=rate, **others))


def test_in_shadow_mode_b_has_no_reported_results_of_its_own() -> None:
    setting = experiment(mode="shadow", guardrails=Guardrails(min_win_rate=0.5))
    assert judged(results((0.55, 0.3)), setting) is None
    found = judged(results((0.3, 0.55)), setting)
    assert found is not None
    assert "variant A" in found


def test_without_limits_on_results_nothing_is_read() -> None:
    assert not has_limits(experiment(guardrails=Guardrails(max_error_rate=0.1)))
    assert judged(results((0.1, 0.1)), experiment()) is None
