from __future__ import annotations

from core.features.candle_keys import candle_key_of_time, candle_key_of_window, time_of_candle_key


def test_a_key_shows_whether_it_was_made_of_a_time_or_of_values() -> None:
    assert candle_key_of_time(1760608800000.0) == "t:1760608800000"
    assert candle_key_of_window(b"one") == candle_key_of_window(b"one")
    assert candle_key_of_window(b"one") != candle_key_of_window(b"two")
    assert candle_key_of_window(b"one").startswith("w:")


def test_the_key_of_a_window_is_the_same_in_each_release() -> None:
    """Stores have keys of older releases."""
    expected = "w:c63cfacb953cfd1720f6134efd0dfece"
    assert candle_key_of_window(b"scaled", b"one", b"two") == candle_key_of_window(b"scaledonetwo") == expected


def test_the_time_of_a_key_is_read_back() -> None:
    assert time_of_candle_key(candle_key_of_time(1760608800000.0)) == 1760608800000
    assert time_of_candle_key(candle_key_of_time(-62_135_596_800_000.0)) == -62_135_596_800_000
    assert time_of_candle_key(candle_key_of_window(b"one")) is None


def test_a_damaged_key_has_no_time() -> None:
    assert time_of_candle_key("t:17[0608800000") is None
    assert time_of_candle_key("t:") is None
