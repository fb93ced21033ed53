from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from core.replay.market import hours_of, weeks_of, years_of
from core.replay.weeks import MINIMUM_WEEKS, Draws, Paths, Sampled, drawdown, figure, share, shown, sums


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000


def test_a_week_begins_on_sunday() -> None:
    times = np.array([at("2018-01-06 23:00"), at("2018-01-07 00:00"), at("2018-01-13 23:59"), at("2018-01-14 00:00")])
    first, second, third, fourth = weeks_of(times)
    assert (second - first, third - second, fourth - third) == (1, 0, 1)
    assert weeks_of(np.array([at("1970-01-03 12:00"), at("1970-01-04 00:00")])).tolist() == [0, 1]
    assert years_of(np.array([at("2017-12-31 23:00"), at("2018-01-01 00:00")])).tolist() == [2017, 2018]
    assert hours_of(np.array([at("2017-12-31 23:30"), at("2018-01-01 00:00")])).tolist() == [23, 0]


def test_draws_depend_on_seed_and_weeks_only() -> None:
    draws = Draws.of(10, 50, 1)
    assert (draws.order == Draws.of(10, 50, 1).order).all()
    assert (draws.order != Draws.of(10, 50, 2).order).any()
    assert (draws.counts.sum(axis=1) == 10).all()
    assert draws.counts[7].tolist() == np.bincount(draws.order[7], minlength=10).tolist()


def test_a_figure_of_drawn_weeks_is_that_of_their_rows() -> None:
    rng = np.random.default_rng(1)
    index, values = np.sort(rng.integers(12, size=400)), rng.standard_normal(400)
    draws = Draws.of(12, 20, 3)
    found = figure(sums(index, 12, values, np.ones(400)), draws, share)
    assert found.value == pytest.approx(values.mean())
    for order, drawn in zip(draws.order, found.draws, strict=True):
        assert drawn == pytest.approx(np.concatenate([values[index == week] for week in order]).mean())


def test_the_drawdown_of_drawn_weeks_is_that_of_their_path() -> None:
    rng = np.random.default_rng(2)
    index, changes = np.sort(rng.integers(9, size=300)), rng.standard_normal(300)
    draws = Draws.of(9, 30, 4)
    found = drawdown(Paths.of(changes, index, 9), draws)

    def fall(of: np.ndarray) -> float:
        course = np.concatenate(([0.0], np.cumsum(of)))
        return float((np.maximum.accumulate(course) - course).max())

    assert found.value == pytest.approx(fall(changes))
    for order, drawn in zip(draws.order, found.draws, strict=True):
        assert drawn == pytest.approx(fall(np.concatenate([changes[index == week] for week in order])))


def test_the_interval_covers_the_true_mean_although_weeks_are_correlated_within() -> None:
    rng, covered, simple = np.random.default_rng(5), 0, 0
    for seed in range(200):
        weeks = np.repeat(np.arange(60), 20)
        values = np.repeat(rng.standard_normal(60), 20) + rng.standard_normal(1200)
        low, high = shown(figure(sums(weeks, 60, values, np.ones(1200)), Draws.of(60, 300, seed), share), 60)[
            "interval"
        ]
        covered += low <= 0.0 <= high
        simple += abs(values.mean()) <= 1.96 * values.std() / np.sqrt(1200)
    assert covered >= 180
    assert simple < 140  # as if candles were independent


def test_what_is_unknown_is_null() -> None:
    nothing = shown(Sampled(float("nan"), np.array([np.nan])), 40)
    assert nothing == {"estimate": None, "interval": None, "weeks": 40, "valid": False}
    assert shown(Sampled(1.0, np.array([1.0, 1.0])), MINIMUM_WEEKS - 1)["valid"] is False
    assert shown(Sampled(1.0, np.array([1.0, np.nan])), MINIMUM_WEEKS)["interval"] == [1.0, 1.0]
    assert shown(Sampled(1.0, np.array([1.0])), 1)["interval"] is None
    assert Draws.of(0, 10, 1).weeks == 0
