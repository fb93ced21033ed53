"""Stage 1's recall: which candles count, and for which versions it is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.experiments.candle_table import CandleTable
from core.features.labels import LONG, NONE, SHORT, UNKNOWN
from core.reports.recall import Recall, stage1_recall
from core.statistics.sequences import MINIMUM_TIMES
from tests.core.statistics.tables import experiment, side, table

BOTH = ("v3.0", "v3.1")


def small() -> CandleTable:
    """Six candles. A has two predictions on the first one, and none on the third; B is silent on all of them."""
    a = side(longs=[1, 0, 0, 0, 1, 1], shorts=[0, 1, 0, 0, 0, 0], holds=[1, 0, 0, 1, 0, 0])
    return table(a, side(holds=np.ones(6)), label=[LONG, LONG, LONG, SHORT, NONE, UNKNOWN])


def test_any_direction_counts_and_a_candle_counts_once() -> None:
    found = stage1_recall(experiment(), small(), BOTH)
    # A noticed half of the first reversal, all of the second in the wrong direction, and nothing of the fourth.
    assert found["v3.0"].share == pytest.approx((0.5 + 1 + 0) / 3)
    assert found["v3.0"].reversals == 3
    assert found["v3.0"].upper is None
    assert found["v3.1"] == Recall(0.0, 4, None)


def test_a_version_that_may_have_no_direction_is_known_by_its_signals() -> None:
    assert set(stage1_recall(experiment(), small(), ())) == {"v3.0"}


def test_without_labelled_reversals_there_is_none() -> None:
    assert stage1_recall(experiment(), replace(small(), label=np.array([NONE, UNKNOWN] * 3, np.int8)), BOTH) == {}


def test_candles_without_a_time_do_not_count() -> None:
    time = small().time
    time[1] = np.nan
    found = stage1_recall(experiment(), replace(small(), time=time), BOTH)
    assert found["v3.0"] == Recall(0.25, 2, None)


@pytest.mark.parametrize(("times", "known"), [(MINIMUM_TIMES - 1, False), (MINIMUM_TIMES, True)])
def test_the_upper_end_is_known_from_enough_candle_times(times: int, known: bool) -> None:  # noqa: FBT001
    longs = np.arange(times) % 2
    found = stage1_recall(experiment(), table(side(longs=longs, holds=1 - longs), side(holds=longs), label=LONG), BOTH)
    share, reversals, upper = found["v3.0"]
    assert share == pytest.approx(0.5, abs=0.01)
    assert reversals == times
    assert (upper is not None) is known
    assert upper is None or 0.55 < upper < 0.65


@pytest.mark.parametrize(("noticed", "below"), [(0.5, True), (0.68, False), (0.75, False), (1.0, False)])
def test_a_recall_is_below_its_limit_only_when_that_is_certain(noticed: float, below: bool) -> None:  # noqa: FBT001
    longs = (np.random.default_rng(7).random(2_000) < noticed).astype(np.float64)
    found = stage1_recall(experiment(), table(side(longs=longs, holds=1 - longs), side(holds=longs), label=SHORT), BOTH)
    upper = found["v3.0"].upper
    assert upper is not None
    assert upper <= 1.0
    assert (upper < 0.7) is below
