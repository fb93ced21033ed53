from __future__ import annotations

from typing import Any

import pytest

from core.features.candle_keys import candle_key_of_window
from tests.server.keeper.calls import Call, Write
from tests.server.keeper.records import exposure

pytestmark = pytest.mark.usefixtures("running")

URL = "/reversal/experiments/exp/evaluate"
# Prices that fall to the third bar and then rise, in units of 10 pips.
CLOSES = [2, 1, 0, 1, 2, 3, 2]
RULE = {"horizon": 2, "min_profit_pips": 6, "max_loss_pips": 5, "min_ratio": 1.5}


def candles(closes: list[int], *, stamp: bool = True, first: int = 0) -> list[dict[str, Any]]:
    def candle(hour: int, tens: int) -> dict[str, Any]:
        close = round(1.1 + tens * 0.001, 5)
        made = {"open": close, "high": round(close + 1e-4, 5), "low": round(close - 1e-4, 5), "close": close}
        return made | ({"timestamp": f"1970-01-01T{hour:02}:00:00Z"} if stamp else {})

    return [candle(first + i, tens) for i, tens in enumerate(closes)]


def asks(**changes: object) -> dict[str, object]:
    return {"pair": "EUR/USD", "timeframe": "1h", "data": candles(CLOSES), **RULE, **changes}


async def test_every_recorded_prediction_on_the_candles_is_labelled(
    call: Call,
    write: Write,
) -> None:
    await write(exposure("p0"), exposure("p2", 2), exposure("p2b", 2, variant="B", version="v2"), exposure("p4", 4))
    await write(exposure("w", candle=candle_key_of_window(b"")), exposure("x", 2, pair="EUR/GBP"))
    first = await call("POST", URL, asks())
    assert first.data == {"candles": 7, "labelled": 2, "changed": 0, "unchanged": 0, "too_close": 1}
    backwards = list(reversed(candles(CLOSES)))
    again = await call("POST", URL, asks(data=backwards, timeframe=None))
    assert again.data == {"candles": 7, "labelled": 0, "changed": 0, "unchanged": 2, "too_close": 1}
    other_rule = await call("POST", URL, asks(min_profit_pips=500))
    assert other_rule.data == {"candles": 7, "labelled": 0, "changed": 1, "unchanged": 1, "too_close": 1}


async def test_candles_without_predictions_get_a_warning(call: Call, write: Write) -> None:
    await write(exposure("p2", 2))
    (warning,) = (await call("POST", URL, asks(pair="EUR/GBP"))).data["warnings"]
    assert warning["code"] == "NO_PREDICTIONS"
    assert "warnings" not in (await call("POST", URL, asks())).data


@pytest.mark.parametrize(("given", "horizon", "needed"), [(0, 2, 5), (4, 2, 5), (20, None, 21)])
async def test_too_few_candles_are_a_422_with_the_needed_number(
    call: Call, given: int, horizon: int | None, needed: int
) -> None:
    answer = await call("POST", URL, asks(data=candles([1] * given), horizon=horizon))
    assert (answer.status, answer.details[0]["path"]) == (422, "data")
    message = answer.details[0]["message"]
    assert all(words in message for words in (f"at least {needed} candles", f"has {given}")), message


async def test_the_defaults_are_10_bars_30_and_50_pips(call: Call, write: Write) -> None:
    await write(exposure("p10", 10))
    # After a fall, the price rises by 40 pips from hour 10, which reaches 30 pips of profit without any loss.
    data = candles([*range(10, 0, -1), 0, *[1, 2, 3, 4, 4, 4, 4, 4, 4, 4]])
    by_default = await call("POST", URL, {"pair": "EUR/USD", "data": data})
    assert by_default.data["labelled"] == 1
    named = {"horizon": 10, "min_profit_pips": 30.0, "max_loss_pips": 50.0, "min_ratio": 1.5}
    assert (await call("POST", URL, {"pair": "EUR/USD", "data": data, **named})).data["unchanged"] == 1
    stricter = {"horizon": None, "min_profit_pips": 42}
    assert (await call("POST", URL, {"pair": "EUR/USD", "data": data, **stricter})).data["changed"] == 1


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"data": candles(CLOSES, stamp=False)}, "data"),
        ({"data": []}, "data"),
        ({"data": None}, "data"),
        ({"data": candles(CLOSES) * 2}, "data[7].timestamp"),
        ({"data": [*candles([1]), *candles([1], stamp=False)]}, "data[1].timestamp"),
        ({"data": [{**candles([1])[0], "timestamp": "noon"}]}, "data[0].timestamp"),
        ({"data": [*candles([1]), {**candles([1], first=1)[0], "high": 1.0}]}, "data[1].high"),
        ({"data": [{**candles([1])[0], "close": None}]}, "data[0].close"),
        ({"pair": "EURUSD"}, "pair"),
        ({"timeframe": "7x"}, "timeframe"),
        ({"horizon": 0}, "horizon"),
        ({"horizon": 1.5}, "horizon"),
        ({"min_profit_pips": -1}, "min_profit_pips"),
        ({"max_loss_pips": "50"}, "max_loss_pips"),
        ({"min_ratio": -1}, "min_ratio"),
    ],
)
async def test_a_bad_field_is_a_422_with_its_path(
    call: Call,
    changes: dict[str, object],
    path: str,
) -> None:
    answer = await call("POST", URL, asks(**changes))
    assert (answer.status, answer.details[0]["path"]) == (422, path)


async def test_candles_are_matched_by_opening_time_if_closing_times_are_sent(call: Call, write: Write) -> None:
    await write(*(exposure(f"p{n}", n) for n in range(len(CLOSES))))
    data = candles(CLOSES, first=1)
    answer = await call("POST", URL, asks(data=data, timestamps="close"))
    assert (answer.data["labelled"], answer.data.get("warnings")) == (3, None)


async def test_odd_timestamps_get_warnings(call: Call, write: Write) -> None:
    await write(*(exposure(f"p{n}", n) for n in range(len(CLOSES))))
    data = candles(CLOSES)
    data[2]["timestamp"] = data[2]["timestamp"].removesuffix("Z")
    answer = await call("POST", URL, asks(data=data, timeframe="4h"))
    assert [warning["code"] for warning in answer.data["warnings"]] == ["MIXED_TIME_ZONES", "SPACING", "NO_PREDICTIONS"]
