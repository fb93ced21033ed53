from __future__ import annotations

import numpy as np
import pytest

from lab import splits
from lab.panel import Panel
from tests.lab import synthetic


@pytest.fixture(scope="module")
def whole() -> Panel:
    """Three years of hours, two pairs."""
    return synthetic.panel(bars=3 * 8766, pairs=2)


def year(panel: Panel, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> set[int]:
    return set((panel.times[rows].astype("datetime64[Y]").astype(int) + 1970).tolist())


def test_the_parts_are_the_years_before_the_year_before_and_the_year(whole: Panel) -> None:
    parts = splits.expanding(whole, 2018)
    assert (year(whole, parts.train), year(whole, parts.validation), year(whole, parts.test)) == (
        {2016},
        {2017},
        {2018},
    )
    both = splits.expanding(whole, 2018, validation=False)
    assert (year(whole, both.train), both.validation.sum(), year(whole, both.test)) == ({2016, 2017}, 0, {2018})
    assert not (parts.train & parts.validation | parts.validation & parts.test).any()


@pytest.mark.parametrize("validation", [True, False])
def test_the_embargo_is_exactly_the_horizon_of_each_pair(whole: Panel, validation: bool) -> None:  # noqa: FBT001
    parts = splits.expanding(whole, 2018, validation=validation)
    ends = {2017: parts.train, 2018: parts.validation} if validation else {2018: parts.train}
    for next_year, part in ends.items():
        for pair in range(2):
            own = np.flatnonzero(whole.pair == pair)
            first = own[np.searchsorted(whole.times[own], np.datetime64(f"{next_year}-01-01", "s"))]
            assert not part[first - whole.horizon : first].any()
            assert part[first - whole.horizon - 1]
            # The label of the last row uses bars up to the one before the next part.
            assert whole.times[first - 1] < np.datetime64(f"{next_year}-01-01", "s")


def test_only_the_ends_are_left_out(whole: Panel) -> None:
    parts = splits.expanding(whole, 2017, validation=False)
    of_the_year = (whole.times < np.datetime64("2017-01-01", "s")).sum()
    assert parts.train.sum() == of_the_year - 2 * whole.horizon
    assert parts.test.sum() == (whole.times.astype("datetime64[Y]") == np.datetime64("2017")).sum()


def test_rows_of_pairs(whole: Panel) -> None:
    assert set(whole.pair[splits.of_pairs(whole, ["AAB/USD"])].tolist()) == {1}


def test_the_years_of_the_search_are_before_those_that_it_must_not_see() -> None:
    assert max(splits.FOLDS) < splits.VALIDATION < splits.UNTOUCHED
