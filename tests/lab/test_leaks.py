"""The audit finds the leaks that are planted, and none in the lab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from core.features import catalogue
from core.features.labels import UNKNOWN
from lab import labels, networks, panel, splits, trees
from lab.history import History
from lab.labels import Rule
from lab.leaks import futures, of_lab, table
from lab.leaks.audit import CHECKS, audit, report
from lab.leaks.preparation import Leak, Learned, Preparation, in_windows, label_ends
from lab.panel import Panel
from tests.lab import planted
from tests.market import ROOT

PAGE = (ROOT / "docs" / "lab-leaks.md").read_text()
# One of each family, with the lengths that training uses and the shortest ones.
FAMILIES = [
    *("sma_5", "sma_50", "sma_200", "ema_12", "ema_50", "rsi_2", "rsi_14", "rsi_28", "momentum_1", "momentum_20"),
    *("volatility_2", "volatility_30", "atr_50", "stoch_k_2", "stoch_k_50", "stoch_d_28", "move_1_atr", "move_48_atr"),
    *("range_5_atr", "range_100_atr", "sma_2_distance", "sma_200_distance", "atr_24_relative", "atr_ratio_14_100"),
    *("volatility_ratio_10_50", "efficiency_2", "efficiency_24"),
]
SMALL = trees.TreeSettings(window=3, trees=2, leaves=4, min_data_in_leaf=30)


@pytest.fixture(scope="module")
def bars() -> list[History]:
    return planted.histories()


def of_lab_with(left_out: tuple[str, ...] = ()) -> Preparation:
    return of_lab.preparation(planted.NAMES, planted.RULE, SMALL, left_out=left_out)


@pytest.mark.parametrize("name", planted.LEAKS)
def test_a_planted_leak_is_found_by_the_check_for_it(name: str, bars: list[History]) -> None:
    leak = planted.LEAKS[name]
    found = planted.found_by(leak, bars)
    assert leak.caught_by in found
    assert planted.row(leak, found) in PAGE


@pytest.mark.parametrize("name", planted.MISSED)
def test_the_page_names_what_the_audit_cannot_find(name: str, bars: list[History]) -> None:
    leak = planted.MISSED[name]
    assert planted.found_by(leak, bars) == set()
    assert planted.row(leak, set()) in PAGE


@pytest.mark.parametrize("name", planted.INNOCENT)
def test_a_way_without_a_leak_passes(name: str, bars: list[History]) -> None:
    innocent = planted.INNOCENT[name]
    assert planted.found_by(innocent, bars) == set()
    assert f"- {innocent.what}" in PAGE


def test_the_page_has_the_number_of_leaks_and_every_check() -> None:
    assert len(planted.LEAKS) >= 20
    total = len(planted.LEAKS) + len(planted.MISSED)
    assert f"{len(planted.LEAKS)} of {total} kinds" in PAGE
    for check, meaning in CHECKS.items():
        assert f"| {check} | {meaning} |" in PAGE
    assert {leak.caught_by for leak in planted.LEAKS.values()} == set(CHECKS)


def test_the_lab_with_a_pair_left_out_has_no_leak(bars: list[History]) -> None:
    assert audit(of_lab_with((planted.LEFT_OUT,)), bars) == []


def shorter_embargo(patch: pytest.MonkeyPatch) -> None:
    was = splits.expanding
    patch.setattr(splits, "expanding", lambda panel, year: was(replace(panel, horizon=panel.horizon - 1), year))


def scaler_of_all(patch: pytest.MonkeyPatch) -> None:
    was = networks.fit_scaler
    patch.setattr(
        networks, "fit_scaler", lambda panel, _, window: was(panel, np.flatnonzero(panel.usable(window)), window)
    )


def window_ahead(patch: pytest.MonkeyPatch) -> None:
    was = networks.windows
    patch.setattr("lab.trees.windows", lambda x, rows, window: was(x, np.minimum(rows + 1, len(x) - 1), window))


def label_ahead(patch: pytest.MonkeyPatch) -> None:
    was = labels.labels
    patch.setattr(labels, "labels", lambda rule, c, pair: np.append(was(rule, c, pair)[1:], np.int8(UNKNOWN)))


def feature_ahead(patch: pytest.MonkeyPatch) -> None:
    was = catalogue.matrix
    patch.setattr(catalogue, "matrix", lambda c, names, rows: np.roll(was(c, names, rows), -1, axis=0))


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (shorter_embargo, "order"),
        (scaler_of_all, "fitted"),
        (window_ahead, "windows"),
        (label_ahead, "horizon"),
        (feature_ahead, "features"),
    ],
)
def test_a_fault_in_the_labs_own_functions_is_found(
    bars: list[History], monkeypatch: pytest.MonkeyPatch, fault: Callable[[pytest.MonkeyPatch], None], check: str
) -> None:
    fault(monkeypatch)
    way = of_lab_with()
    if check != "fitted":
        way = way._replace(learn=lambda _panel, _split: Learned({}, {}))
    assert check in {leak.check for leak in audit(way, bars, random_moments=0)}


def test_no_feature_of_the_catalogue_knows_the_future_or_the_date(bars: list[History]) -> None:
    names = [*catalogue.FIXED, *FAMILIES]
    numbers = {name.translate(str.maketrans("", "", "0123456789")) for name in FAMILIES}
    assert {form.replace("<n>", "").replace("<a>", "").replace("<b>", "") for form in catalogue.FAMILIES} == numbers
    # Beyond the bars in which an EMA settles; shorter series have no row to compare.
    longest = catalogue.recommended_candles(names, 1)
    own = [each.part(slice(0, longest + 300)) for each in bars]
    times = own[0].timestamps
    when = times[[longest + 1, longest + 2, longest + 30, longest + 77, longest + 250]]
    way = planted.CLEAN._replace(table=lambda histories: panel.build(histories, names, planted.RULE))
    assert np.isfinite(way.table(own).features[longest + 250]).all()
    assert [leak for leak in table.check(way, own, when) if leak.check in {"features", "dates"}] == []


@pytest.mark.parametrize("rule", labels.RULES.values(), ids=labels.RULES)
def test_a_label_depends_on_the_bars_of_its_horizon_only(rule: Rule, bars: list[History]) -> None:
    way = planted.CLEAN._replace(table=lambda histories: panel.build(histories, planted.NAMES, rule))
    assert list(table.check(way, bars, futures.moments(bars, 4))) == []
    # The last bar of the horizon counts: another high of it alone changes some label.
    candles = bars[0]
    was = labels.labels(rule, candles.candles, candles.pair)
    changes = []
    for row in range(60, 400, 4):
        rows = candles.rows.copy()
        rows[row + rule.horizon, 1] *= 1.02
        changes.append(labels.labels(rule, replace(candles, rows=rows).candles, candles.pair)[row] != was[row])
    assert any(changes)


def test_other_futures_are_bars_and_leave_the_past(bars: list[History]) -> None:
    moment = bars[0].timestamps[700]
    for make in (futures.changed, futures.still):
        for was, now in zip(bars, make(bars, moment), strict=True):
            past = was.timestamps <= moment
            assert np.array_equal(was.rows[past], now.rows[past])
            assert not np.isclose(was.rows[~past, 3], now.rows[~past, 3]).all()
            first, high, low, last, volume = now.rows.T
            assert ((low <= first) & (first <= high) & (low <= last) & (last <= high) & (volume >= 0)).all()


def test_a_label_ends_so_many_bars_later_also_if_rows_are_shuffled(bars: list[History]) -> None:
    whole = planted.table(bars)
    ends = label_ends(whole)
    assert ends[0] == whole.times[planted.HORIZON]
    last = len(bars[0]) - 1
    assert ends[last - planted.HORIZON] == whole.times[last] < ends[last]
    order = np.random.default_rng(2).permutation(len(whole))
    values = {name: getattr(whole, name)[order] for name in ("pair", "times", "features", "labels")}
    assert np.array_equal(label_ends(replace(whole, **values)), ends[order])


def test_windows_are_of_one_pair(bars: list[History]) -> None:
    whole: Panel = planted.table(bars)
    first = len(bars[0])
    rows = np.zeros(len(whole), np.bool_)
    rows[[5, first + 1]] = True
    assert np.flatnonzero(in_windows(whole, rows, 4)).tolist() == [2, 3, 4, 5, first, first + 1]


def test_the_report_has_a_line_for_each_check_with_its_findings() -> None:
    found = report([Leak("fitted", "scaler depends on rows that it must not see")]).splitlines()
    assert len(found) == len(CHECKS) + 1
    assert found[0].startswith("ok   features: later bars")
    place = next(number for number, line in enumerate(found) if line.startswith("LEAK fitted: all rows"))
    assert found[place + 1] == "       scaler depends on rows that it must not see"
