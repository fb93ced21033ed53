"""CSV as the common brokers write it, and JSON."""

from __future__ import annotations

import gzip
import json
from typing import Literal

import pytest

from core.errors import InvalidInput
from reversal.candle_files import decoded, read
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
    "MetaStock": (
        "<TICKER>,<DTYYYYMMDD>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\nEURUSD,20171229,210000,1.1,1.2,1.0,1.15,100\n"
    ),
    "Stooq": (
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        "EURUSD,60,20171229,210000,1.1,1.2,1.0,1.15,100,0\n"
    ),
    "JForex": "Time (UTC),Open,High,Low,Close,Volume \n2017.12.29 21:00:00,1.1,1.2,1.0,1.15,100\n",
    "Dukascopy, date apart": "Date,Timestamp,Open,High,Low,Close,Volume\n20171229,21:00:00,1.1,1.2,1.0,1.15,100\n",
    "yfinance, a Ticker": ",Open,High,Low,Close,Volume,Dividends\n2017-12-29 21:00:00+00:00,1.1,1.2,1.0,1.15,100,0.0\n",
    "yfinance, download": (
        "Price,Close,High,Low,Open,Volume\nTicker,EURUSD=X,EURUSD=X,EURUSD=X,EURUSD=X,EURUSD=X\nDatetime,,,,,\n"
        "2017-12-29 21:00:00+00:00,1.15,1.2,1.0,1.1,100\n"
    ),
    "Investing.com": (
        '"Date","Price","Open","High","Low","Vol.","Change %"\n'
        '"Dec 29, 2017 21:00","1.15","1.1","1.2","1.0","0.1K","1%"\n'
    ),
    "OANDA": "time,complete,volume,o,h,l,c\n2017-12-29T21:00:00.000000000Z,True,100,1.1,1.2,1.0,1.15\n",
    "CryptoDataDownload": (
        "https://www.CryptoDataDownload.com\nunix,date,symbol,open,high,low,close,Volume EUR,Volume\n"
        "1514581200,2017-12-29 21:00:00,EUR/USD,1.1,1.2,1.0,1.15,1,100\n"
    ),
    "Interactive Brokers": "date,open,high,low,close,volume,average\n20171229  21:00:00,1.1,1.2,1.0,1.15,100,1\n",
    "PostgreSQL": "time|open|high|low|close|volume\n2017-12-29 21:00:00+00|1.1|1.2|1.0|1.15|100\n",
    "Excel, German": "sep=;\nDatum;Open;High;Low;Close;Volume\n29.12.2017 21:00;1,1;1,2;1,0;1,15;100,0\n",
    "12 hours": "time,open,high,low,close,volume\n29-Dec-2017 09:00:00 PM,1.1,1.2,1.0,1.15,100\n",
    "a delimiter behind each row, and the end of MS-DOS": (
        "time,open,high,low,close,volume\n2017-12-29 21:00,1.1,1.2,1.0,1.15,100,\n\x1a"
    ),
    "OANDA as JSON": json.dumps(
        {
            "instrument": "EUR_USD",
            "candles": [
                {
                    "time": "2017-12-29T21:00:00.000000000Z",
                    "volume": 100,
                    "mid": {"o": "1.1", "h": "1.2", "l": "1.0", "c": "1.15"},
                }
            ],
        }
    ),
    "Twelve Data as JSON": json.dumps(
        {
            "values": [
                {"datetime": "2017-12-29 21:00:00", "open": "1.1", "high": "1.2", "low": "1.0", "close": "1.15"}
                | {"volume": "100"}
            ]
        }
    ),
    "columns as JSON": json.dumps(
        {
            "data": {
                "timestamp": [AT],
                **{n: [v] for n, v in zip(("open", "high", "low", "close", "volume"), BAR, strict=True)},
            }
        }
    ),
    "a list as JSON": json.dumps(
        [{"time": AT, **dict(zip(("open", "high", "low", "close", "volume"), BAR, strict=True))}]
    ),
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_every_form_gives_the_same_candle(text: str) -> None:
    found = history(read(decoded(text.encode())).candles, "1h")
    assert found.candles.values[:, 0].tolist() == BAR
    assert found.opens == (AT,)


def test_a_body_of_predict_names_pair_and_timeframe() -> None:
    bar = {"timestamp": AT, "open": 1, "high": 1, "low": 1, "close": 1}
    found = read(json.dumps({"pair": "GBP/USD", "timeframe": "4h", "data": [bar]}))
    assert (found.pair, found.timeframe, found.candles) == ("GBP/USD", "4h", [bar])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_the_encoding_is_known(encoding: str) -> None:
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    assert decoded(mark + FILES["MetaTrader 5"].encode(encoding)) == FILES["MetaTrader 5"]


def test_gzip_is_unpacked() -> None:
    data = gzip.compress(b"1,2")
    assert decoded(data) == "1,2"
    for broken in (data[:-9], b"PK\x03\x04", b"\x89PNG", b"\xff\xfe1"):
        with pytest.raises(InvalidInput):
            decoded(broken)


@pytest.mark.parametrize(("dates", "day"), [("dmy", "2017-02-01"), ("mdy", "2017-01-02"), (None, None)])
@pytest.mark.parametrize("text", ["01/02/2017 21:00", "01-02-2017 9:00 PM"])
def test_an_uncertain_date_needs_its_order(text: str, dates: Literal["dmy", "mdy"] | None, day: str | None) -> None:
    file = f"time,open,high,low,close\n{text},1,1,1,1\n"
    if day is None:
        with pytest.raises(InvalidInput, match="--dates"):
            read(file)
    else:
        assert read(file, dates=dates).candles["timestamp"] == [f"{day}T21:00:00+00:00"]


@pytest.mark.parametrize(
    ("cells", "price", "volume"),
    [
        ("1,5;1,5;1,5;1,5;1.234", 1.5, 1234.0),
        ("1.234,5;1.234,5;1.234,5;1.234,5;12", 1234.5, 12.0),
        ("1,234;1,234;1,234;1,234;12", 1.234, 12.0),
        ('"1,234.5";"1,234.5";"1,234.5";"1,234.5";"1,234"', 1234.5, 1234.0),
        ("1.5;1.5;1.5;1.5;1,234", 1.5, 1234.0),
        ("1.5;1.5;1.5;1.5;1.2M", 1.5, 1.2e6),
        ("1.5;1.5;1.5;1.5;", 1.5, 0.0),
        ("1.5;1.5;1.5;1.5;-", 1.5, 0.0),
    ],
)
def test_numbers_are_those_of_their_country(cells: str, price: float, volume: float) -> None:
    found = history(read(f"time;open;high;low;close;volume\n2017-12-29;{cells}\n").candles, "1d").candles
    assert (found.close.tolist(), found.volume.tolist()) == ([price], [volume])


def test_a_number_with_two_meanings_is_refused() -> None:
    with pytest.raises(InvalidInput, match="1,234"):
        read('time,open,high,low,close\n2017-12-29,"1,234","1,234","1,234","1,234"\n')


def test_the_zone_of_a_column_is_its_own() -> None:
    text = "Gmt time,Open,High,Low,Close\n29.12.2017 21:00:00.000,1,1,1,1\n"
    assert history(read(text, "Europe/Athens").candles, "1h").opens == (AT,)
    text = "Time (EET),Open,High,Low,Close\n2017.12.29 23:00:00,1,1,1,1\n"
    assert history(read(text, "Europe/Athens").candles, "1h").opens == (AT,)
    with pytest.raises(InvalidInput, match="EET"):
        read(text)


def test_a_body_says_what_its_times_are() -> None:
    body = {"data": [{"timestamp": "2017-12-29T23:00", "open": 1, "high": 1, "low": 1, "close": 1}]}
    assert read(json.dumps(body | {"timestamps": "close"})).timestamps == "close"
    assert history(read(json.dumps(body), "Europe/Athens").candles, "1h").opens == (AT,)


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
        ("[" * 100_000, "not JSON: "),
        ('{"data": [], "timeframe": ["1h"]}', "timeframe: "),
        ("2017.13.45,00:00,1,1,1,1,1\n", "row 0, timestamp: "),
        ("0001-01-01 00:00,1,1,1,1\n", "row 0, timestamp: "),
        ("201712292100,1,1,1,1\n", "row 0, timestamp: "),
        ("time,open,high,low,close\n2017-12-29 21:00 EST,1,1,1,1\n", "row 0, timestamp: "),
        ("time,open,high,low,close\n2017-12-29 13:00 PM,1,1,1,1\n", "row 0, timestamp: "),
        ("2017.12.29,21:00,1,1,1,1,1\n2017.12.29\n", "row 1: "),
        ("time,open,high,low,close\n2017-12-29,1,1,1,1\nEnd of data\n", "row 1: "),
        ("time,bid_open,bid_high,bid_low,bid_close\n2017-12-29,1,1,1,1\n", "row 0: "),
        ("time,open,high,low,close,Close\n2017-12-29,1,1,1,1,2\n", "2 columns are named close"),
        (f"time,open,high,low,close\n{'x' * 200_000},1,1,1,1\n", "not CSV: "),
        ("time,open,high,low\n2017-12-29 21:00,1,1,1\n", "the table has no column close"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, place: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        history(read(text, "Asia/Tokyo").candles, "1h")
    assert str(caught.value).startswith(place)
