"""Names of features that the server does not compute: refused with the way out, or free."""

from __future__ import annotations

import pytest

from convert.errors import Refused
from convert.sources import vocabulary
from convert.sources.feature_lists import FeatureList
from core.bundles.manifest import Inputs


def listed(*names: str) -> FeatureList:
    return FeatureList(names, names)


def test_all_unknown_names_are_refused_at_once_with_the_nearest_and_the_ways_out() -> None:
    with pytest.raises(Refused, match=r"^f\.json: ") as refused:
        vocabulary.check(listed(*("moving_avg_5", "close", "Close", "my secret", "my secret")), "f.json", "candles")
    message = str(refused.value)
    assert "'moving_avg_5' (nearest: sma_5), 'Close' (nearest: close), 'my secret' from candles" in message
    assert '{"sma_5": "moving_avg_5"' in message
    assert 'inputs = "features"' in message


def test_a_message_about_many_names_is_short() -> None:
    with pytest.raises(Refused, match=r" and 42 more from candles") as refused:
        vocabulary.check(listed(*(f"{'x' * 500}{i}" for i in range(50))), "f.json", "candles")
    assert len(str(refused.value)) < 1_000


@pytest.mark.parametrize("inputs", ["candles", "features"])
def test_known_names_suit_every_version(inputs: Inputs) -> None:
    vocabulary.check(listed(*("close", "sma_20")), "f.json", inputs)
    with pytest.raises(Refused, match=r"^f\.json: 'close' is named 2 times"):
        vocabulary.check(listed(*("close", "close")), "f.json", inputs)
    with pytest.raises(Refused, match=r"^f\.json: no feature"):
        vocabulary.check(listed(), "f.json", inputs)


def test_names_are_free_for_a_version_that_takes_features_only() -> None:
    vocabulary.check(listed(*("Close (USD)", "sma_9999")), "f.json", "features")
    with pytest.raises(Refused, match=r"^f\.json: 'a\\nb' "):
        vocabulary.check(listed(*("a\nb",)), "f.json", "features")
