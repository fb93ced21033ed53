"""The features to test, and the fast method of computing them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.features.candles import Candles, Floats
from core.features.table import Table
from tests import market
from tests.market import V30, V31, WIDE

ALL = sorted({*V30, *V31, *WIDE, "bb_upper", "bb_lower"})
Compute = Callable[[Candles, list[str], int], Floats]


def by_table(candles: Candles, names: list[str], rows: int) -> Floats:
    """Compute as the server does: by the table, together with other series of the same length."""
    table = Table(names, rows)
    other = market.candles(0, len(candles))
    with np.errstate(all="ignore"):
        found = table([other, candles, other])
    return found[1, :, table.columns(names)].T
