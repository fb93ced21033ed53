"""Unusual market data: each case of docs/market-data.md as a body. `now` is in seconds since 1970."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from tests import market

Candle: TypeAlias = dict[str, Any]
Body: TypeAlias = dict[str, Any]
Case: TypeAlias = Callable[[float], Body]

PRICES = ("open", "high", "low", "close")
HOUR = 3600
BERLIN = ZoneInfo("Europe/Berlin")
# The first bar of most cases. They differ from the series only as their name says.
START = 3_000


def rows(count: int = 120) -> list[Candle]:
    data: list[Candle] = market.body(START, count)["data"]
    return data


def body(data: Any, **fields: Any) -> Body:  # noqa: ANN401 - JSON
    return {"pair": "EUR/USD", "timeframe": "1h", "data": data} | fields


def of_time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def stamped(times: list[Any]) -> list[Candle]:
    return [row | {"timestamp": time} for row, time in zip(rows(len(times)), times, strict=True)]


def restamped(write: Callable[[datetime], Any], count: int = 120) -> list[Candle]:
    """Candles with the same times in another format."""
    return [row | {"timestamp": write(of_time(row["timestamp"]))} for row in rows(count)]


def renamed(key: str, data: list[Candle]) -> list[Candle]:
    return [{key if name == "timestamp" else name: value for name, value in row.items()} for row in data]


def every(seconds: float, last: float, count: int = 120) -> list[str]:
    """Times with equal distances. `seconds`: the distance. `last`: the last time, in seconds since 1970."""
    return [datetime.fromtimestamp(last - seconds * (count - 1 - i), UTC).isoformat() for i in range(count)]


def hours_until(now: float, hours: float) -> list[Candle]:
    """Hourly candles. The last one begins `hours` hours after the current one."""
    return stamped(every(HOUR, now - now % HOUR + hours * HOUR))


def local(first: datetime, zone: ZoneInfo, count: int = 120) -> list[str]:
    """The local time without a zone at each hour from `first`."""
    instants = (first.astimezone(UTC) + timedelta(hours=i) for i in range(count))
    return [instant.astimezone(zone).replace(tzinfo=None).isoformat() for instant in instants]


def scaled(factor: float) -> list[Candle]:
    return [row | {name: row[name] * factor for name in PRICES} for row in rows()]


def changed(index: int, **fields: Any) -> list[Candle]:  # noqa: ANN401 - JSON
    data = rows()
    data[index] = data[index] | fields
    return data


def flat(last: int) -> list[Candle]:
    """Candles whose last `last` have one constant price."""
    data = rows()
    price = data[-last]["close"]
    for row in data[-last:]:
        row.update(dict.fromkeys(PRICES, price))
    return data


def spiked(index: int, factor: float) -> list[Candle]:
    """Candles, one of which has its high and close multiplied by `factor`."""
    row = rows()[index]
    return changed(index, high=row["high"] * factor, close=row["close"] * factor)


def without(name: str, data: list[Candle]) -> list[Candle]:
    return [{key: value for key, value in row.items() if key != name} for row in data]


def shuffled() -> list[Candle]:
    data = rows()
    random.Random(1).shuffle(data)  # noqa: S311 - an order
    return data


def months() -> list[str]:
    return [f"{2007 + i // 12}-{1 + i % 12:02}-01T00:00:00Z" for i in range(120)]


def utc(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def naive(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat()


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


CASES: dict[str, Case] = {
    # The number of candles.
    "120 hours, oldest first, in UTC": lambda _: body(rows()),
    "115 hours": lambda _: body(rows(115)),
    "114 hours": lambda _: body(rows(114)),
    "69 hours": lambda _: body(rows(69)),
    "68 hours": lambda _: body(rows(68)),
    "no candle": lambda _: body([]),
    "no `data`": lambda _: {"pair": "EUR/USD", "timeframe": "1h"},
    "2,000 hours": lambda _: body(rows(2_000)),
    "2,001 hours": lambda _: body(rows(2_001)),
    # Order.
    "newest first, with timestamps": lambda _: body(rows()[::-1]),
    "in random order, with timestamps": lambda _: body(shuffled()),
    "newest first, without timestamps": lambda _: body(without("timestamp", rows())[::-1]),
    "oldest first, without timestamps": lambda _: body(without("timestamp", rows())),
    "newest first, the time called `datetime`": lambda _: body(renamed("datetime", rows()[::-1])),
    "the time called `time`": lambda _: body(renamed("time", rows())),
    "the time called `Timestamp`": lambda _: body(renamed("Timestamp", rows())),
    "one hour twice": lambda _: body([*rows(), rows()[-1]]),
    "one timestamp missing": lambda _: body([*rows()[:-1], without("timestamp", rows()[-1:])[0]]),
    # The format of times.
    "ISO 8601 with `+02:00`": lambda _: body(restamped(lambda t: (t + timedelta(hours=2)).isoformat()[:-6] + "+02:00")),
    "ISO 8601, `Z` and `+00:00` in turns": lambda _: body(restamped(lambda t: utc(t) if t.hour % 2 else t.isoformat())),
    "ISO 8601 without a zone": lambda _: body(restamped(naive)),
    "ISO 8601, the last one without a zone": lambda _: body([*rows()[:-1], *restamped(naive)[-1:]]),
    "ISO 8601, every second one without a zone": lambda _: body(
        restamped(lambda t: utc(t) if t.hour % 2 else naive(t))
    ),
    "epoch seconds": lambda _: body(restamped(seconds)),
    "epoch milliseconds": lambda _: body(restamped(lambda t: seconds(t) * 1_000)),
    "epoch seconds with a fraction": lambda _: body(restamped(lambda t: t.timestamp() + 0.25)),
    "epoch seconds, and ISO 8601 with a zone": lambda _: body(
        restamped(lambda t: seconds(t) if t.hour % 2 else utc(t))
    ),
    "epoch seconds, and ISO 8601 without a zone": lambda _: body(
        restamped(lambda t: seconds(t) if t.hour % 2 else naive(t))
    ),
    "epoch microseconds": lambda _: body(restamped(lambda t: seconds(t) * 1_000_000)),
    "epoch nanoseconds": lambda _: body(restamped(lambda t: seconds(t) * 1_000_000_000)),
    "epoch seconds as text": lambda _: body(restamped(lambda t: str(seconds(t)))),
    "times as `29.06.2017 21:00`": lambda _: body(restamped(lambda t: f"{t:%d.%m.%Y %H:%M}")),
    # Summer time.
    "Berlin's times with their offsets, over the end of summer time": lambda _: body(
        stamped([t.astimezone(BERLIN).isoformat() for t in map(of_time, every(HOUR, 1_761_609_600))])
    ),
    "Berlin's times without offsets, over the end of summer time": lambda _: body(
        stamped(local(datetime(2025, 10, 24, tzinfo=BERLIN), BERLIN))
    ),
    "Berlin's times without offsets, over the begin of summer time": lambda _: body(
        stamped(local(datetime(2025, 3, 28, tzinfo=BERLIN), BERLIN))
    ),
    # The last candle and the current time.
    "the hour that has ended last": lambda now: body(hours_until(now, -1)),
    "the hour that is open": lambda now: body(hours_until(now, 0)),
    "closing times sent as opening times": lambda now: body(hours_until(now, 0)),
    'closing times, `"timestamps": "close"`': lambda now: body(hours_until(now, 0), timestamps="close"),
    'closing times of an open hour, `"timestamps": "close"`': lambda now: body(hours_until(now, 1), timestamps="close"),
    'closing times a millisecond early, `"timestamps": "close"`': lambda now: body(
        stamped(every(HOUR, now - now % HOUR - 0.001)), timestamps="close"
    ),
    '`"timestamps": "begin"`': lambda _: body(rows(), timestamps="begin"),
    "a broker's clock of UTC+2, the hour that has ended last": lambda now: body(hours_until(now, 1)),
    "a broker's clock of UTC+3, the hour that has ended last": lambda now: body(hours_until(now, 2)),
    "hours of tomorrow": lambda now: body(hours_until(now, 30)),
    # Spacing.
    "a weekend and other gaps": lambda _: body(market.body(3_100, 120)["data"]),
    "every third hour missing": lambda _: body([row for i, row in enumerate(rows(180)) if i % 3]),
    "quarter hours as `1h`": lambda _: body(stamped(every(900, 1_700_000_100))),
    "half hours without `timeframe`": lambda _: {"pair": "EUR/USD", "data": stamped(every(1_800, 1_700_000_000))},
    "days as `1h`": lambda _: body(stamped(every(86_400, 1_700_006_400))),
    "hours as `1d`": lambda _: body(rows(), timeframe="1d"),
    "hours as `4h`": lambda _: body(rows(), timeframe="4h"),
    "months as `1M`": lambda _: body(stamped(months()), timeframe="1M"),
    "weeks as `1M`": lambda _: body(stamped(every(604_800, 1_700_006_400)), timeframe="1M"),
    # Shapes.
    "prices as text": lambda _: body(changed(0, open="1.12")),
    "a price that is `null`": lambda _: body(changed(17, high=None)),
    "candles as arrays": lambda _: body([list(row.values()) for row in rows()]),
    "keys with capitals": lambda _: body([{name.capitalize(): value for name, value in row.items()} for row in rows()]),
    "pair `EURUSD`": lambda _: body(rows(), pair="EURUSD"),
    "pair `BTC/USDT`": lambda _: body(rows(), pair="BTC/USDT"),
    "timeframe `H1`": lambda _: body(rows(), timeframe="H1"),
    # Prices and volumes.
    "without volume": lambda _: body(without("volume", rows())),
    "volume 0 everywhere": lambda _: body([row | {"volume": 0} for row in rows()]),
    "volume -1": lambda _: body(changed(12, volume=-1)),
    "volume 1e19": lambda _: body(changed(12, volume=1e19)),
    "a price of 0": lambda _: body(changed(12, low=0)),
    "a high below its low": lambda _: body(changed(12, high=rows()[12]["low"] / 2)),
    "a close of 1e39 in an old candle": lambda _: body(changed(9, high=1e39, close=1e39)),
    "a price of 1e13": lambda _: body(changed(9, high=1e13)),
    "a price of 1e-13": lambda _: body(changed(9, low=1e-13)),
    # Price levels.
    "all prices x 1.13": lambda _: body(scaled(1.13)),
    "all prices x 0.87": lambda _: body(scaled(0.87)),
    "yen (x 103.7)": lambda _: body(scaled(103.7), pair="USD/JPY"),
    "points (x 100,000)": lambda _: body(scaled(100_000)),
    "all prices x 0.01": lambda _: body(scaled(0.01)),
    "a coin of 0.00001": lambda _: body(scaled(1e-5)),
    "a coin of 60,000": lambda _: body(scaled(5e4)),
    "a market that stands still": lambda _: body(flat(120)),
    "20 hours that stand still": lambda _: body(flat(20)),
    "a spike of 1 % in the last candle": lambda _: body(spiked(-1, 1.01)),
    "a spike of 10 % in the last candle": lambda _: body(spiked(-1, 1.10)),
    "a spike of 100 % ten candles ago": lambda _: body(spiked(-10, 2.0)),
    "a spike of 100 % a hundred candles ago": lambda _: body(spiked(-100, 2.0)),
}
