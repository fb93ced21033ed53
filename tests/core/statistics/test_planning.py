"""The plan's chances are those of the verdict's own functions, and its formulas those of small cases by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pytest

from core.experiments.candle_table import CandleTable
from core.features.candles import Floats
from core.features.labels import UNKNOWN
from core.statistics import planning
from core.statistics.planning import Design, information, minimum_candles, outlook
from core.statistics.samples import results
from core.statistics.sequences import Estimate, margin
from tests.core.statistics import simulation, tables

Bools: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
Draw: TypeAlias = Callable[[np.random.Generator, int, int, float], CandleTable]


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


# Situations for which the verdict's own functions are run. Each draws tables with an axis of experiments.


def _table(a: dict[str, Floats], b: dict[str, Floats]) -> CandleTable:
    shape = next(iter(a.values())).shape
    unlabelled = np.full(shape, UNKNOWN, np.int8), np.full(shape, np.nan)
    return CandleTable(tables.side(**a), tables.side(**b), *unlabelled)


def _columns(trades: Floats, wins: Floats, holds: Floats) -> dict[str, Floats]:
    return {"longs": trades, "holds": holds, "wins": wins, "losses": trades - wins}


def users(predictions: int) -> Draw:
    """At each time so many users ask, each on a random side. A side trades or holds; results correlate by 0.5."""

    def draw(rng: np.random.Generator, experiments: int, candles: int, effect: float) -> CandleTable:
        of_a = rng.binomial(predictions, 0.5, (experiments, candles))
        sides = []
        for asked, rate in ((of_a, 0.5), (predictions - of_a, 0.5 + effect)):
            trades = asked * (rng.random(asked.shape) < 0.5)
            # Each user's result is the common one of the time with a chance of sqrt(0.5), otherwise its own.
            common = rng.binomial(trades, math.sqrt(0.5))
            wins = common * (rng.random(trades.shape) < rate) + rng.binomial(trades - common, rate)
            sides.append(_columns(trades.astype(float), wins.astype(float), (asked - trades).astype(float)))
        return _table(*sides)

    return draw


def shadow(rng: np.random.Generator, experiments: int, candles: int, effect: float) -> CandleTable:
    """The signals differ on 0.3 of the candles: a trade of one version against a hold of the other."""
    drawn = rng.random((experiments, candles))
    both, only_a, only_b = drawn < 0.35, (drawn >= 0.35) & (drawn < 0.5), (drawn >= 0.5) & (drawn < 0.65)
    won, own = rng.random((experiments, candles)) < 0.5, effect * 0.5 / 0.15
    b_won = rng.random((experiments, candles)) < 0.5 + own
    a, b = (both | only_a).astype(float), (both | only_b).astype(float)
    return _table(_columns(a, a * won, 1 - a), _columns(b, np.where(both, won, only_b & b_won).astype(float), 1 - b))


SITUATIONS: dict[str, tuple[Draw, Design]] = {
    "two users": (users(2), design(predictions=2.0)),
    "twenty users": (users(20), design(predictions=20.0)),
    "shadow": (shadow, design(mode="shadow")),
}


def first_verdicts(draw: Draw, plan: Design, experiments: int, candles: Sequence[int]) -> Floats:
    """After how many candles each experiment gets the verdict "B better"; infinite if it does not."""
    last, rng, found = candles[-1], np.random.default_rng(3), np.full(experiments, np.inf)
    setting = tables.experiment(minimum_effect=1e-6, mode="shadow" if plan.mode == "shadow" else "split")
    for start in range(0, experiments, 50):
        table, here = draw(rng, 50, last, plan.effect), found[start : start + 50]
        for n in candles:
            samples = results(simulation.until(table, n), "win_rate", paired=plan.mode == "shadow")
            better = simulation.called_different(samples, setting)["verdict"]
            here[better & np.isinf(here)] = n
    return found


@pytest.mark.parametrize("name", SITUATIONS)
@pytest.mark.parametrize(
    ("experiments", "looks", "effects", "tolerance"),
    [
        (150, 80, {"two users": 0.09, "twenty users": 0.07, "shadow": 0.05}, 0.12),
        pytest.param(600, 160, {"two users": 0.06, "twenty users": 0.05, "shadow": 0.04}, 0.05, marks=pytest.mark.long),
    ],
)
def test_the_verdicts_own_functions_find_the_effect_as_often_as_planned(
    name: str, experiments: int, looks: int, effects: dict[str, float], tolerance: float
) -> None:
    effect = effects[name]
    draw, given = SITUATIONS[name]
    plan = given._replace(effect=effect, variance_b=0.25 - effect**2)
    planned = outlook(plan)
    candles = [math.ceil(planned.candles_for(chance) or 0) for chance in (0.5, 0.8, 0.95)]
    first = 0.85 * minimum_candles(plan, information(plan))  # some experiments reach it earlier than the average
    found = first_verdicts(draw, plan, experiments, np.geomspace(first, candles[-1], looks).astype(int).tolist())
    chances = [float((found <= n).mean()) for n in candles]
    assert chances == pytest.approx([0.5, 0.8, 0.95], abs=tolerance)


def walk_by_walk(plan: Design, candles: int) -> Floats:
    """The candle at which each of 12,000 walks first excludes zero, with a look after every candle."""
    info, rng, walks = information(plan), np.random.default_rng(5), 12_000
    first = math.ceil(minimum_candles(plan, info))
    skill = math.sqrt(info.floor) * rng.standard_normal(walks)
    total = math.sqrt(info.variance * (first - 1)) * rng.standard_normal(walks) + (first - 1) * (plan.effect + skill)
    found = np.full(walks, np.inf)
    for n in range(first, candles + 1):
        total += math.sqrt(info.variance) * rng.standard_normal(walks) + plan.effect + skill
        half = float(planning._margin(plan, info, np.asarray(n)))  # noqa: SLF001 - the boundary is not in question here
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
    assert 1 < float(planning._margin(plan, info, n) / narrowest) < 1.05  # noqa: SLF001


TRADE = 0.25 + 0.2464  # the variances of a trade of A and of one of B
UNCORRELATED: dict[str, Any] = {"correlation": 0.0}
SHADOW: dict[str, Any] = {"mode": "shadow"}


@pytest.mark.parametrize(
    ("changes", "variance", "fewer", "either", "together"),
    [
        # One user at each time, on either side: each has 1/4 of a trade.
        ({}, TRADE / 0.25, 0.25, 1 - 0.75**2, 1),
        # A has 3/4 of the users, but B decides when there is enough.
        ({"share_of_a": 0.75}, 0.25 / 0.375 + 0.2464 / 0.125, 0.125, 1 - 0.625 * 0.875, 1),
        # So many that both sides are always there: 100 trades at half of the times, correlated by 0.5. Their number
        # varies (binomial, 200 and 1/2), which raises the mean of its reciprocal by 0.5 %.
        ({"predictions": 200.0}, TRADE * (0.5 + 0.5 * 1.005 / 100) / 0.5, 0.5, 0.75, 100),
        ({"predictions": 200.0, "correlation": 1.0}, TRADE / 0.5, 0.5, 0.75, 100),
        (UNCORRELATED | {"predictions": 200.0}, 1.005 * TRADE / 50, 0.5, 0.75, 100),
        # On four pairs a side has a trade at nearly every time.
        (UNCORRELATED | {"predictions": 200.0, "pairs": 4}, 1.005 * TRADE / 50, 15 / 16, 255 / 256, 50 * 16 / 15),
        # Two users: a side has one in 2 of 3 cases, else two. The mean of 1 / number is 0.844 by the delta method.
        (UNCORRELATED | {"predictions": 2.0}, TRADE * 1.125 / 0.5, 0.375, 1 - 0.625**2, 4 / 3),
        ({"overlap": 4.0}, 4 * TRADE / 0.25, 0.25, 1 - 0.75**2, 1),
        # One user in crossover mode: both pairs are on the same side.
        (
            UNCORRELATED | {"mode": "crossover", "users": 1, "predictions": 2.0, "pairs": 2},
            *(TRADE / 0.5, 0.375, 1 - 0.625**2, 4 / 3),
        ),
        # Shadow: 0.35 both trade, 0.15 and 0.15 only one. Users with the same input add nothing, pairs do.
        (SHADOW, TRADE / 2 * 0.3 / 0.25, 0.5, 0.65, 1),
        (SHADOW | {"predictions": 50.0}, TRADE / 2 * 0.3 / 0.25, 0.5, 0.65, 1),
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

    assert least(predictions=200.0) == pytest.approx((300 + math.sqrt(150)) / 0.5, rel=1e-3)
    assert least(predictions=1.0) > 1_200
    # One user has a block on one of two sides in 24 candles, and each side needs 30.
    assert least(mode="crossover", users=1, predictions=1.0) == pytest.approx(24 * 60, rel=0.01)
    assert least(mode="crossover", users=20, predictions=20.0) == least(predictions=20.0)


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
