"""Verdicts of a running server: equal versions are not called different, and the order of arrival does not matter."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests import bundles
from tests.market import ONNX, ROOT
from tests.processes import Server, get, post, serving
from tests.system.load import start_experiment
from tests.waiting import wait_until

Bars = list[dict[str, Any]]
CANDLES, WINDOW, USERS = 2_000, 120, 60
ORDERS: dict[str, Callable[[list[int]], list[list[int]]]] = {
    "in order": lambda numbers: [numbers],
    "shuffled": lambda numbers: [random.Random(1).sample(numbers, len(numbers))],  # noqa: S311 - a test
    # Each client has one stretch of time.
    "by 32 clients": lambda numbers: [
        numbers[i * len(numbers) // 32 : (i + 1) * len(numbers) // 32] for i in range(32)
    ],
}


@cache
def bars() -> Bars:
    lines = (ROOT / "training" / "data" / "eurusd_1h_2017.csv").read_text().splitlines()[1:]
    fields = ("open", "high", "low", "close", "volume")
    return [
        {"timestamp": time, **{name: float(value) for name, value in zip(fields, values, strict=True)}}
        for time, *values in (line.split(",") for line in lines[: WINDOW + CANDLES + 30])
    ]


def outcome(prediction_id: str, signal: str, number: int) -> dict[str, Any]:
    """The trade's result ten hours later."""
    last, later = bars()[number + WINDOW - 1], bars()[number + WINDOW + 9]
    pips = round((later["close"] - last["close"]) * (1e4 if signal == "long" else -1e4), 1)
    return {"prediction_id": prediction_id, "outcome": "win" if pips > 0 else "loss", "pnl_pips": pips}


async def replay(url: str, clients: list[list[int]]) -> list[dict[str, Any]]:
    """Ask about windows by their numbers, with one connection for each client; returns the outcomes of trades."""
    outcomes: list[dict[str, Any]] = []

    async def client(session: aiohttp.ClientSession, numbers: list[int]) -> None:
        for number in numbers:
            window = bars()[number : number + WINDOW]
            body = {"pair": "EUR/USD", "timeframe": "1h", "data": window, "user_id": f"user{number * 7 % USERS}"}
            async with session.post(f"{url}/reversal/predict", json=body) as response:
                answer = await response.json()
                assert response.status == 200, answer
            data = answer["data"]
            if data["signal"] != "hold":
                outcomes.append(outcome(data["prediction_id"], data["signal"], number))

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(client(session, numbers) for numbers in clients))
    return outcomes


@pytest.mark.parametrize("mode", ["shadow", "crossover", "split"])
def test_the_order_of_arrival_does_not_change_the_report(mode: str) -> None:
    """The same 2,000 real candles in order, shuffled, and by 32 clients at once."""
    found = {}
    for order, split in ORDERS.items():
        with serving("--models", str(ONNX), REVERSAL_WORKERS="2", REVERSAL_USER_KEY="ab" * 32) as server:
            share = None if mode == "shadow" else 0.5
            versions = {"variant_a": "v3.0", "variant_b": "v3.1"}
            start_experiment(server.url, "same", mode=mode, traffic_split=share, **versions)
            outcomes = asyncio.run(replay(server.url, split(list(range(CANDLES)))))
            if mode == "shadow":
                wait_until(lambda: report(server)["pairs"]["candles"] == CANDLES)
                label(server)
            else:
                report_outcomes(server, outcomes)
            found[order] = without_times(report(server))
    first = found["in order"]
    assert first["variants"]["A"]["win_rate"]["candles"] > 100
    assert first["differences"]["win_rate"]["interval"] is not None
    for order, other in found.items():
        assert other == first, order


def without_times(of: dict[str, Any]) -> dict[str, Any]:
    """The report without what depends on the clock."""
    return {name: value for name, value in of.items() if not name.endswith("_at") and name not in CLOCK}


CLOCK = {"history", "label_rule", "label_rules", "days_left"}


def label(server: Server) -> None:
    rule = {"horizon": 10, "min_profit_pips": 6.0, "max_loss_pips": 10.0}
    for start in range(0, len(bars()), 900):
        part = bars()[max(start - 100, 0) : start + 1_000]
        body = {"pair": "EUR/USD", "timeframe": "1h", "data": part, **rule}
        status, answer = post(f"{server.url}/reversal/experiments/same/evaluate", body)
        assert status == 200, answer


def report_outcomes(server: Server, outcomes: list[dict[str, Any]]) -> None:
    for start in range(0, len(outcomes), 5_000):
        status, answer = post(f"{server.url}/reversal/outcomes", {"outcomes": outcomes[start : start + 5_000]})
        assert status == 200, answer
        statuses = {result["status"] for result in answer["data"]["results"]}
        assert statuses == {"recorded"}


def report(server: Server, experiment_id: str = "same") -> dict[str, Any]:
    status, answer = get(f"{server.url}/reversal/experiments/{experiment_id}/report")
    assert status == 200, answer
    data: dict[str, Any] = answer["data"]
    data["verdict"].pop("days_left", None)
    return data


TRADERS, HOURS, DAY = 20, 600, 24


@pytest.mark.parametrize("experiments", [2, pytest.param(20, marks=[pytest.mark.long, pytest.mark.timeout(1_800)])])
@pytest.mark.parametrize("mode", ["split", "crossover"])
def test_an_a_a_experiment_of_20_traders_of_different_skill_has_no_verdict(
    mode: str, experiments: int, tmp_path: Path
) -> None:
    """Win rates of 0.5 on the average, with a standard deviation of 0.1, and a look every five days."""
    bundles.write(tmp_path, "v1")
    bundles.write(tmp_path, "v1-copy")
    bundles.write_order(tmp_path, "v1", "v1-copy")
    words = set()
    with serving("--models", str(tmp_path)) as server:
        for number in range(experiments):
            name = f"aa-{mode}-{number}"
            start_experiment(server.url, name, mode=mode, variant_a="v1", variant_b="v1-copy")
            words |= set(trade(server, name, number))
            found = report(server, name)
            assert found["variants"]["A"]["predictions"] + found["variants"]["B"]["predictions"] > 5_000
            assert found["variants"]["A"]["model_version"] == "v1"
    assert words == {"not yet"}


def trade(server: Server, experiment_id: str, seed: int) -> list[str]:
    """20 traders ask in nearly half of 600 hours, and trade on what they get; returns the words of all looks."""
    rng = random.Random(seed)  # noqa: S311 - a test
    skill = [min(max(rng.gauss(0.5, 0.1), 0.05), 0.95) for _ in range(TRADERS)]
    words = []
    for start in range(0, HOURS, 5 * DAY):
        items, winners = [], []
        for hour in range(start, start + 5 * DAY):
            for trader in range(TRADERS):
                if rng.random() < 0.45:
                    items.append({"pair": "EUR/USD", "data": history(hour), "user_id": f"trader{trader}"})
                    winners.append(rng.random() < skill[trader])
        outcomes = []
        for at in range(0, len(items), 250):
            status, answer = post(f"{server.url}/reversal/predict/batch", {"items": items[at : at + 250]})
            assert status == 200, answer
            for result, wins in zip(answer["data"]["results"], winners[at : at + 250], strict=True):
                prediction_id = result["data"]["prediction_id"]
                outcomes.append({"prediction_id": prediction_id, "outcome": "win" if wins else "loss"})
        report_outcomes(server, outcomes)
        words.append(report(server, experiment_id)["verdict"]["word"])
    return words


@cache
def history(hour: int) -> Bars:
    """Ten hours of constant prices, at which both versions say long or short."""
    last = datetime(2025, 1, 6, tzinfo=UTC) + timedelta(hours=hour)
    fields = dict.fromkeys(("open", "high", "low", "close"), 0.7)
    times = (last - timedelta(hours=back) for back in range(9, -1, -1))
    return [{"timestamp": time.isoformat(), **fields, "volume": 1.0} for time in times]
