"""Which pair candles are of, and the price of a point. Nothing is guessed: an unknown name has no pair."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

import numpy as np

from core.errors import InvalidInput
from core.features.labels import pip_of
from reversal.frames import PRICES, Table, columns_of

# A number, or a tenth of the pair's pip, as MetaTrader's points are.
PointSize: TypeAlias = float | Literal["tenth-pip"]

# Without them, the name of any file with six letters would be a pair.
_CURRENCY = (
    "AUD|BRL|CAD|CHF|CNH|CNY|CZK|DKK|EUR|GBP|HKD|HUF|IDR|ILS|INR|JPY|KRW|MXN|NOK|NZD|PLN|RON|RUB|SEK|SGD|THB|TRY|TWD"
    "|USD|ZAR"
)
_SIX = re.compile(rf"(?<![A-Z])({_CURRENCY})[/_. -]?({_CURRENCY})(?![A-Z])")
_PIPS_IN_POINT = 10


def pair_of(name: str) -> str | None:
    """The only pair in a name such as USDJPY_1h_2012.csv or EUR/USD; None if there is none, or more than one."""
    found = {f"{base}/{quote}" for base, quote in _SIX.findall(name.upper()) if base != quote}
    return found.pop() if len(found) == 1 else None


def in_prices(table: Table, size: PointSize | None, pair: str | None) -> Table:
    """A table whose prices are points, as prices; without a size it stays as it is. Raises InvalidInput."""
    if size is None or size == 1.0:
        return table
    if size == "tenth-pip":
        if pair is None:
            raise InvalidInput("the size of a point follows from the pair, which no file, column or option names")
        size = pip_of(pair) / _PIPS_IN_POINT
    columns = columns_of(table)
    for name in set(PRICES) & columns.keys():
        try:
            points = np.asarray(columns[name], np.float64)
        except (TypeError, ValueError):
            continue  # refused by its row, as without a size
        # 81121 / 1000 is the float64 that is nearest to 81.121; 81121 * 0.001 is not.
        whole = round(1.0 / size)
        columns[name] = points / whole if abs(whole * size - 1.0) < _ROUNDING else points * size
    return columns


_ROUNDING = 1e-9


def are_points(table: Table) -> bool:
    """Whether all closes are whole numbers, as prices in points are."""
    try:
        close = np.asarray(columns_of(table).get("close", ()), np.float64)
    except (TypeError, ValueError):
        return False
    return bool(len(close)) and bool((close == np.round(close)).all())
