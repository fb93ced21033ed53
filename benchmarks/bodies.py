"""The requests of the benchmarks: real hours of EUR/USD for v3.0. All of them open the gate, so both stages run.

A kind is "features" (one scaled matrix) or "120 candles" with any number. Each kind has a few dozen different requests
in compact JSON, as Node writes it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks import stages
from benchmarks.load import message
from benchmarks.machine import ROOT
from lab import history as histories

PREDICT, BATCH = "/reversal/predict", "/reversal/predict/batch"
DIFFERENT = 48
# In hours between two windows, because neighbouring hours have nearly the same window.
_STRIDE = 17
# Of candles as columns and rows.
_NAMES = ("timestamp", "open", "high", "low", "close", "volume")
_DIGITS = 7  # decimal places of a scaled value: as exact as the float32 input of the network


def messages(kind: str, *, users: bool = False) -> list[bytes]:
    """Return requests for /reversal/predict. With `users`, each has a different user and no version."""
    return [message(PREDICT, encoded(body)) for body in asking(kind, users=users)]


def batches(kind: str, size: int, *, users: bool = False, count: int = 4) -> list[bytes]:
    """Return `count` requests for /reversal/predict/batch with `size` items each; each begins with a different item."""
    items = asking(kind, users=users)
    bodies = [{"items": [items[(start + i) % len(items)] for i in range(size)]} for start in range(count)]
    return [message(BATCH, encoded(body)) for body in bodies]


def asking(kind: str, *, users: bool = False) -> list[dict[str, Any]]:
    """Return the bodies of requests, or of the items of a batch, before they are encoded."""
    if users:
        return [body | {"user_id": f"user{i:04}"} for i, body in enumerate(requests(kind))]
    return [body | {"version": stages.VERSION} for body in requests(kind)]


def encoded(body: dict[str, Any]) -> bytes:
    """Encode a body as JSON without spaces, as Node does."""
    return orjson.dumps(body)


@cache
def history() -> histories.History:
    """Return the hours from which the candles are taken."""
    return histories.read(ROOT / "training" / "data" / "eurusd_1h_2017.csv")


@cache
def requests(kind: str) -> list[dict[str, Any]]:
    """Return the bodies of a kind without version and user.

    Raises ValueError if the kind is unknown, or if too few windows of that length open the gate.
    """
    number = 120 if kind == "features" else int(kind.removesuffix(" candles"))
    found = []
    for start in range(0, len(history()) - number, _STRIDE):
        part = history().part(slice(start, start + number))
        window = stages.scaled(part.candles).round(_DIGITS)
        if stages.opens(window):
            given = {"features": _exactly(window)} if kind == "features" else {"data": bars(part)}
            found.append({"pair": "EUR/USD", "timeframe": "1h"} | given)
            if len(found) == DIFFERENT:
                return found
    raise ValueError(f"{kind}: only {len(found)} windows of the history open the gate, expected {DIFFERENT}")


def windows(count: int) -> NDArray[np.float32]:
    """Return input of the networks, (count, 20, 12): the matrices of "features", repeated as often as needed."""
    matrices = [body["features"] for body in requests("features")]
    return np.array([matrices[i % len(matrices)] for i in range(count)], dtype=np.float32)


def _exactly(window: NDArray[np.float32]) -> list[list[float]]:
    return [[round(value, _DIGITS) for value in row] for row in window.tolist()]


def bars(part: histories.History) -> list[dict[str, Any]]:
    """Return candles as Node writes them."""
    names = ("open", "high", "low", "close", "volume")
    return [
        {"timestamp": f"{stamp}Z"} | dict(zip(names, map(_as_node, row), strict=True))
        for stamp, row in zip(part.timestamps, part.rows.tolist(), strict=True)
    ]


def _as_node(value: float) -> float:
    return int(value) if value.is_integer() else value


def as_columns(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body of candles with columns in place of objects."""
    return body | {"data": {name: [bar[name] for bar in body["data"]] for name in _NAMES}}


def as_rows(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body of candles with rows in place of objects."""
    rows = [[bar[name] for name in _NAMES] for bar in body["data"]]
    return body | {"data": rows, "columns": _NAMES}
