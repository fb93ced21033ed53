"""The verdict keeps its level in the situations of real experiments, and planted differences are found."""

from __future__ import annotations

import numpy as np
import pytest

from core.statistics import guardrails, sequences
from tests.core.statistics import situations

# The number of experiments of a long run; it distinguishes a share of 5 % from one of 7 %.
EXPERIMENTS = 1_000
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


@pytest.mark.parametrize("name", SAMPLED)
def test_a_sample_of_equally_good_versions_is_hardly_ever_called_different(name: str) -> None:
    """If 5 % are called different, a sample of 30 has at most 5 of them with a probability of over 99 %."""
    found = situations.rates(situations.SITUATIONS[name], RUNS)
    assert found.different <= 5 / RUNS
    check_words(name, found.words)


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
