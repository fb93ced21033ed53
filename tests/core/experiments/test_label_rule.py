"""The rule of labels: parameters left out, rules in ATR, and defaults from metadata."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from core.bundles.repository import Repository
from core.errors import InvalidInput
from core.experiments.label_rule import DAILY, LabelRule, completed, default_rule
from core.features.candles import Candles
from core.features.labels import LONG, NONE, SHORT, UNKNOWN, profitable_reversals, profitable_trades
from tests import market
from tests.market import ROOT
from tests.transcription import features

PIPS = LabelRule(horizon=5, min_profit_pips=6.0, max_loss_pips=10.0, min_ratio=1.0)
EITHER = LabelRule(rule="profitable_trades", horizon=5, min_profit_atr=1.5, max_loss_atr=2.0, min_ratio=1.0)
IN_ATR = LabelRule(horizon=5, min_profit_atr=1.5, max_loss_atr=2.0, min_ratio=1.0)


def test_a_rule_needs_both_distances_in_one_unit() -> None:
    incomplete: list[dict[str, Any]] = [{}, {"min_profit_pips": 1.0}, {"min_profit_pips": 1.0, "max_loss_atr": 1.0}]
    for distances in incomplete:
        with pytest.raises(ValueError, match="a rule needs"):
            LabelRule(horizon=1, min_ratio=1.0, **distances)


def test_a_rule_is_stored_without_what_it_lacks() -> None:
    for rule in (PIPS, IN_ATR, EITHER):
        assert msgspec.json.decode(msgspec.json.encode(rule)) == rule.values
        assert msgspec.json.decode(msgspec.json.encode(rule), type=LabelRule) == rule


def test_labels_in_pips_are_those_of_training() -> None:
    candles = market.candles(3000, 400)
    expected = profitable_reversals(candles, horizon=5, min_profit_pips=6.0, max_loss_pips=10.0, min_ratio=1.0)
    assert {NONE, LONG, SHORT, UNKNOWN} == set(expected.tolist())
    assert PIPS.labels(candles, 1e-4).tolist() == expected.tolist()


@pytest.mark.parametrize("pip", [1e-4, 1e-2])
def test_labels_in_atr_use_the_atr_of_each_candle(pip: float) -> None:
    candles = market.candles(3000, 400)
    atr = features(market.frame().iloc[3000:3400])["atr_14"].to_numpy() / pip
    atr[:14] = np.nan  # the first true range lacks the close before it
    expected = profitable_reversals(
        candles, horizon=5, min_profit_pips=1.5 * atr, max_loss_pips=2.0 * atr, min_ratio=1.0, pip=pip
    )
    found = IN_ATR.labels(candles, pip)
    assert {NONE, LONG, SHORT} <= set(found.tolist())
    assert found.tolist() == expected.tolist()


def test_the_atr_of_a_candle_does_not_see_the_candles_after_it() -> None:
    """Later candles that are wilder, but give the same excursions, leave the label as it is."""
    calm = market.candles(3000, 400)
    wild = Candles(calm.values.copy())
    wild.values[1, 206:] += 0.05
    wild.values[2, 206:] -= 0.05
    assert IN_ATR.labels(wild, 1e-4)[:201].tolist() == IN_ATR.labels(calm, 1e-4)[:201].tolist()


@pytest.mark.parametrize("first", [1, 7, 50])
def test_a_label_in_atr_does_not_depend_on_where_the_series_begins(first: int) -> None:
    whole, part = (
        IN_ATR.labels(market.candles(3000, 400), 1e-4),
        IN_ATR.labels(market.candles(3000 + first, 400 - first), 1e-4),
    )
    assert part[:14].tolist() == [UNKNOWN] * 14
    assert part[14:].tolist() == whole[first + 14 :].tolist()


@pytest.mark.parametrize(
    ("rule", "least"), [(PIPS, 11), (IN_ATR, 20), (msgspec.structs.replace(IN_ATR, horizon=20), 41)]
)
def test_the_shortest_series_has_one_label(rule: LabelRule, least: int) -> None:
    assert rule.minimum_candles == least
    for count, known in ((least, 1), (least - 1, 0), (1, 0)):
        assert (rule.labels(market.candles(3100, count), 1e-4) != UNKNOWN).sum() == known


def test_a_market_that_stands_still_has_no_label_in_atr() -> None:
    flat = np.full(60, 1.1)
    candles = Candles.from_fields(flat, flat, flat, flat, np.zeros(60))
    assert set(IN_ATR.labels(candles, 1e-4).tolist()) == {UNKNOWN}


@pytest.mark.parametrize(
    ("given", "default", "expected"),
    [
        ({}, PIPS, PIPS),
        ({"horizon": 7}, PIPS, msgspec.structs.replace(PIPS, horizon=7)),
        ({"max_loss_pips": 1.0}, PIPS, msgspec.structs.replace(PIPS, max_loss_pips=1.0)),
        ({"min_profit_atr": 1.5, "max_loss_atr": 2.0}, PIPS, IN_ATR),
        ({"max_loss_atr": 2.0}, IN_ATR, IN_ATR),
        ({"max_loss_atr": 2.0}, PIPS, None),
        ({"min_profit_pips": 30.0, "max_loss_pips": 50.0}, None, DAILY),
        ({"horizon": 3}, None, None),
        ({}, None, None),
    ],
)
def test_what_is_left_out_is_as_in_the_default(
    given: dict[str, float], default: LabelRule | None, expected: LabelRule | None
) -> None:
    assert completed(given, default) == expected


def test_distances_in_both_units_are_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        completed({"min_profit_pips": 1.0, "max_loss_atr": 1.0}, PIPS)
    assert [detail.path for detail in refused.value.details] == ["max_loss_atr"]


TRAINED = {"rule": "profitable_reversals", **PIPS.values, "daily_share": 0.2}


@pytest.mark.parametrize(
    ("a", "b", "timeframe", "expected"),
    [
        (TRAINED, TRAINED, "1h", PIPS),
        (TRAINED, {**TRAINED, "daily_share": 0.3}, "1h", PIPS),
        (TRAINED, TRAINED | {"timeframe": "1h"}, "1h", PIPS),
        (IN_ATR.values, IN_ATR.values, "4h", IN_ATR),
        (None, None, "1d", DAILY),
        (TRAINED, TRAINED, "1d", PIPS),
    ],
)
def test_the_default_is_the_rule_of_both_versions(a: Any, b: Any, timeframe: str, expected: LabelRule) -> None:  # noqa: ANN401 - JSON
    assert default_rule({"v1": a, "v2": b}, timeframe) == expected


@pytest.mark.parametrize(
    ("a", "b", "timeframe"),
    [
        (None, None, "1h"),
        (None, None, "1w"),
        (TRAINED, None, "1h"),
        (None, TRAINED, "1d"),
        (TRAINED, TRAINED | {"horizon": 6}, "1h"),
        (TRAINED, TRAINED | {"horizon": 0}, "1h"),
        (TRAINED, {"rule": "swing_points", "neighbours": 20}, "1h"),
        ({"rule": "swing_points"}, {"rule": "swing_points"}, "1d"),
        (TRAINED | {"timeframe": "1h"}, TRAINED | {"timeframe": "1h"}, "4h"),
        (["odd"], 7, "1d"),
        ({"rule": "profitable_reversals", "horizon": 5}, None, "1d"),
    ],
)
def test_versions_that_say_nothing_or_differ_have_no_default(a: Any, b: Any, timeframe: str) -> None:  # noqa: ANN401 - JSON
    with pytest.raises(InvalidInput) as refused:
        default_rule({"v1": a, "v2": b}, timeframe)
    ((path, message),) = refused.value.details
    assert path == "min_profit_pips"
    assert all(word in message for word in ("v1", "v2", timeframe))


def test_one_version_against_itself_has_its_own_rule() -> None:
    assert default_rule({"v1": TRAINED}, "1h") == PIPS


def test_the_label_rule_of_a_version_is_the_default() -> None:
    reference = Repository(ROOT / "models" / "onnx").read_manifest("v3.1")
    rule = default_rule({"v3.1": reference.label_rule}, "1h")
    assert rule == LabelRule(horizon=10, min_profit_pips=6.18063, max_loss_pips=10.30105, min_ratio=1.5)
    with pytest.raises(InvalidInput, match="4h"):
        default_rule({"v3.1": reference.label_rule}, "4h")


def test_the_rule_for_both_directions_labels_by_its_function_and_has_a_name() -> None:
    candles = market.candles(3000, 400)
    in_pips = msgspec.structs.replace(PIPS, rule="profitable_trades")
    expected = profitable_trades(candles, horizon=5, min_profit_pips=6.0, max_loss_pips=10.0, min_ratio=1.0)
    assert in_pips.labels(candles, 1e-4).tolist() == expected.tolist()
    assert expected.tolist() != PIPS.labels(candles, 1e-4).tolist()
    assert str(EITHER) == f"profitable_trades: {IN_ATR}"
    assert EITHER.values == {"rule": "profitable_trades", **IN_ATR.values}


@pytest.mark.parametrize("rule", [PIPS, IN_ATR, EITHER, msgspec.structs.replace(PIPS, rule="profitable_trades")])
def test_the_shortest_series_that_a_rule_names_has_one_label(rule: LabelRule) -> None:
    candles = market.candles(3000, rule.minimum_candles)
    assert (rule.labels(candles, 1e-4) != UNKNOWN).sum() == 1
    assert (rule.labels(market.candles(3000, rule.minimum_candles - 1), 1e-4) != UNKNOWN).sum() == 0


def test_a_call_that_names_no_rule_keeps_the_one_that_there_is() -> None:
    assert completed({"horizon": 7}, EITHER) == msgspec.structs.replace(EITHER, horizon=7)
    assert completed({"rule": "profitable_reversals"}, EITHER) == IN_ATR
    assert completed({"rule": "profitable_trades"}, IN_ATR) == EITHER
    assert completed({"rule": "profitable_trades"}, None) is None


def test_versions_of_both_rules_have_no_default() -> None:
    assert default_rule({"a": EITHER.values, "b": EITHER.values}, "4h") == EITHER
    with pytest.raises(InvalidInput, match="profitable_trades"):
        default_rule({"a": IN_ATR.values, "b": EITHER.values}, "1h")
