"""Every deciding check keeps its level at continuous looks, and planted differences are found."""

from __future__ import annotations

import numpy as np
import pytest

from core.experiments.candle_table import Tally
from core.experiments.experiment import VARIANTS
from core.reports.recorded import Recorded
from core.reports.report import experiment_report
from core.statistics import guardrails, sample_ratio
from core.statistics.guardrails import crossed
from tests.core.statistics import simulation, tables

# The number of experiments of a long run; it distinguishes a share of 5 % from one of 10 %. Other runs have SAMPLE.
EXPERIMENTS = 1_000
SAMPLE = 300
NUMBERS = [SAMPLE, pytest.param(EXPERIMENTS, marks=pytest.mark.long)]


@pytest.mark.parametrize("experiments", NUMBERS)
def test_experiments_with_two_copies_stay_below_every_level(experiments: int) -> None:
    wrong = simulation.false_alarms_of_copies(experiments)
    assert wrong["sample ratio"] <= sample_ratio.LEVEL
    assert wrong["any guardrail"] <= guardrails.LEVEL
    assert {"max_error_rate", "max_fallback_rate", "max_p99_ms", "min_hold_rate", "max_hold_rate"} <= set(wrong)


@pytest.mark.parametrize("experiments", [200, pytest.param(2_000, marks=pytest.mark.long)])
@pytest.mark.parametrize("limit", ["max_error_rate", "max_fallback_rate", "max_p99_ms"])
@pytest.mark.parametrize(
    ("size", "a_minute"),
    [(guardrails.BURST, 600), (4 * guardrails.BURST, 4 * guardrails.BUSY_REQUESTS)],
    ids=["50 in a row", "two seconds of much traffic"],
)
def test_bursts_do_not_stop_an_experiment_that_keeps_its_limit(
    experiments: int, limit: str, size: int, a_minute: int
) -> None:
    """The rate is exactly the limit in the long run, but it comes in bursts."""
    wrong = simulation.false_alarms_of_bursts(experiments, limit, guardrails.SLOW_SHARE, size=size, a_minute=a_minute)
    assert wrong["guardrail"] <= guardrails.LEVEL
    # Requests that are taken as independent stop most of the same experiments.
    assert wrong["if requests were independent"] > 0.5


def test_the_simulation_counts_as_the_report_does() -> None:
    """Compares sample ratio and guardrails at every tenth look of some experiments."""
    experiments = 4
    setting = tables.experiment(guardrails=simulation.LIMITS)
    nothing = tables.table(tables.side(holds=[]), tables.side(holds=[]))
    for look in simulation.copies(np.random.default_rng(1), simulation.variants_of_users(experiments)):
        if look.predictions % (10 * simulation.LOOK):
            continue
        mismatched = simulation.mismatched(look.tallies)
        guarded = np.logical_or.reduce(list(simulation.guarded(look.tallies).values()))
        for i in range(experiments):
            tallies = {v: one(look.tallies[v], i) for v in VARIANTS}
            found = experiment_report(setting, Recorded(tallies, nothing, {}, 0, []))
            assert found["sample_ratio"]["mismatch"] == mismatched[i]
            assert (crossed(setting, tallies) is not None) == guarded[i]


def one(tally: Tally, index: int) -> Tally:
    """One experiment's totals."""
    arrays = {name: getattr(tally, name) for name in Tally.__dataclass_fields__}
    return tables.tally(**{name: int(a[index]) for name, a in arrays.items() if isinstance(a, np.ndarray)})
