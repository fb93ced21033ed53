"""Which features the optional extension computes (core/native/features.c), and how it is told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

# In the order of the extension. A number in a name is its number of bars.
OPERATIONS = (
    *("field", "returns", "momentum_<n>", "sma_<n>", "ema_<n>", "macd", "macd_signal", "macd_histogram"),
    *("bb_upper", "bb_lower", "bb_width", "bb_width_20", "rsi_<n>", "adx_14", "stoch_k_<n>", "stoch_d_<n>"),
    *("volatility_<n>", "volume_ratio", "volume_sma_20", "atr_<n>", "true_range_atr", "body_atr", "upper_wick_atr"),
    *("lower_wick_atr", "gap_atr", "move_<n>_atr", "range_<n>_atr", "close_position", "atr_<n>_relative"),
)
_FIELDS = ("open", "high", "low", "close", "volume")
# Other names of the same features.
_SAME = {
    "macd_hist": "macd_histogram",
    "bb_middle": "sma_20",
    "bb_upper_20": "bb_upper",
    "bb_lower_20": "bb_lower",
    "stoch_k": "stoch_k_14",
    "stoch_d": "stoch_d_14",
}
_BARS = re.compile(r"(?<=_)\d+(?=_|\Z)")


def _step(name: str) -> tuple[int, int] | None:
    """The operation and the number of bars of a feature; None if the extension does not have it."""
    if name in _FIELDS:
        return OPERATIONS.index("field"), _FIELDS.index(name)
    name = _SAME.get(name, name)
    if name in OPERATIONS:
        return OPERATIONS.index(name), 0
    form, bars = _BARS.sub("<n>", name), _BARS.findall(name)
    return (OPERATIONS.index(form), int(bars[0])) if form in OPERATIONS else None


def is_compiled(name: str) -> bool:
    """Whether the extension computes this feature, which is one of the catalogue."""
    return _step(name) is not None


def program(names: Sequence[str], columns: Iterable[int]) -> bytes:
    """Return the program that fills these columns with these features, all of which are compiled."""
    steps = [(column, *found) for name, column in zip(names, columns, strict=True) if (found := _step(name))]
    return np.array(steps, np.int32).tobytes()
