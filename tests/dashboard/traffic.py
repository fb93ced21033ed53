"""Predictions and outcomes for the page to show."""

from __future__ import annotations

import itertools
import random
import sqlite3
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from core.experiments.look import SLOT_MICROS
from tests.market import ROOT
from tests.processes import get, post
from tests.waiting import wait_until

PAIRS = ("EUR/USD", "GBP/USD", "AUD/USD")
TIMEFRAMES = ("1h", "4h")
WINDOW = 120
FIELDS = ("open", "high", "low", "close", "volume")


@cache
def bars() -> list[dict[str, float]]:
    """The real hourly EUR/USD bars of 2017, without their times."""
    lines = (ROOT / "training" / "data" / "eurusd_1h_2017.csv").read_text().splitlines()[1:]
    return [{name: float(value) for name, value in zip(FIELDS, line.split(",")[1:], strict=True)} for line in lines]


def window(number: int, last: datetime, pair: str = "EUR/USD", timeframe: str = "1h") -> dict[str, Any]:
    """A body with real bars whose last one begins at `last`."""
    step = timedelta(hours=int(timeframe[0]))
    start = number * 7 % (len(bars()) - WINDOW)
    data = [
        {"timestamp": (last - (WINDOW - 1 - i) * step).isoformat(), **bar}
        for i, bar in enumerate(bars()[start : start + WINDOW])
    ]
    return {"pair": pair, "timeframe": timeframe, "data": data}


def recent(number: int, timeframe: str = "1h") -> datetime:
    """The beginning of a candle that has ended."""
    hours = int(timeframe[0])
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return now - timedelta(hours=now.hour % hours + hours * (1 + number % 3))


@contextmanager
def flowing(url: str, headers: dict[str, str] | None = None) -> Iterator[threading.Event]:
    """Send predictions, some of them bad, until the block ends. The event is set when ten were answered."""
    ended, begun = threading.Event(), threading.Event()

    def send() -> None:
        for number in itertools.count():
            if ended.wait(0.02):
                return
            timeframe = TIMEFRAMES[number % 5 == 0]
            body = window(number, recent(number, timeframe), PAIRS[number % 3], timeframe)
            body["user_id"] = f"user{number % 17}"
            if number % 25 == 24:
                body["data"][17]["high"] = "1.2"
            with suppress(OSError):  # while the server restarts
                post(f"{url}/reversal/predict", body, headers)
            if number == 10:
                begun.set()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        assert begun.wait(30)
        yield begun
    finally:
        ended.set()
        thread.join()


def hello(url: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """The data of the stream's first event."""
    ask = urllib.request.Request(f"{url}/dashboard/stream", headers=headers or {})  # noqa: S310 - the test's own server
    with urllib.request.urlopen(ask, timeout=10) as stream:  # noqa: S310
        line = next(line for line in stream if line.startswith(b"data: "))
    data: dict[str, Any] = orjson.loads(line.removeprefix(b"data: "))
    return data


def decided(
    url: str, shares: tuple[float, float], *, candles: int, headers: dict[str, str] | None = None, seed: int = 1
) -> None:
    """Predictions of an experiment's users, with outcomes that win with planted `shares`, of A's and of B's users."""
    rng = random.Random(seed)  # noqa: S311 - a test
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    items = []
    for number in range(candles):
        last = now - timedelta(hours=seed * candles + candles - number)
        for user in range(3):
            body = window(number, last, PAIRS[number % 3])
            body["user_id"] = f"user{(3 * number + user + 180 * seed) % 360}"
            items.append(body)
    outcomes = []
    for at in range(0, len(items), 200):
        status, answer = post(f"{url}/reversal/predict/batch", orjson.dumps({"items": items[at : at + 200]}), headers)
        assert status == 200, answer
        for result in answer["data"]["results"]:
            data = result["data"]
            if data["signal"] == "hold":
                continue
            wins = rng.random() < shares[data["experiment"]["variant"] == "B"]
            pips = rng.gauss(8, 3) if wins else -rng.gauss(8, 3)
            outcomes.append(
                {
                    "prediction_id": data["prediction_id"],
                    "outcome": "win" if wins else "loss",
                    "pnl_pips": round(pips, 1),
                }
            )
    assert outcomes
    status, answer = post(f"{url}/reversal/outcomes", {"outcomes": outcomes}, headers)
    assert status == 200, answer


def looked(url: str, state: Path, experiment_id: str) -> None:
    """Let the server look at an experiment, and move its looks back by one slot, so that the next one is due now."""

    def looks() -> int:
        with sqlite3.connect(state / "state.db", timeout=10) as store:
            (count,) = store.execute("SELECT COUNT(*) FROM looks WHERE experiment_id = ?", [experiment_id]).fetchone()
        return int(count)

    before = looks()
    status, _ = get(f"{url}/reversal/experiments/{experiment_id}/report")
    assert status == 200
    wait_until(lambda: looks() > before)
    with sqlite3.connect(state / "state.db", timeout=10) as store:
        rows = store.execute("SELECT slot, body FROM looks WHERE experiment_id = ? ORDER BY slot", [experiment_id])
        for slot, text in rows.fetchall():
            body = orjson.loads(text)
            body["at"] -= SLOT_MICROS
            moved = slot - 1, orjson.dumps(body).decode(), experiment_id, slot
            store.execute("UPDATE looks SET slot = ?, body = ? WHERE experiment_id = ? AND slot = ?", moved)
