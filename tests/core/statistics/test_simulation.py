"""Every deciding check keeps its level at continuous looks, and finds planted differences."""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.experiments.candle_table import Tally
from core.experiments.experiment import VARIANTS, Variant
from core.reports.report import experiment_report
from core.statistics import guardrails, sample_ratio, sequences
from core.statistics.guardrails import crossed
from core.statistics.samples import results
from tests.core.statistics import simulation, tables

# The number of experiments of a long run; it distinguishes a share of 5 % from one of 10 %. Other runs have SAMPLE.
EXPERIMENTS = 1_000
SAMPLE = 300
NUMBERS = [SAMPLE, pytest.param(EXPERIMENTS, marks=pytest.mark.long)]


@pytest.mark.parametrize("experiments", NUMBERS)
def test_experiments_with_two_copies_stay_below_every_level(experiments: int) -> None:
    wrong = simulation.false_alarms_of_copies(experiments)
    assert wrong["verdict"] <= sequences.LEVEL
    assert wrong["sample ratio"] <= sample_ratio.LEVEL
    assert wrong["any guardrail"] <= guardrails.LEVEL
    assert {"max_error_rate", "max_fallback_rate", "max_p99_ms", "min_hold_rate", "max_hold_rate"} <= set(wrong)
    # An interval for a single look does not keep the level at repeated looks.
    assert wrong["if made for one look"] > sequences.LEVEL


@pytest.mark.parametrize("experiments", NUMBERS)
def test_experiments_with_equally_good_versions_in_shadow_mode_stay_below_the_level(experiments: int) -> None:
    wrong = simulation.false_alarms_of_rivals(experiments, candles=1_500, look=25)
    assert wrong["verdict"] <= sequences.LEVEL
    # A sequence that takes candles as independent does not keep the level either.
    assert wrong["if candles were independent"] > 4 * sequences.LEVEL


def test_the_simulation_decides_as_the_report_does() -> None:
    """Compares verdict, sample ratio and guardrails at every tenth look of some experiments."""
    experiments, verdicts = 4, set()
    setting = tables.experiment(guardrails=simulation.LIMITS)
    in_a = simulation.variants_of_users(experiments)
    for look in simulation.copies(np.random.default_rng(1), in_a):
        if look.predictions % (10 * simulation.LOOK):
            continue
        different = simulation.called_different(results(look.table, "win_rate", paired=False), setting)["verdict"]
        mismatched = simulation.mismatched(look.tallies)
        guarded = np.logical_or.reduce(list(simulation.guarded(look.tallies).values()))
        for i in range(experiments):
            tallies = {v: one(look.tallies[v], i) for v in VARIANTS}
            found = experiment_report(setting, tallies, tables.row(look.table, i), 0, [])
            json.dumps(found, allow_nan=False)
            assert found["sample_ratio"]["mismatch"] == mismatched[i]
            assert (crossed(setting, tallies) is not None) == guarded[i]
            word = found["verdict"]["word"]
            assert (word in {"A better", "B better"}) == (different[i] and not mismatched[i])
            verdicts.add(word)
    assert "not yet" in verdicts


def one(tally: Tally, index: int) -> Tally:
    """One experiment's totals."""
    arrays = {name: getattr(tally, name) for name in Tally.__dataclass_fields__}
    return tables.tally(**{name: int(a[index]) for name, a in arrays.items() if isinstance(a, np.ndarray)})


@pytest.mark.parametrize("seed", range(20))
def test_win_rates_of_50_and_56_are_distinguished_within_12000_candles(seed: int) -> None:
    """Each side trades half of the candles, independently of the other."""
    rng = np.random.default_rng(seed)
    a, b = (
        tables.traded(np.where(rng.random(12_000) < 0.5, rng.random(12_000) < rate, np.nan)) for rate in (0.50, 0.56)
    )
    tallies: dict[Variant, Tally] = {"A": tables.tally(users=500), "B": tables.tally(users=500)}
    words = {
        experiment_report(tables.experiment(), tallies, simulation.until(tables.table(a, b), n), 0, [])["verdict"][
            "word"
        ]
        for n in range(400, 12_001, 400)
    }
    assert words == {"not yet", "B better"}
