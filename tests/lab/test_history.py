from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lab.history import DataError, History, read

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
