"""Every deciding check keeps its level at continuous looks, and planted differences are found."""

from __future__ import annotations

import numpy as np
import pytest

from core.experiments.candle_table import Tally
from core.experiments.experiment import VARIANTS
from core.reports.recorded import Recorded
from core.reports.report import experiment_report
from core.statistics import guardrails, sample_ratio, sequences
from core.statistics.guardrails import crossed
from tests.core.statistics import simulation, situations, tables

# The number of experiments of a long run; it distinguishes a share of 5 % from one of 10 %. Other runs have SAMPLE.
EXPERIMENTS = 1_000
SAMPLE = 300
# The situations are sampled more thinly, because a look at them costs more.
RUNS = 30
SAMPLED = (
    "split, 20 users of different skill",
    "split, 200 users of different skill",
    "crossover, 20 users of different skill, outcomes over 24 candles that come late",
    "split, 10% of B's losses not reported",
    "shadow, replayed by 32 clients",
    "shadow, 28 pairs for 180 hours, outcomes over 24",
    "shadow, outcomes of A's trades reported, B worse",
)
# The others show that what must not be touched is not: for example, one client that replays in order.
FAILS_A_SIMPLER_METHOD = {
    *(f"split, {users} users of different skill" for users in (20, 50, 80, 200)),
    *(f"split, {share}% of B's losses not reported" for share in (5, 10, 20)),
    *(f"shadow, replayed by {clients} clients" for clients in (8, 16, 32)),
    "shadow, shuffled",
    "shadow, 28 pairs for 180 hours, outcomes over 24",
    "shadow, outcomes of A's trades reported, B worse",
}
NUMBERS = [SAMPLE, pytest.param(EXPERIMENTS, marks=pytest.mark.long)]


@pytest.mark.parametrize("experiments", NUMBERS)
def test_experiments_with_two_copies_stay_below_every_level(experiments: int) -> None:
    wrong = simulation.false_alarms_of_copies(experiments)
    assert wrong["sample ratio"] <= sample_ratio.LEVEL
    assert wrong["any guardrail"] <= guardrails.LEVEL
    assert {"max_error_rate", "max_fallback_rate", "max_p99_ms", "min_hold_rate", "max_hold_rate"} <= set(wrong)


@pytest.mark.parametrize("name", SAMPLED)
def test_a_sample_of_equally_good_versions_is_hardly_ever_called_different(name: str) -> None:
    """If 5 % are called different, a sample of 30 has at most 5 of them with a probability of over 99 %."""
    found = situations.rates(situations.SITUATIONS[name], RUNS)
    assert found.different <= 5 / RUNS
    check_words(name, found.words)


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


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", situations.SITUATIONS)
def test_equally_good_versions_are_called_different_in_at_most_5_of_100_experiments(name: str) -> None:
    found = situations.rates(situations.SITUATIONS[name], EXPERIMENTS, workers=2)
    assert found.different <= sequences.LEVEL
    assert found.simpler > sequences.LEVEL or name not in FAILS_A_SIMPLER_METHOD
    check_words(name, found.words)


def check_words(name: str, words: dict[str, float]) -> None:
    if name in {"split, 20 users of different skill", "shadow, outcomes of A's trades reported, B worse"}:
        assert set(words) == {"not yet"}
    if "not reported" in name:
        assert words["invalid"] > 0.9


@pytest.mark.parametrize("runs", [10, pytest.param(EXPERIMENTS, marks=[pytest.mark.long, pytest.mark.timeout(3_600)])])
def test_a_guardrail_on_results_hardly_ever_stops_an_experiment_that_keeps_it(runs: int) -> None:
    assert situations.stopped(runs, workers=1 if runs < EXPERIMENTS else 2) <= (
        0.1 if runs < EXPERIMENTS else guardrails.LEVEL
    )


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(("name", "most"), [("split, 200 users alike", 2.0), ("crossover, 20 users alike", 1.5)])
def test_half_of_50_against_56_is_found_soon(name: str, most: float) -> None:
    """Compared with the number of trades in a test for one look that finds four of five."""
    after = situations.found_after(situations.TO_FIND[name], EXPERIMENTS, workers=2)
    assert np.median(after) <= most
    assert np.isfinite(after).mean() > 0.95


def test_50_against_56_is_found() -> None:
    after = situations.found_after(situations.TO_FIND["crossover, 20 users alike"], 10)
    assert np.isfinite(after).sum() >= 9


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
