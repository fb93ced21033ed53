"""A fixed piece of work in Python and NumPy, to compare the server's own work with on any machine.

It uses nothing of the server, so it does not change when the server does. It does what a prediction does in kind: it
decodes JSON, goes through the candles, and computes with short arrays.
"""

from __future__ import annotations

import json
import time

import numpy as np

from benchmarks import bodies

# Roughly the number of array operations in the indicators of a detector.
_OPERATIONS = 40


def seconds(calls: int = 200) -> float:
    """Return the median seconds of the work."""
    body = bodies.encoded(bodies.asking("120 candles")[0])
    times = []
    for _ in range(calls):
        began = time.perf_counter()
        _work(body)
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def _work(body: bytes) -> float:
    candles = json.loads(body)["data"]
    closes = np.array([candle["close"] for candle in candles])
    for _ in range(_OPERATIONS // 2):
        closes = np.cumsum(closes) / 2
    ranges: float = sum(candle["high"] - candle["low"] for candle in candles)
    return ranges + float(closes[0])
