from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.experiments.candle_table import CandleTable
from core.experiments.experiment import Experiment
from core.reports.breakdown import MOST_PLACES, breakdown
from core.reports.recorded import Recorded
from core.reports.report import experiment_report
from core.statistics import samples
from tests.core.statistics import tables
from tests.core.statistics.tables import experiment, side, table, tally, traded


def report(setting: Experiment, of: CandleTable) -> dict[str, Any]:
    units = {} if setting.mode == "shadow" else tables.units(of)
    return experiment_report(setting, Recorded({"A": tally(), "B": tally()}, of, units, 0))


def test_each_place_has_its_own_numbers_and_the_largest_is_first() -> None:
    won, lost = traded([1.0, 1.0, 0.0, 0.0, 0.0]), traded([0.0, 0.0, 1.0, 1.0, 1.0])
    of = table(won, lost, place=[0, 0, 1, 1, 1])
    found = breakdown(of, samples.results(of, "win_rate", paired=False), "win_rate")
    assert (found["exploratory"], found["metric"], found["total"]) == (True, "win_rate", 2)
    assert [(place["pair"], place["timeframe"], place["candles"]) for place in found["places"]] == [
        ("USD/JPY", "1h", 3),
        ("EUR/USD", "1h", 2),
    ]
    yen, euro = found["places"]
    assert [yen[name]["estimate"] for name in ("A", "B", "difference")] == [0.0, 1.0, 1.0]
    assert [euro[name]["estimate"] for name in ("A", "B", "difference")] == [1.0, 0.0, -1.0]
    assert euro["difference"].keys() == {"estimate", "interval", "candles", "valid", "p_value"}


@pytest.mark.parametrize("metric", ["win_rate", "mean_pnl"])
def test_a_place_has_the_numbers_of_a_report_on_its_candles_alone(metric: str) -> None:
    rng = np.random.default_rng(5)
    a, b = ((rng.random(1_800) < rate).astype(np.float64) for rate in (0.5, 0.6))
    place = rng.choice(3, p=[0.7, 0.2, 0.1], size=1_800)
    setting, of = experiment(metric=metric, mode="shadow"), table(traded(a), traded(b), place=place)
    shown = report(setting, of)["breakdown"]["places"]
    assert [each["difference"]["valid"] for each in shown] == [True, True, False]  # 300 times are enough
    for each in shown:
        alone = report(setting, of.rows(place == of.places.index((each["pair"], each["timeframe"]))))
        expected = alone["differences"][metric]
        assert each["difference"] == {name: expected[name] for name in each["difference"]}
        assert each["A"]["interval"] == alone["variants"]["A"][metric]["interval"]


def test_where_users_are_assigned_the_intervals_of_places_are_never_valid() -> None:
    """They leave out that users differ."""
    of = table(traded(np.tile([1.0, 0.0], 500)), traded(np.tile([1.0, 0.0], 500)))
    found = report(experiment(), of)
    (place,) = found["breakdown"]["places"]
    assert found["differences"]["win_rate"]["valid"] is True
    assert [place[name]["valid"] for name in ("A", "B", "difference")] == [False] * 3


def test_only_the_largest_places_are_listed() -> None:
    n = MOST_PLACES + 20
    one = traded(np.ones(3 * n))
    place = np.repeat(np.arange(n), 3)
    place[0] = n - 1  # the last place has one candle more
    of = replace(table(one, one, place=place), places=tuple((f"P{i}", "1h") for i in range(n)))
    found = breakdown(of, samples.results(of, "win_rate", paired=False), "win_rate")
    assert found["total"] == n
    assert len(found["places"]) == MOST_PLACES
    assert (found["places"][0]["pair"], found["places"][0]["candles"]) == (f"P{n - 1}", 4)


def test_an_empty_table_has_no_places() -> None:
    empty = table(side(holds=[]), side(holds=[]))
    found = breakdown(empty, samples.results(empty, "win_rate", paired=True), "win_rate")
    assert (found["total"], found["places"]) == (0, [])
