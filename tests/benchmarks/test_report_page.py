from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np

from benchmarks import report_page

XHTML = "{http://www.w3.org/1999/xhtml}"


def test_the_picture_shows_the_committed_page_down_to_the_drawing() -> None:
    text = report_page.PAGE.read_text()
    assert report_page.picture(text) == report_page.PICTURE.read_text()
    shown = ET.fromstring(report_page.picture(text))  # noqa: S314 - our own page
    assert len(list(shown.iter(f"{XHTML}figure"))) == 1
    assert not list(shown.iter(f"{XHTML}table"))


def test_only_whole_blocks_become_candles_of_four_hours() -> None:
    rows = np.arange(45.0).reshape(9, 5)
    opens = [n * report_page.HOUR for n in (0, 1, 2, 3, 4, 5, 7, 8, 9)]
    found = report_page.four_hours(report_page.Series("1h", report_page.HOUR, opens, rows))
    assert found.opens == [0]
    assert found.rows.tolist() == [[0.0, 16.0, 2.0, 18.0, 4.0 + 9 + 14 + 19]]
