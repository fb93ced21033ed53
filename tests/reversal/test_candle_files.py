"""CSV as the common brokers write it, and JSON."""

from __future__ import annotations

import json

import pytest

from core.errors import InvalidInput
from reversal.candle_files import read
from reversal.frames import history

AT = 1_514_581_200_000.0  # 2017-12-29 21:00 UTC
BAR = [1.1, 1.2, 1.0, 1.15, 100.0]

FILES = {
    "MetaTrader 4": "2017.12.29,21:00,1.1,1.2,1.0,1.15,100\n",
    "MetaTrader 5": (
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
        "2017.12.29\t21:00:00\t1.1\t1.2\t1.0\t1.15\t100\t0\t1\n"
    ),
    "Dukascopy": "Gmt time,Open,High,Low,Close,Volume\n29.12.2017 21:00:00.000,1.1,1.2,1.0,1.15,100\n",
    "Dukascopy, local time": (
        "Local time,Open,High,Low,Close,Volume\n29.12.2017 23:00:00.000 GMT+0200,1.1,1.2,1.0,1.15,100\n"
    ),
    "HistData": "20171229 210000;1.1;1.2;1.0;1.15;100\n",
    "TradingView": "time,open,high,low,close,Volume\n1514581200,1.1,1.2,1.0,1.15,100\n",
    "Yahoo": "Datetime,Open,High,Low,Close,Adj Close,Volume\n2017-12-29 21:00:00+00:00,1.1,1.2,1.0,1.15,1.15,100\n",
    "Binance": "1514581200000,1.1,1.2,1.0,1.15,100,1514584799999,1,2,3,4,0\n",
    "Binance, microseconds": "1514581200000000,1.1,1.2,1.0,1.15,100,1514584799999999,1,2,3,4,0\n",
    "Twelve Data": "datetime;open;high;low;close;volume\n2017-12-29 21:00:00;1.1;1.2;1.0;1.15;100\n",
    "decimal commas": "Datum;Time;Open;High;Low;Close;Volume\nx;2017-12-29 21:00;1,1;1,2;1,0;1,15;100\n",
    "the project's own data": "timestamp,open,high,low,close,volume\n2017-12-29 21:00,1.1,1.2,1.0,1.15,100\n",
    "a byte order mark and blank lines": (
        "\ufefftime,open,high,low,close,volume\n\n2017-12-29T21:00Z,1.1,1.2,1.0,1.15,100\n\n"
    ),
    "a list as JSON": json.dumps(
        [{"time": AT, **dict(zip(("open", "high", "low", "close", "volume"), BAR, strict=True))}]
    ),
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_every_form_gives_the_same_candle(text: str) -> None:
    found = history(read(text).candles, "1h")
    assert found.candles.values[:, 0].tolist() == BAR
    assert found.opens == (AT,)


def test_a_body_of_predict_names_pair_and_timeframe() -> None:
    bar = {"timestamp": AT, "open": 1, "high": 1, "low": 1, "close": 1}
    found = read(json.dumps({"pair": "GBP/USD", "timeframe": "4h", "data": [bar]}))
    assert (found.pair, found.timeframe, found.candles) == ("GBP/USD", "4h", [bar])


def test_times_without_a_zone_are_those_of_the_given_one() -> None:
    found = history(read("2017.12.29,23:00,1.1,1.2,1.0,1.15,100\n", "Europe/Athens").candles, "1h")
    assert found.opens == (AT,)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "the file is empty"),
        ("date,open,high,low,close\n01/02/2017,1,1,1,1\n", "row 0, timestamp: "),
        ("time,open,high,low,close\n2017-12-29 21:00,1,1,1,1\n2017-12-29 22:00,1,1\n", "row 1: "),
        ("2017-12-29,1,1,1\n", "row 0: "),
        ("[1, 2", "not JSON: "),
        ("time,open,high,low\n2017-12-29 21:00,1,1,1\n", "the table has no column close"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, place: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        history(read(text).candles, "1h")
    assert str(caught.value).startswith(place)
