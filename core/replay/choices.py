"""What a replay asks: by which rule, exit and costs it judges, and how sure the answer must be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from core.errors import InvalidInput
from core.experiments.experiment import MINIMUM_EFFECT, ChosenRule, Experiment, Metric, now_micros
from core.experiments.label_rule import LabelRule, completed, default_rule, no_default
from core.replay.trades import Costs, Exit

# Where the label rule is from.
Origin: TypeAlias = Literal["given", "versions", "default"]

# The rule if the versions have none in common. It judges a trade by its own course, whatever the price did before, and
# its distances are in ATR, so it suits every pair and timeframe.
DEFAULT_RULE = LabelRule(rule="profitable_trades", horizon=10, min_profit_atr=1.5, max_loss_atr=2.5, min_ratio=1.5)


class Choices(NamedTuple):
    """All choices of a replay.

    way_out: how trades end. draws, seed: of the intervals of trades. minimum_effect: the smallest difference of the
    metric that is of interest; None for that of experiments.
    """

    rule: LabelRule = DEFAULT_RULE
    origin: Origin = "default"
    timeframe: str = "1h"
    way_out: Exit = "horizon"
    costs: Costs = Costs()
    metric: Metric = "win_rate"
    minimum_effect: float | None = None
    draws: int = 1_000
    seed: int = 1

    @property
    def effect(self) -> float:
        """The smallest difference of interest."""
        return MINIMUM_EFFECT[self.metric] if self.minimum_effect is None else self.minimum_effect

    def experiment(self, a: str, b: str) -> Experiment:
        """The experiment in shadow mode that asks the same of two versions."""
        now = now_micros()
        return Experiment(
            experiment_id="replay",
            name="Replay",
            variant_a=a,
            variant_b=b,
            traffic_split=1.0,
            mode="shadow",
            metric=self.metric,
            minimum_effect=self.effect,
            status="active",
            created_at=now,
            activated_at=now,
            label_rules=(ChosenRule(self.rule, self.timeframe, now),),
        )


def rule_of(labels: Mapping[str, Any], timeframe: str, given: Mapping[str, Any]) -> tuple[LabelRule, Origin]:
    """The rule by which all versions are judged, and where it is from.

    labels: the manifest's `label_rule` by version. given: parameters that were asked for; what they leave out is as in
    the rule of the versions, if they have one in common, else as in DEFAULT_RULE. Raises InvalidInput.
    """
    found, origin = _of_versions(labels, timeframe)
    if not given:
        return found, origin
    if unknown := given.keys() - set(LabelRule.__struct_fields__):
        raise InvalidInput.at(
            min(unknown), f"is no parameter of a label rule: {', '.join(LabelRule.__struct_fields__)}"
        )
    try:
        rule = completed(given, found)
    except (msgspec.ValidationError, ValueError) as error:
        raise InvalidInput(f"the label rule: {error}") from None
    if rule is None:
        raise no_default(
            f"only one distance of the label rule is given, and the versions have no rule in {_unit(given)}"
        )
    return rule, "given"


def _of_versions(labels: Mapping[str, Any], timeframe: str) -> tuple[LabelRule, Origin]:
    try:
        return default_rule(labels, timeframe), "versions"
    except InvalidInput:
        return DEFAULT_RULE, "default"


def _unit(given: Mapping[str, Any]) -> str:
    return "pips" if any(name.endswith("_pips") for name in given) else "ATR"
