"""The plan's chances are those of the verdict's own functions, and its formulas those of small cases by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from core.experiments.candle_table import CandleTable, Side
from core.features.candles import Floats
from core.features.labels import UNKNOWN
from core.reports.decision import outcome_difference
from core.statistics import planning
from core.statistics.planning import Design, information, minimum_candles, outlook
from core.statistics.ratios import estimate
from core.statistics.reporting import SETTLED_PERIODS
from core.statistics.samples import results
from core.statistics.sequences import Estimate, margin
from core.statistics.times import times_of
from tests.core.statistics import situations, tables
from tests.core.statistics.situations import Traders


def design(**changes: Any) -> Design:  # noqa: ANN401 - each field has its type
    """Two copies of 100 users each; one pair; half of 0.5 are found against 0.56."""
    effect = changes.get("effect", 0.06)
    given = Design(
        mode="split",
        effect=effect,
        variance_a=0.25,
        variance_b=0.25 - effect**2,
        deviation=0.5,
        trade_share=0.5,
        predictions=1.0,
        pairs=1,
        users=200,
        share_of_a=0.5,
        correlation=0.5,
        overlap=1.0,
        user_sd=0.0,
        disagreement=0.3,
    )
    return given._replace(**changes)


def planned_as(of: Traders) -> Design:
    """The plan for users who trade at random hours, as the simulation has them."""
    a, b = of.rates
    return design(
        mode=of.mode,
        effect=b - a,
        variance_a=a * (1 - a),
        variance_b=b * (1 - b),
        trade_share=1.0,
        predictions=of.users * of.a_day / 24,
        users=of.users,
        correlation=0.0,
        user_sd=of.skill,
    )


ALIKE = Traders(200, 5_500, rates=(0.50, 0.56), common=0.0, a_day=0.24)
TRADERS = {
    "split, users alike": ALIKE,
    "split, users of different skill": ALIKE._replace(skill=0.05),
    "crossover, users of different skill": ALIKE._replace(users=20, mode="crossover", skill=0.05, a_day=2.4),
}
# A larger effect is found earlier, which makes the simulation quick.
QUICK: dict[str, Any] = {"hours": 2_500, "rates": (0.45, 0.54)}
CHANCES = (0.5, 0.8, 0.95)


# The share of so many experiments is within 0.06 of its expectation with a probability of over 99 %.
LONG_RUNS = 600


@pytest.mark.parametrize(
    ("name", "changes", "runs", "tolerance"),
    [
        *(pytest.param(name, QUICK, 30, 0.25, id=f"quick: {name}") for name in list(TRADERS)[1:]),
        *(
            pytest.param(
                name, {}, LONG_RUNS, 0.06, id=f"long: {name}", marks=[pytest.mark.long, pytest.mark.timeout(3_600)]
            )
            for name in TRADERS
        ),
    ],
)
def test_experiments_with_users_are_decided_as_often_as_planned(
    name: str, changes: dict[str, Any], runs: int, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(situations, "GROWTH", 1.04)  # rarer looks would find the effect later
    of = TRADERS[name]._replace(**changes)
    planned, found = outlook(planned_as(of)), situations.found_after(of, runs, workers=2 if runs == LONG_RUNS else 1)
    found *= situations.FIXED_HORIZON
    candles = [planned.candles_for(chance) or math.inf for chance in CHANCES]
    assert [float((found <= n).mean()) for n in candles] == pytest.approx(CHANCES, abs=tolerance)


def shadow(rng: np.random.Generator, experiments: int, candles: int, effect: float) -> CandleTable:
    """The signals differ on 0.3 of the candles: a trade of one version against a hold of the other."""
    drawn = rng.random((experiments, candles))
    both, only_a, only_b = drawn < 0.35, (drawn >= 0.35) & (drawn < 0.5), (drawn >= 0.5) & (drawn < 0.65)
    won = rng.random((experiments, candles)) < 0.5
    own_won = rng.random((experiments, candles)) < 0.5 + effect * 0.5 / 0.15
    sides: list[Side] = []
    for trades, wins in ((both | only_a, won), (both | only_b, np.where(both, won, own_won))):
        columns = {"longs": trades, "holds": ~trades, "wins": trades & wins, "losses": trades & ~wins}
        sides.append(tables.side(**columns))
    one = tables.table(tables.traded(np.zeros(candles)), tables.traded(np.zeros(candles)))
    unlabelled = np.full(drawn.shape, UNKNOWN, np.int8), np.full(drawn.shape, np.nan)
    return CandleTable(sides[0], sides[1], *unlabelled, one.time, one.place, one.places)


@pytest.mark.parametrize(
    ("effect", "experiments", "looks", "tolerance"),
    [(0.05, 150, 80, 0.12), pytest.param(0.04, 1_000, 160, 0.05, marks=pytest.mark.long)],
    ids=["quick", "long"],
)
def test_shadow_experiments_are_decided_as_often_as_planned(
    effect: float, experiments: int, looks: int, tolerance: float
) -> None:
    plan = design(mode="shadow", effect=effect)
    planned = outlook(plan)
    candles = [math.ceil(planned.candles_for(chance) or 0) for chance in CHANCES]
    first = 0.85 * minimum_candles(plan, information(plan))  # some experiments reach it earlier than the average
    rng, found = np.random.default_rng(3), np.full(experiments, np.inf)
    for start in range(0, experiments, 50):
        table, here = shadow(rng, 50, candles[-1], effect), found[start : start + 50]
        for n in np.geomspace(first, candles[-1], looks).astype(int).tolist():
            until = table.rows(np.arange(n))
            compared = results(until, "win_rate", paired=True)
            value = estimate(outcome_difference(compared, "win_rate"), times_of(until))
            better = value.valid & (value.value > margin(value))
            here[better & np.isinf(here)] = n
    assert [float((found <= n).mean()) for n in candles] == pytest.approx(CHANCES, abs=tolerance)


def walk_by_walk(plan: Design, candles: int) -> Floats:
    """The candle at which each of 12,000 walks first excludes zero, with a look after every candle."""
    info, rng, walks = information(plan), np.random.default_rng(5), 12_000
    first = math.ceil(minimum_candles(plan, info))
    skill = math.sqrt(info.floor) * rng.standard_normal(walks)
    total = math.sqrt(info.variance * (first - 1)) * rng.standard_normal(walks) + (first - 1) * (plan.effect + skill)
    found = np.full(walks, np.inf)
    for n in range(first, candles + 1):
        total += math.sqrt(info.variance) * rng.standard_normal(walks) + plan.effect + skill
        half = float(planning._margin(plan, info, np.asarray(float(n))))  # noqa: SLF001 - the boundary is not in question here
        found[np.isinf(found) & (total / n > half)] = n
    return found


@pytest.mark.parametrize("changes", [{}, {"user_sd": 0.05, "users": 100}, {"mode": "shadow"}])
def test_looks_at_equal_ratios_stand_for_a_look_after_every_candle(changes: dict[str, Any]) -> None:
    plan = design(**{"effect": 0.1, **changes})
    found, planned = walk_by_walk(plan, 4_000), outlook(plan)
    for n in (700, 1_000, 1_500, 2_500, 4_000):
        assert planned.chance_after(n) == pytest.approx((found <= n).mean(), abs=0.02)


def test_the_interval_is_the_verdicts_with_a_variance_that_is_hardly_larger() -> None:
    plan = design()
    info, n = information(plan), np.asarray(10_000.0)
    narrowest = margin(Estimate(np.asarray(0.0), info.variance / n, info.either * n))
    assert 1 < float(planning._margin(plan, info, n) / narrowest) < 1.07  # noqa: SLF001


TRADE = 0.25 + 0.2464  # the variances of a trade of A and of one of B
UNCORRELATED: dict[str, Any] = {"correlation": 0.0}
SHADOW: dict[str, Any] = {"mode": "shadow"}


@pytest.mark.parametrize(
    ("changes", "variance", "fewer", "either", "together"),
    [
        # Each user asks at every time, so that 100 of A ask on the average, at half of the times for a trade. Their
        # number is binomial (200 and 1/2), which raises the mean of 1 / number by 0.5 %. Results correlate by 0.5.
        ({"predictions": 200.0}, TRADE * (0.5 + 0.5 * 1.005 / 100) / 0.5, 0.5, 0.75, 100),
        ({"predictions": 200.0, "correlation": 1.0}, TRADE / 0.5, 0.5, 0.75, 100),
        (UNCORRELATED | {"predictions": 200.0}, 1.005 * TRADE / 50, 0.5, 0.75, 100),
        ({"predictions": 200.0, "overlap": 4.0}, 4 * TRADE * (0.5 + 0.5 * 1.005 / 100) / 0.5, 0.5, 0.75, 100),
        # On four pairs a side has a trade at nearly every time.
        (UNCORRELATED | {"predictions": 200.0, "pairs": 4}, 1.005 * TRADE / 50, 15 / 16, 255 / 256, 50 * 16 / 15),
        # Two users on random sides at every time: a side has one in 2 of 3 cases, else two. The mean of 1 / number is
        # 0.844 by the delta method, exactly 0.833.
        (
            UNCORRELATED | {"mode": "crossover", "users": 2, "predictions": 2.0},
            *(TRADE * 1.125 / 0.5, 0.375, 1 - 0.625**2, 4 / 3),
        ),
        # One user on a random side at every fourth time.
        ({"mode": "crossover", "users": 1, "predictions": 0.25}, TRADE * 16, 1 / 16, 1 - (15 / 16) ** 2, 1),
        # One user on a random side with two pairs: both pairs are on the same side.
        (
            UNCORRELATED | {"mode": "crossover", "users": 1, "predictions": 2.0, "pairs": 2},
            *(TRADE / 0.5, 0.375, 1 - 0.625**2, 4 / 3),
        ),
        # A side has 3/4 of the user, but the other one decides when there is enough.
        (
            {"mode": "crossover", "users": 1, "share_of_a": 0.75},
            *(0.25 / 0.375 + 0.2464 / 0.125, 0.125, 1 - 0.625 * 0.875, 1),
        ),
        # Shadow: 0.35 both trade, 0.15 and 0.15 only one. Users with the same input add nothing, pairs do.
        (SHADOW, TRADE / 2 * 0.3 / 0.25, 0.5, 0.65, 1),
        (SHADOW | {"predictions": 50.0}, TRADE / 2 * 0.3 / 0.25, 0.5, 0.65, 1),
        (SHADOW | {"predictions": 0.25}, TRADE / 2 * 0.3 / 0.25 * 4, 0.125, 0.1625, 1),
        (
            SHADOW | UNCORRELATED | {"predictions": 2.0, "pairs": 2},
            *(TRADE / 2 * 0.3 / 0.5, 0.75, 1 - 0.35**2, 0.6 / 0.51),
        ),
        # Versions that never trade together are two independent samples.
        (SHADOW | {"disagreement": 1.0}, TRADE / 0.5, 0.5, 1, 1),
    ],
)
def test_what_a_candle_tells(
    changes: dict[str, Any], variance: float, fewer: float, either: float, together: float
) -> None:
    found = information(design(**changes))
    assert found == pytest.approx((variance, 0.0, fewer, either, together), rel=1e-6)


def test_only_a_split_has_the_differences_between_users_in_its_error() -> None:
    changes: dict[str, Any] = {"user_sd": 0.05, "users": 100, "share_of_a": 0.4}
    assert information(design(**changes)).floor == pytest.approx(0.05**2 * (1 / 40 + 1 / 60))
    assert information(design(mode="crossover", **changes)).floor == 0


def test_the_minimum_is_that_of_the_side_with_fewer_trades_and_in_crossover_that_of_blocks() -> None:
    def least(**changes: Any) -> float:  # noqa: ANN401
        plan = design(**changes)
        return minimum_candles(plan, information(plan))

    of_times = (300 + math.sqrt(150)) / 0.5
    assert least(predictions=200.0) == pytest.approx(of_times + SETTLED_PERIODS)
    assert least(mode="shadow") == pytest.approx(of_times)
    assert least(predictions=20.0, share_of_a=0.9) > 1.1 * least(predictions=20.0)
    # One user with a trade at every time has a block on one of two sides in 24 candles, and each side needs 30.
    assert least(mode="crossover", users=1, trade_share=1.0) == pytest.approx(24 * 60 + SETTLED_PERIODS)
    assert least(mode="crossover", users=20, predictions=20.0) == pytest.approx(of_times + SETTLED_PERIODS, rel=1e-4)


def test_users_that_differ_hide_an_effect_however_long_the_experiment_is() -> None:
    alike, unlike = design(users=80, predictions=80.0), design(users=80, predictions=80.0, user_sd=0.08)
    assert [outlook(alike).candles_for(chance) is None for chance in (0.5, 0.95)] == [False, False]
    assert outlook(unlike).candles_for(0.95) is None
    assert outlook(unlike).chance_after(10**9) < 0.8
    crossed = outlook(unlike._replace(mode="crossover")).candles_for(0.95)
    assert crossed is not None
    assert crossed < 10_000


@pytest.mark.parametrize(("users", "share", "lacking"), [(60, 0.5, False), (59, 0.5, True), (100, 0.25, True)])
def test_a_split_with_too_few_users_has_no_verdict(users: int, share: float, lacking: bool) -> None:  # noqa: FBT001
    plan = design(users=users, share_of_a=share, predictions=200.0)
    assert plan.lacks_users is lacking
    assert (outlook(plan).candles_for(0.5) is None) is lacking
    assert (outlook(plan).chance_after(10**9) == 0) is lacking
    assert not plan._replace(mode="crossover").lacks_users


def test_the_chance_rises_with_the_candles_and_with_the_effect_whatever_its_sign() -> None:
    planned = outlook(design())
    assert (np.diff(planned.chance) >= 0).all()
    needed = [planned.candles_for(chance) for chance in (0.5, 0.8, 0.95)]
    assert needed == sorted(needed, key=float)  # type: ignore[arg-type] # none of them is None
    for chance, n in zip((0.5, 0.8, 0.95), needed, strict=True):
        assert planned.chance_after(n or 0) == pytest.approx(chance, abs=0.005)
    assert planned.chance_after(minimum_candles(design(), information(design())) - 1) == 0
    smaller = outlook(design(effect=0.03)).candles_for(0.8)
    assert smaller is not None
    assert smaller > 3 * (needed[1] or 0)
    assert outlook(design(effect=-0.06)).candles_for(0.8) == needed[1]


def test_an_effect_that_a_billion_candles_do_not_show_is_never_found() -> None:
    assert outlook(design(effect=1e-6)).candles_for(0.5) is None
    assert outlook(design(trade_share=1e-6, predictions=1.0, users=10**9)).candles_for(0.5) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"effect": 0.9, "variance_a": 1e-6, "variance_b": 1e-6},
        {"predictions": 1e9, "users": 10**9, "pairs": 1_000},
        {"share_of_a": 1e-12},
        {"share_of_a": 1 - 1e-12, "mode": "crossover"},
        {"mode": "crossover", "users": 1},
        {"mode": "shadow", "disagreement": 1e-6, "trade_share": 1e-6},
        {"mode": "shadow", "pairs": 1_000, "predictions": 1e6, "trade_share": 1.0, "disagreement": 1.0},
        {"user_sd": 1e6, "users": 10**9, "predictions": 1e6},
        {"effect": 1e6, "variance_a": 1e-12, "variance_b": 1e-12, "deviation": 1e-6},
        {"effect": 1e-9, "variance_a": 1e12, "variance_b": 1e12, "deviation": 1e6},
        {"overlap": 1_000.0},
    ],
)
def test_extreme_plans_have_finite_numbers(changes: dict[str, Any]) -> None:
    with np.errstate(all="raise", under="ignore"):
        planned = outlook(design(**changes))
    for chance in (0.5, 0.8, 0.95):
        found = planned.candles_for(chance)
        assert found is None or 300 <= found < 4e9
    assert 0 <= planned.chance_after(1e6) <= 1
