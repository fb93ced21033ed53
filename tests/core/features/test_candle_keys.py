from __future__ import annotations

from core.features.candle_keys import candle_key_of_time, candle_key_of_window


def test_a_key_shows_whether_it_was_made_of_a_time_or_of_values() -> None:
    assert candle_key_of_time(1760608800000.0) == "t:1760608800000"
    assert candle_key_of_window(b"one") == candle_key_of_window(b"one")
    assert candle_key_of_window(b"one") != candle_key_of_window(b"two")
    assert candle_key_of_window(b"one").startswith("w:")
