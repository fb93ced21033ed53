from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from core.features.labels import LONG, NONE, SHORT, UNKNOWN
from lab import panel as panels
from lab.history import History
from lab.labels import TRADES_3_ATR
from lab.search.candidates import FEATURES
from tests.lab import synthetic

NAMES = FEATURES["engineered_clock"]


@pytest.fixture(scope="module")
def parts(broker: list[History]) -> list[History]:
    return [each.part(slice(1000, 1400)) for each in broker[:3]]


def test_a_row_is_a_bar_of_its_pair(parts: list[History]) -> None:
    found = panels.build(parts, ["close", "hour"], TRADES_3_ATR)
    assert len(found) == 1200
    for number, each in enumerate(parts):
        rows = found.pair == number
        assert found.pairs[number] == each.pair
        assert found.times[rows].tolist() == each.timestamps.tolist()
        assert found.features[rows, 0].tolist() == each.candles.close.tolist()
        assert found.features[rows, 1].tolist() == (each.timestamps.astype("datetime64[h]").astype(int) % 24).tolist()


def test_features_of_a_bar_do_not_depend_on_later_bars(parts: list[History]) -> None:
    whole = panels.features(parts[0].candles, NAMES)
    for end in (200, 301):
        assert np.array_equal(panels.features(parts[0].part(slice(0, end)).candles, NAMES), whole[:end], equal_nan=True)
    changed = dataclasses.replace(parts[0], rows=parts[0].rows.copy())
    changed.rows[250:, :4] *= 1.01
    later = panels.features(changed.candles, NAMES)
    assert np.array_equal(later[:250], whole[:250], equal_nan=True)
    assert not np.array_equal(later[250:], whole[250:])


def test_features_are_missing_only_where_bars_are(parts: list[History]) -> None:
    missing = np.isnan(panels.features(parts[0].candles, NAMES)[:, :]).max(axis=1, initial=False)
    assert missing[:96].all()
    assert not missing[96:].any()
    assert np.isnan(panels.features(parts[0].part(slice(0, 50)).candles, NAMES)).all()


@pytest.mark.parametrize("window", [1, 2, 24])
def test_a_window_never_has_bars_of_two_pairs_nor_a_missing_feature(window: int) -> None:
    whole = synthetic.panel(bars=100, pairs=3)
    usable = np.flatnonzero(whole.usable(window))
    for row in usable:
        inside = slice(row - window + 1, row + 1)
        assert row - window + 1 >= 0
        assert len(set(whole.pair[inside].tolist())) == 1
        assert not np.isnan(whole.features[inside]).any()
        assert whole.labels[row] != UNKNOWN
    # 5 rows have no features, and the last 10 have no label.
    assert len(usable) == 3 * (100 - 5 - (window - 1) - 10)


def test_a_window_longer_than_a_pair_has_no_rows() -> None:
    assert not synthetic.panel(bars=20, pairs=3).usable(30).any()


def test_answers_of_the_two_stages() -> None:
    whole = synthetic.panel(bars=20, pairs=1)
    whole.labels[:4] = [NONE, LONG, SHORT, UNKNOWN]
    assert whole.opportunity[:4].tolist() == [0.0, 1.0, 1.0, 0.0]
    assert whole.short[:4].tolist() == [0.0, 0.0, 1.0, 0.0]
