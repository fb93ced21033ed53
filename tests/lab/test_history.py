from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from lab import panel
from lab.history import DataError, History, read, read_all, read_broker

HEADER = "timestamp,open,high,low,close,volume"
BAR = "2017-01-02T00:00:00Z,1.1,1.2,1.0,1.15,10"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "bars.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_committed_history_is_complete(history: History) -> None:
    assert len(history) == len(history.candles) == 6225
    assert history.timestamps[0] == np.datetime64("2017-01-01T22:00:00")
    candles = history.candles
    first = (candles.open[0], candles.high[0], candles.low[0], candles.close[0], candles.volume[0])
    assert first == (1.05236, 1.05253, 1.05221, 1.05227, 143539993.3)


def test_part_keeps_times_and_prices_together(history: History) -> None:
    part = history.part(slice(10, 13))
    assert part.timestamps.tolist() == history.timestamps[10:13].tolist()
    assert part.candles.close.tolist() == history.candles.close[10:13].tolist()


def test_another_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"bars\.csv: the header is \['time', 'close'\], expected \['timestamp', "):
        read(written(tmp_path, "time,close", BAR))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2017-01-02T01:00:00Z,1.1,1.2,1.0", "not enough values"),
        ("2017-01-02T01:00:00Z,1.1,1.2,1.0,x,10", "could not convert string to float: 'x'"),
        ("yesterday,1.1,1.2,1.0,1.15,10", "yesterday"),
        ("2017-01-02T01:00:00Z,1.1,1.0,1.2,1.15,10", r"open 1\.1, high 1\.0, low 1\.2, close 1\.15.* is not a bar"),
        ("2017-01-02T01:00:00Z,1.1,1.2,0,1.15,10", r"low 0\.0.* is not a bar"),
        ("2017-01-02T01:00:00Z,1.1,inf,1.0,1.15,10", "high inf.* is not a bar"),
        ("2017-01-02T01:00:00Z,nan,1.2,1.0,1.15,10", "open nan.* is not a bar"),
        ("2017-01-02T01:00:00Z,1.1,1.2,1.0,nan,10", "close nan.* is not a bar"),
        ("2017-01-02T01:00:00Z,1.1,1.2,1.0,1.15,-1", r"volume -1\.0 is not a bar"),
        ("2017-01-02T00:00:00Z,1.1,1.2,1.0,1.15,10", "2017-01-02T00:00:00Z is not after the bar before it"),
    ],
)
def test_bad_line_is_refused_by_its_number(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"bars\.csv, line 3: .*{message}"):
        read(written(tmp_path, HEADER, BAR, line))


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"^bars\.csv: .*UTF-8"):
        read(tmp_path / "bars.csv")


def test_the_brokers_files_have_nine_pairs_with_prices_as_quoted(broker: list[History]) -> None:
    assert [each.pair for each in broker] == [
        *("AUD/JPY", "AUD/USD", "EUR/GBP", "EUR/JPY", "GBP/JPY", "GBP/USD", "USD/CAD", "USD/CHF", "USD/JPY"),
    ]
    assert {len(each) for each in broker} == {50_288}
    by_pair = {each.pair: each.candles.close for each in broker}
    assert by_pair["USD/JPY"][-1] == 103.253
    assert 0.68 < by_pair["EUR/GBP"].min() < by_pair["EUR/GBP"].max() < 0.96


def test_the_brokers_weeks_end_at_five_in_new_york(broker: list[History]) -> None:
    """The clock was read right: with one zone for all years, or American summer time, many weeks end an hour off."""
    times = broker[0].timestamps
    times = times[times >= np.datetime64("2013-04-01")]
    ends = times[:-1][np.diff(times) > np.timedelta64(24, "h")] + np.timedelta64(1, "h")
    new_york = [end.astype(datetime).replace(tzinfo=UTC).astimezone(ZoneInfo("America/New_York")).hour for end in ends]
    # Days before holidays end earlier.
    assert np.mean(np.array(new_york) == 17) > 0.9


def test_the_brokers_flat_bars_and_gaps_are_there_and_features_of_them_are_finite(broker: list[History]) -> None:
    series = broker[0]
    candles = series.candles
    assert (candles.high == candles.low).sum() > 10
    assert (np.diff(series.timestamps) > np.timedelta64(24, "h")).sum() > 400
    found = panel.features(candles, ["true_range_atr", "gap_atr", "close_position", "stoch_k_28", "week_sin"])
    assert np.isfinite(found[40:]).all()


def packed(folder: Path, text: str) -> Path:
    path = folder / "USDJPY_1h_test.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_a_brokers_file_in_yen_has_its_own_points(tmp_path: Path) -> None:
    path = packed(tmp_path, "time,open,high,low,close,volume\n2019-07-01 12:00,81121,81203,81107,81201,3114\n")
    found = read_broker(path)
    assert found.pair == "USD/JPY"
    assert found.rows.tolist() == [[81.121, 81.203, 81.107, 81.201, 3114.0]]
    assert found.timestamps[0] == np.datetime64("2019-07-01T09:00:00")


@pytest.mark.parametrize(
    ("local", "utc"),
    [("2014-11-21 12:00", "11"), ("2014-11-24 12:00", "10"), ("2014-07-01 12:00", "10"), ("2015-07-01 12:00", "09")],
)
def test_the_brokers_clock_moved_in_november_2014(tmp_path: Path, local: str, utc: str) -> None:
    path = packed(tmp_path, f"time,open,high,low,close,volume\n{local},1,1,1,1,0\n")
    assert str(read_broker(path).timestamps[0])[11:13] == utc


def test_a_brokers_file_that_is_cut_off_is_named(tmp_path: Path) -> None:
    path = packed(tmp_path, "time,open,high,low,close,volume\n" * 2000)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"USDJPY_1h_test\.csv\.gz: not a complete gzip file"):
        read_broker(path)


def test_a_folder_without_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file of bars, such as EURGBP_1h"):
        read_all(tmp_path)
