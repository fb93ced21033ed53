"""Good requests for a prediction from candles, as objects of JSON."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import strategies as st

from core.features.timeframes import Timeframe
from tests.server.api.spelled_times import instants, spellings

Row = dict[str, Any]

# Python's decoder accepts half of a surrogate pair, and ours does not.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
prices = st.floats(1e-12, 1e12)


@st.composite
def bars(draw: st.DrawFn) -> Row:
    low, one, other, high = sorted(draw(st.tuples(prices, prices, prices, prices)))
    opened, close = draw(st.permutations([one, other]))
    volume = draw(st.fixed_dictionaries({}, optional={"volume": st.floats(0.0, 1e18)}))
    return {"open": opened, "high": high, "low": low, "close": close} | volume


@st.composite
def requests(draw: st.DrawFn, *, timed: bool | None = None, at_least: int = 0) -> Row:
    """A good request with an additional field `micros`: each candle's instant, or null. Unknown fields are allowed."""
    data = draw(st.lists(bars(), min_size=at_least, max_size=6))
    micros = None
    if timed or (timed is None and draw(st.booleans())):
        micros = draw(st.lists(instants, min_size=len(data), max_size=len(data), unique=True))
        data = [row | {"timestamp": draw(st.sampled_from(spellings(at)))} for row, at in zip(data, micros, strict=True)]
    optional = {
        "timeframe": st.sampled_from([None, *get_args(Timeframe)]),
        "version": st.sampled_from([None, "v3.0"]),
        "user_id": st.none() | st.text("ab用", max_size=256) | st.integers(),
        "features": st.none(),
        "features_scaled": st.booleans(),
        "unknown": values,
    }
    fields = draw(st.fixed_dictionaries({"pair": st.just("EUR/USD")}, optional=optional))
    return {"micros": micros, "data": data} | fields
