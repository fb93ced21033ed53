"""Bodies of predictions: windows of the bundles of the `models` fixture, and candles."""

from __future__ import annotations

from typing import Any


def window(value: float) -> list[list[float]]:
    return [[value, value]] * 4


def asks(p1: float, p2: float | None = None, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """A request whose stages have these probabilities."""
    features = window(p1) if p2 is None else {"stage1": window(p1), "stage2": window(p2)}
    return {"pair": "EUR/USD", "features": features} | fields


def candle(price: float = 0.4, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"open": price, "high": price, "low": price, "close": price, "volume": 1.0} | fields


def candles(count: int = 20, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"pair": "EUR/USD", "data": [candle() for _ in range(count)]} | fields
