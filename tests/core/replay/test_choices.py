from __future__ import annotations

import pytest

from core.errors import InvalidInput
from core.experiments.experiment import MINIMUM_EFFECT
from core.experiments.label_rule import LabelRule
from core.replay.choices import DEFAULT_RULE, Choices, rule_of

OWN = {"rule": "profitable_reversals", "horizon": 8, "min_profit_pips": 6.0, "max_loss_pips": 9.0, "min_ratio": 1.5}


def test_versions_with_one_rule_are_judged_by_it() -> None:
    rule = LabelRule(horizon=8, min_profit_pips=6.0, max_loss_pips=9.0, min_ratio=1.5)
    assert rule_of({"v1": OWN, "v2": OWN}, "1h", {}) == (rule, "versions")
    assert rule_of({"v1": OWN}, "1h", {"horizon": 5})[0].horizon == 5


@pytest.mark.parametrize("labels", [{"v1": OWN, "v2": None}, {"v1": None}, {"v1": OWN | {"horizon": 9}, "v2": OWN}])
def test_versions_without_a_common_rule_are_judged_by_the_default(labels: dict[str, object]) -> None:
    assert rule_of(labels, "1h", {}) == (DEFAULT_RULE, "default")
    assert (DEFAULT_RULE.min_profit_atr, DEFAULT_RULE.max_loss_atr) == (1.5, 2.5)
    assert (DEFAULT_RULE.min_ratio, DEFAULT_RULE.horizon, DEFAULT_RULE.rule) == (1.5, 10, "profitable_trades")


def test_a_given_rule_wins_and_completes_the_default() -> None:
    rule, origin = rule_of({"v1": None}, "1h", {"rule": "profitable_reversals", "horizon": 20})
    assert (rule.rule, rule.horizon, rule.min_profit_atr, origin) == ("profitable_reversals", 20, 1.5, "given")
    pips, _ = rule_of({"v1": None}, "1h", {"min_profit_pips": 9.0, "max_loss_pips": 12.0})
    assert (pips.min_profit_pips, pips.min_profit_atr) == (9.0, None)


@pytest.mark.parametrize(
    "given",
    [{"min_profit_pips": 9.0}, {"min_profit_pips": 9.0, "max_loss_atr": 1.0}, {"horizon": 0}, {"rule": "swing_points"}],
)
def test_half_a_rule_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        rule_of({"v1": None}, "1h", given)


def test_the_experiment_asks_the_same() -> None:
    of = Choices(metric="mean_pnl").experiment("v1", "v2")
    assert (of.mode, of.metric, of.minimum_effect) == ("shadow", "mean_pnl", MINIMUM_EFFECT["mean_pnl"])
    assert of.label_rule == DEFAULT_RULE
    assert Choices(minimum_effect=0.3).experiment("v1", "v2").minimum_effect == 0.3
