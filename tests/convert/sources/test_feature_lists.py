"""Feature lists: names, and mappings of our names to the user's columns."""

from __future__ import annotations

import json

import pytest

from convert.errors import Refused
from convert.sources import feature_lists, vocabulary
from convert.sources.feature_lists import FeatureList


def read(content: str) -> FeatureList:
    listed = feature_lists.read(content.encode(), "f.json")
    vocabulary.check(listed, "f.json", "candles")
    return listed


def refusal(content: str) -> str:
    with pytest.raises(Refused, match=r"^f\.json: ") as refused:
        read(content)
    return str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        '{"features": {"sma_5": "moving_avg_5", "close": "Close"}}',
        '{"sma_5": "moving_avg_5", "close": "Close"}',
        '\ufeff{"sma_5": "moving_avg_5", "close": "Close"}',
    ],
)
def test_our_names_map_to_columns_in_the_order_of_the_file(content: str) -> None:
    assert read(content) == FeatureList(("sma_5", "close"), ("moving_avg_5", "Close"))


def test_list_without_a_mapping_has_the_same_names_twice() -> None:
    for content in ('["macd", "close"]', '{"method": "rfe", "features": ["macd", "close"]}'):
        assert read(content) == FeatureList(("macd", "close"), ("macd", "close"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"close": "a", "close": "b"}', "'close' is there twice"),
        ('{"features": {"close": "a", "close": "b"}}', "features: 'close' is there twice"),
        ('{"features": ["close"], "features": ["open"]}', "features is there twice"),
        ('{"close": "a", "open": "a"}', "close, open map to one column, 'a'"),
        ('{"features": {"close": 3}}', "features: close: expected a name, found 3"),
        ('{"features": [["close"]]}', 'features: [0]: expected a name, found ["close"]'),
        ("{}", "no list of features"),
        ('{"features": {}}', "no feature is named"),
        ("3", "no list of features"),
        ('{"features": "close"}', "cannot compute 'features' from candles"),
        ('["close", "close"]', "'close' is named 2 times"),
        (json.dumps(["a"] * 1_001), "1,001 features"),
        (json.dumps({f"a{i}": f"b{i}" for i in range(1_001)}), "1,001 features"),
    ],
)
def test_bad_list_is_refused_by_name(content: str, words: str) -> None:
    assert words in refusal(content)


def test_users_names_get_a_mapping_to_paste() -> None:
    said = refusal('["Close", "moving_avg_5", "macd", "my_secret"]')
    assert "cannot compute 'Close' (nearest: close), 'moving_avg_5' (nearest: sma_5), 'my_secret' from candles" in said
    offered = said[said.index('{"features"') : said.index("}}") + 2]
    assert json.loads(offered) == {"features": {"close": "Close", "sma_5": "moving_avg_5", "macd": "macd"}}
    assert "none is near 'my_secret'" in said
    completed = json.loads(offered)
    assert read(json.dumps(completed)).column_names == ("Close", "moving_avg_5", "macd")


def test_unknown_name_of_a_mapping_is_refused() -> None:
    assert "cannot compute 'smma_5' from candles" in refusal('{"smma_5": "moving_avg_5", "close": "Close"}')
    assert '"sma_5": "moving_avg_5"' in refusal('{"smma_5": "moving_avg_5", "close": "Close"}')


def test_message_about_many_names_is_bounded() -> None:
    assert len(refusal(json.dumps([f"Close_{'x' * 500}_{i}" for i in range(900)]))) < 1_500
    assert len(refusal(json.dumps([f"SMA {i}" for i in range(2, 900)]))) < 3_000
