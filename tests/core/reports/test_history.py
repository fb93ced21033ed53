from __future__ import annotations

from typing import Any

import pytest

from core.experiments.candle_table import CandleTable
from core.experiments.look import SLOT_MICROS, Look
from core.reports.history import days_left, history, is_due, look_at
from tests.core.statistics.tables import experiment, side, table

DAY = 24 * 3600 * 1_000_000
RUNNING = experiment(status="active", activated_at=0)


def report(**difference: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    found = {"estimate": 0.03, "interval": [-0.01, 0.07], "candles": 400} | difference
    other = {"estimate": 1.0, "interval": None, "candles": 7}
    return {"differences": {"win_rate": found, "mean_pnl": other}, "verdict": {"word": "not yet"}}


def test_a_look_has_the_metric_of_the_experiment_and_the_word() -> None:
    assert look_at(RUNNING, report(), 5) == Look(
        at=5, estimate=0.03, interval=(-0.01, 0.07), candles=400, word="not yet"
    )
    pips = experiment(metric="mean_pnl")
    assert look_at(pips, report(), 5) == Look(at=5, estimate=1.0, candles=7, word="not yet")


def test_a_look_keeps_that_its_interval_does_not_count_yet() -> None:
    looks = [look_at(RUNNING, report(valid=valid), 0) for valid in (True, False)]
    assert [look.valid for look in looks if look is not None] == [True, False]


def test_without_an_estimate_there_is_no_look() -> None:
    assert look_at(RUNNING, report(estimate=None, interval=None, candles=0), 5) is None


def test_a_look_is_due_once_a_slot_while_the_experiment_is_active() -> None:
    kept = [Look(at=SLOT_MICROS, estimate=0.0, candles=1, word="not yet")]
    assert is_due(RUNNING, [], 5)
    assert not is_due(RUNNING, kept, 2 * SLOT_MICROS - 1)
    assert is_due(RUNNING, kept, 2 * SLOT_MICROS)
    assert not is_due(experiment(status="stopped"), kept, 2 * SLOT_MICROS)
    assert not is_due(experiment(), [], 5)


def test_the_history_is_as_it_was_seen() -> None:
    looks = [
        Look(at=0, estimate=0.5, candles=3, word="not yet", valid=False),
        Look(at=DAY + 250_000, estimate=0.25, interval=(0.1, 0.4), candles=900, word="B better"),
    ]
    assert history(looks) == [
        {
            "at": "1970-01-01T00:00:00Z",
            "estimate": 0.5,
            "interval": None,
            "candles": 3,
            "word": "not yet",
            "valid": False,
        },
        {
            "at": "1970-01-02T00:00:00Z",
            "estimate": 0.25,
            "interval": [0.1, 0.4],
            "candles": 900,
            "word": "B better",
            "valid": True,
        },
    ]


def test_days_left_follow_from_the_rate_since_the_activation() -> None:
    """24 hours in two days; 120 more take ten days. A replay in an hour does not make the market faster: five days."""
    assert days_left(RUNNING, 120.0, hours(24), 2 * DAY) == pytest.approx(10.0)
    assert days_left(RUNNING, 120.0, hours(24), DAY // 24) == pytest.approx(5.0)


def hours(count: int) -> CandleTable:
    return table(side(longs=[1.0] * count), side(longs=[1.0] * count))


@pytest.mark.parametrize(
    ("setting", "more", "candles"),
    [
        (RUNNING, None, 48),
        (RUNNING, 120.0, 0),
        (experiment(), 120.0, 48),
        (experiment(status="stopped", activated_at=0), 120.0, 48),
    ],
    ids=["no forecast", "no candles", "draft", "stopped"],
)
def test_without_a_rate_or_a_forecast_there_are_no_days(setting: Any, more: float | None, candles: int) -> None:  # noqa: ANN401
    assert days_left(setting, more, hours(candles), 2 * DAY) is None
