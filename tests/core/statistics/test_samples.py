"""The numerators and denominators of each metric, candle by candle."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.experiments.candle_table import Side
from core.features.labels import LONG, NONE, SHORT, UNKNOWN
from core.statistics import samples
from core.statistics.ratios import Sample
from tests.core.statistics.tables import side, table

NO_PREDICTIONS = side(holds=[0, 0, 0, 0])


def shares(sample: Sample) -> list[float | None]:
    """Numerator over denominator, candle by candle; None for a candle without data."""
    return [n / d if d else None for n, d in zip(sample.numerator, sample.denominator, strict=True)]


def weights(sample: Sample) -> list[float]:
    return [float(weight) for weight in sample.denominator]


def test_a_million_users_on_one_candle_weigh_as_one_candle() -> None:
    crowd = side(holds=[1_000_000, 0, 0], longs=[0, 1, 0], confidence=[6e5, 0.8, 0])
    assert shares(samples.hold_rate(crowd)) == [1.0, 0.0, None]
    assert shares(samples.confidence(crowd)) == [0.6, 0.8, None]
    assert weights(samples.hold_rate(crowd)) == [1.0, 1.0, 0.0]


def test_reported_wins_leave_out_neutrals_and_pnl_keeps_them() -> None:
    one = side(
        longs=[4, 1, 0], wins=[2, 0, 0], losses=[1, 0, 0], neutrals=[1, 1, 0], pnl=[8, -1, 0], pnl_count=[4, 1, 0]
    )
    all_of_it = table(one, one)
    assert shares(samples.win_rate(one, all_of_it, "reported")) == [2 / 3, None, None]
    assert shares(samples.mean_pnl(one, all_of_it, "reported")) == [2.0, -1.0, None]


def test_results_by_label_count_trades_and_not_hold() -> None:
    signals = side(longs=[1, 1, 1, 0, 0, 1], shorts=[0, 0, 0, 1, 0, 0], holds=[0, 0, 0, 0, 1, 0])
    labels = [LONG, SHORT, NONE, SHORT, LONG, UNKNOWN]
    all_of_it = table(signals, signals, labels, [10.0, -7.0, 3.0, -5.0, 9.0, math.nan])
    assert shares(samples.win_rate(signals, all_of_it, "labels")) == [1.0, 0.0, 0.0, 1.0, None, None]
    assert shares(samples.mean_pnl(signals, all_of_it, "labels")) == [10.0, -7.0, 3.0, 5.0, None, None]
    assert shares(samples.precision(signals, all_of_it)) == [1.0, 0.0, 0.0, 1.0, None, None]
    assert shares(samples.recall(signals, all_of_it)) == [1.0, 0.0, None, 1.0, 0.0, None]


def test_pnl_per_candle_counts_a_hold_as_nothing_earned() -> None:
    """A candle with reported trades, one with a hold as well, one of holds, one with an unknown result, one of B."""
    one = side(longs=[2, 1, 0, 1, 0], holds=[0, 3, 2, 0, 0], pnl=[8, -4, 0, 0, 0], pnl_count=[2, 1, 0, 0, 0])
    all_of_it = table(one, one)
    assert shares(samples.pnl_per_candle(one, all_of_it, "reported")) == [4.0, -1.0, 0.0, None, None]
    assert weights(samples.pnl_per_candle(one, all_of_it, "reported")) == [1.0, 1.0, 1.0, 0.0, 0.0]
    labelled = table(one, one, [LONG, SHORT, NONE, UNKNOWN, LONG], [10.0, -8.0, 3.0, math.nan, 9.0])
    assert shares(samples.pnl_per_candle(one, labelled, "labels")) == [10.0, -2.0, 0.0, None, None]
    assert weights(samples.pnl_per_candle(one, labelled, "labels")) == [1.0, 1.0, 1.0, 0.0, 0.0]


def test_paired_pnl_per_candle_keeps_the_candles_that_count_for_both() -> None:
    a, b = side(longs=[1, 1, 0], holds=[0, 0, 1], pnl=[5, 0, 0], pnl_count=[1, 0, 0]), side(holds=[1, 1, 0])
    both_sides = table(a, b)
    paired, whole = (samples.results_per_candle(both_sides, "reported", paired=paired) for paired in (True, False))
    assert [shares(paired.a), shares(paired.b)] == [[5.0, None, None], [0.0, None, None]]
    assert [shares(whole.a), shares(whole.b)] == [[5.0, None, 0.0], [0.0, 0.0, None]]
    assert paired.source == "reported"


def test_a_candle_with_holds_weighs_by_its_share_of_trades() -> None:
    mixed = side(longs=[1], holds=[3])
    assert weights(samples.win_rate(mixed, table(mixed, mixed, [LONG], [4.0]), "labels")) == [0.25]


def both(a: Side, b: Side, label: list[int], *, paired: bool) -> samples.Results:
    return samples.results(
        table(a, b, label, np.where(np.equal(label, UNKNOWN), np.nan, 10.0)), "win_rate", paired=paired
    )


def test_both_sides_are_measured_by_one_source() -> None:
    """Most users of A report and few of B. Reported outcomes of A against labels of B would compare different rules."""
    a = side(longs=[1, 1, 1, 1], wins=[1, 1, 1, 1])
    b = side(longs=[1, 1, 1, 1], wins=[1, 0, 0, 0])
    found = both(a, b, [LONG, NONE, NONE, UNKNOWN], paired=False)
    assert found.source == "labels"
    assert shares(found.a) == shares(found.b) == [1.0, 0.0, 0.0, None]


def test_reported_outcomes_are_used_if_both_sources_cover_as_much() -> None:
    a = side(longs=[1, 1, 1, 1], losses=[1, 1, 1, 1])
    found = both(a, a, [LONG] * 4, paired=False)
    assert found.source == "reported"
    assert shares(found.a) == [0.0] * 4


def test_pairs_need_both_results_and_the_result_of_hold_is_known() -> None:
    # The candles: both traded with outcomes; A traded, B held; B's trade has no outcome; both held.
    a = side(longs=[1, 1, 1, 0], holds=[0, 0, 0, 1], wins=[1, 1, 1, 0])
    b = side(longs=[1, 0, 0, 0], shorts=[0, 0, 1, 0], holds=[0, 1, 0, 1], wins=[1, 0, 0, 0])
    found = both(a, b, [UNKNOWN] * 4, paired=True)
    assert shares(found.a) == [1.0, 1.0, None, None]
    assert shares(found.b) == [1.0, None, None, None]


def test_pairs_by_label_need_the_label() -> None:
    a, b = side(longs=[1, 1]), side(shorts=[1, 1])
    found = both(a, b, [LONG, UNKNOWN], paired=True)
    assert (shares(found.a), shares(found.b)) == ([1.0, None], [0.0, None])


@pytest.mark.parametrize("metric", ["win_rate", "mean_pnl"])
def test_candles_without_results_have_no_weight(metric: str) -> None:
    empty = table(NO_PREDICTIONS, NO_PREDICTIONS)
    found = samples.results(empty, metric, paired=True)  # type: ignore[arg-type] # parametrised
    assert weights(found.a) == weights(found.b) == [0.0] * 4
