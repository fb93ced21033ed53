from __future__ import annotations

import numpy as np
import pytest

from core.errors import InvalidInput
from reversal.pairs import are_points, in_prices, pair_of

POINTS = {"open": [81121, 81131], "high": [81203, 81174], "low": [81107, 81104], "close": [81201, 81140]}


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("USDJPY_1h_2012_2020.csv.gz", "USD/JPY"),
        ("eurusd_1h_2017.csv", "EUR/USD"),
        ("DAT_MT_EURUSD_M1_201712.csv", "EUR/USD"),
        ("GBP-USD.csv", "GBP/USD"),
        ("EUR/USD", "EUR/USD"),
        ("EURUSD=X", "EUR/USD"),
        ("hourly.csv", None),
        ("candles.csv", None),
        ("BTCUSD.csv", None),
        ("EURUSD_and_GBPUSD.csv", None),
        ("EURUSDX.csv", None),
        ("USDUSD.csv", None),
    ],
)
def test_a_pair_is_known_by_its_name_or_not_at_all(name: str, pair: str | None) -> None:
    assert pair_of(name) == pair


def test_points_become_the_nearest_prices() -> None:
    assert in_prices(POINTS, "tenth-pip", "USD/JPY")["open"].tolist() == [81.121, 81.131]
    assert in_prices(POINTS, "tenth-pip", "EUR/USD")["open"].tolist() == [0.81121, 0.81131]
    assert in_prices(POINTS, 0.001, None)["close"].tolist() == [81.201, 81.14]
    assert in_prices(POINTS, 0.25, None)["low"].tolist() == [81107 / 4, 81104 / 4]
    assert in_prices(POINTS, None, None) is POINTS
    assert in_prices(POINTS, 1.0, None) is POINTS
    with_volume = in_prices(POINTS | {"volume": [3, 4]}, 0.3, None)
    assert with_volume["volume"] == [3, 4]
    assert np.allclose(with_volume["open"], np.array([81121, 81131]) * 0.3)


def test_the_size_of_a_point_is_not_guessed() -> None:
    with pytest.raises(InvalidInput, match="pair"):
        in_prices(POINTS, "tenth-pip", None)


def test_points_are_whole_numbers() -> None:
    assert are_points(POINTS)
    assert not are_points(POINTS | {"close": [81201.5, 81140]})
    assert not are_points({"close": []})
    assert not are_points({"close": ["x"]})
