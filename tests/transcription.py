"""The indicators of docs/indicators.md in plain pandas: one line for each definition, and no code from core."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def features(candles: pd.DataFrame) -> pd.DataFrame:
    """Compute all features of a frame with open, high, low, close and volume; NaN where a window is not full.

    Those of the candle's own time only for a frame with a timestamp.
    """
    o, h, l, c, v = (candles[name] for name in ("open", "high", "low", "close", "volume"))  # noqa: E741
    out = pd.DataFrame({"open": o, "high": h, "low": l, "close": c, "volume": v})
    for n in (5, 10, 20, 50, 100, 200):
        out[f"sma_{n}"] = c.rolling(n).mean()
    for n in (5, 10, 12, 20, 26, 50, 100, 200):
        out[f"ema_{n}"] = c.ewm(span=n, adjust=False).mean()
    change = c.diff().fillna(0.0)
    for n in (14, 28):
        gain = _exact_mean(change.clip(lower=0.0), n)
        loss = _exact_mean((-change).clip(lower=0.0), n)
        rsi = 100.0 - 100.0 / (1.0 + gain / loss)
        out[f"rsi_{n}"] = rsi.mask(loss == 0.0, 100.0).mask((loss == 0.0) & (gain == 0.0), 50.0)
    out["macd"] = out["ema_12"] - out["ema_26"]
    out["macd_signal"] = out["macd"].ewm(span=9, adjust=False).mean()
    out["macd_histogram"] = out["macd"] - out["macd_signal"]
    out["macd_hist"] = out["macd_histogram"]
    deviation = c.rolling(20).apply(lambda w: np.std(w, ddof=1), raw=True)
    out["bb_middle"] = c.rolling(20).mean()
    out["bb_upper"] = out["bb_middle"] + 2.0 * deviation
    out["bb_lower"] = out["bb_middle"] - 2.0 * deviation
    out["bb_width"] = out["bb_upper"] - out["bb_lower"]
    out["bb_upper_20"], out["bb_lower_20"] = out["bb_upper"], out["bb_lower"]
    out["bb_width_20"] = (out["bb_upper"] - out["bb_lower"]) / out["bb_middle"]
    previous = c.shift(1)
    true_range = pd.concat([h - l, (h - previous).abs(), (l - previous).abs()], axis=1).max(axis=1)
    out["atr_14"] = _exact_mean(true_range, 14)
    highest, lowest = h.rolling(14).max(), l.rolling(14).min()
    out["stoch_k"] = (100.0 * (c - lowest) / (highest - lowest)).mask(highest == lowest, 50.0)
    out["stoch_d"] = out["stoch_k"].rolling(3).mean()
    up, down = h.diff().fillna(0.0), (-l.diff()).fillna(0.0)
    plus_di = 100.0 * _exact_mean(up.where((up > down) & (up > 0.0), 0.0), 14) / out["atr_14"]
    minus_di = 100.0 * _exact_mean(down.where((down > up) & (down > 0.0), 0.0), 14) / out["atr_14"]
    flat = out["atr_14"] == 0.0
    plus_di, minus_di = plus_di.mask(flat, 0.0), minus_di.mask(flat, 0.0)
    total = plus_di + minus_di
    dx = (100.0 * (plus_di - minus_di).abs() / total).mask(total == 0.0, 0.0)
    out["adx_14"] = _exact_mean(dx, 14)
    returns = c / previous - 1.0
    out["returns"], out["log_returns"] = returns, np.log(c / previous)
    for n in (5, 10, 20):
        out[f"momentum_{n}"] = c / c.shift(n) - 1.0
    for n in (10, 20, 30):
        out[f"volatility_{n}"] = returns.rolling(n).apply(lambda w: np.std(w, ddof=1), raw=True)
    out["volume_sma_20"] = _exact_mean(v, 20)
    out["volume_ratio"] = (v / out["volume_sma_20"]).mask(out["volume_sma_20"] == 0.0, 0.0)
    _add_scale_free(out, true_range)
    if "timestamp" in candles:
        _add_clock(out, pd.to_datetime(candles["timestamp"], utc=True))
    return out


def _add_clock(out: pd.DataFrame, opened: pd.Series[pd.Timestamp]) -> None:
    """Add the features of the candle's own time, from the calendar."""
    at = opened.dt
    out["hour"] = at.hour + at.minute / 60 + at.second / 3600 + at.microsecond / 3.6e9
    out["weekday"] = at.day_of_week.astype(float)
    for name, turns in (("hour", out["hour"] / 24), ("week", (24 * at.day_of_week + out["hour"]) / 168)):
        out[f"{name}_sin"], out[f"{name}_cos"] = np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)


def _add_scale_free(out: pd.DataFrame, true_range: pd.Series[float]) -> None:
    """Add the features that do not depend on the unit of the price; NaN where a true range lacks its previous close."""
    o, h, l, c = (out[name] for name in ("open", "high", "low", "close"))  # noqa: E741
    whole = true_range.where(c.shift(1).notna())
    unit = _exact_mean(whole, 14)

    def in_atr(x: pd.Series[float]) -> pd.Series[float]:
        return (x / unit).mask(unit == 0.0, 0.0)

    out["true_range_atr"] = in_atr(whole)
    out["body_atr"], out["gap_atr"] = in_atr(c - o), in_atr(o - c.shift(1))
    out["upper_wick_atr"] = in_atr(h - np.maximum(o, c))
    out["lower_wick_atr"] = in_atr(np.minimum(o, c) - l)
    for n in (1, 3, 5, 10, 20, 30, 60):
        out[f"move_{n}_atr"] = in_atr(c - c.shift(n))
        out[f"range_{n}_atr"] = in_atr(h.rolling(n).max() - l.rolling(n).min())
    for n in (2, 5, 20, 50):
        out[f"sma_{n}_distance"] = in_atr(c.rolling(n).apply(lambda w: np.mean(w[-1] - w), raw=True))
    deviation = c.rolling(20).apply(_deviation, raw=True)
    above = c.rolling(20).apply(lambda w: np.mean(w[-1] - w), raw=True)
    out["bb_position"] = (above / (2.0 * deviation)).mask(deviation == 0.0, 0.0)
    out["bb_upper_distance"] = in_atr(above - 2.0 * deviation)
    out["bb_lower_distance"] = in_atr(above + 2.0 * deviation)
    out["atr_1"], out["atr_5"], out["atr_50"] = true_range, _exact_mean(true_range, 5), _exact_mean(true_range, 50)
    atr = {n: _exact_mean(whole, n) for n in (2, 5, 14, 50)}
    out["atr_5_relative"], out["atr_14_relative"] = atr[5] / c, atr[14] / c
    returns = c / c.shift(1) - 1.0
    for a, b in ((2, 50), (5, 14)):
        out[f"atr_ratio_{a}_{b}"] = (atr[a] / atr[b]).mask(atr[b] == 0.0, 0.0)
        short, long = (returns.rolling(n).apply(_deviation, raw=True) for n in (a, b))
        out[f"volatility_ratio_{a}_{b}"] = (short / long).mask(long == 0.0, 0.0)
    for n in (2, 5, 50, 56):
        highest, lowest = h.rolling(n).max(), l.rolling(n).min()
        stoch = (100.0 * (c - lowest) / (highest - lowest)).mask(highest == lowest, 50.0)
        out[f"stoch_k_{n}"], out[f"stoch_d_{n}"] = stoch, stoch.rolling(3).mean()
    out["close_position"] = ((c - l) / (h - l)).mask(h == l, 0.5)
    for n in (2, 10, 20, 30):
        path = c.diff().abs().rolling(n).apply(np.sum, raw=True)
        out[f"efficiency_{n}"] = ((c - c.shift(n)).abs() / path).mask(path == 0.0, 0.0)


def _deviation(window: NDArray[np.float64]) -> float:
    """Sample standard deviation, 0 for equal values: the mean of prices need not be equal to them."""
    return float(np.std(window - window[-1], ddof=1))


def _exact_mean(series: pd.Series[float], n: int) -> pd.Series[float]:
    """Rolling mean without a running sum: pandas' own gives 1e-20 instead of 0 for a window of zeros."""
    return series.rolling(n).apply(np.mean, raw=True)
