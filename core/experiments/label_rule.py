"""The rule by which `evaluate` labels an experiment's candles: its parameters, its labels, and its default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias, get_args

import msgspec
import numpy as np
from msgspec import Meta

from core.errors import InvalidInput, quoted
from core.features.candles import Candles, Floats
from core.features.indicators import Indicators
from core.features.labels import Labels, in_pips, profitable_reversals, profitable_trades

Horizon: TypeAlias = Annotated[int, Meta(ge=1, le=500)]
Distance: TypeAlias = Annotated[float, Meta(ge=0, le=1e6)]
Ratio: TypeAlias = Annotated[float, Meta(ge=0, le=1e6)]
# Functions of core.features.labels with the same parameters.
RuleName: TypeAlias = Literal["profitable_reversals", "profitable_trades"]

PIPS = ("min_profit_pips", "max_loss_pips")
ATR = ("min_profit_atr", "max_loss_atr")
# The true range of a series' first candle lacks the close before it, so the first ATR here ends with the 15th candle.
# A label then does not depend on where the series begins.
_BEFORE_ATR = 14


class LabelRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A function of core.features.labels and its parameters, with both distances in pips or both in ATR.

    min_profit_atr, max_loss_atr: multiples of the candle's atr_14.
    """

    rule: RuleName = "profitable_reversals"
    horizon: Horizon
    min_profit_pips: Distance | None = None
    max_loss_pips: Distance | None = None
    min_profit_atr: Distance | None = None
    max_loss_atr: Distance | None = None
    min_ratio: Ratio

    def __post_init__(self) -> None:
        """Raise ValueError unless both distances are given in one unit."""
        if {name for name in (*PIPS, *ATR) if getattr(self, name) is not None} not in (set(PIPS), set(ATR)):
            raise ValueError(f"a rule needs {' and '.join(PIPS)}, or {' and '.join(ATR)}")

    def __str__(self) -> str:
        values = self.values
        name = values.pop("rule", None)
        numbers = ", ".join(f"{name} {value:.12g}" for name, value in values.items())
        return f"{name}: {numbers}" if name else numbers

    @property
    def values(self) -> dict[str, Any]:
        """The parameters that it has, by their names; `rule` unless it is the usual one, for answers of old rules."""
        return {
            name: value
            for name, value in msgspec.structs.asdict(self).items()
            if value is not None and (name, value) != ("rule", "profitable_reversals")
        }

    @property
    def in_pips(self) -> bool:
        """Whether the distances are in pips, so that they suit one timeframe only."""
        return self.min_profit_pips is not None

    @property
    def minimum_candles(self) -> int:
        """The length of the shortest series in which one candle can be labelled."""
        first = self.horizon if self.rule == "profitable_reversals" else 0
        before = first if self.in_pips else max(first, _BEFORE_ATR)
        return before + 1 + self.horizon

    def labels(self, candles: Candles, pip: float) -> Labels:
        """The labels of a series, shape (n,). UNKNOWN near the ends, and without an ATR."""
        profit: float | Floats | None
        loss: float | Floats | None
        profit, loss = self.min_profit_pips, self.max_loss_pips
        if profit is None or loss is None:
            atr = atr_in_pips(candles, pip)
            profit, loss = (np.round((each or 0.0) * atr, 6) for each in (self.min_profit_atr, self.max_loss_atr))
        labels = profitable_trades if self.rule == "profitable_trades" else profitable_reversals
        return labels(
            candles,
            horizon=self.horizon,
            min_profit_pips=profit,
            max_loss_pips=loss,
            min_ratio=self.min_ratio,
            pip=pip,
        )


# Meant for daily candles, like the rule of the detectors that the reference v3.1 follows.
DAILY = LabelRule(horizon=10, min_profit_pips=30.0, max_loss_pips=50.0, min_ratio=1.5)


def atr_in_pips(candles: Candles, pip: float) -> Floats:
    """atr_14 in pips of each candle, from candles up to it; NaN for the first candles, and where no price moved."""
    found = np.full(len(candles), np.nan)
    rows = len(candles) - _BEFORE_ATR
    if rows > 0:
        found[_BEFORE_ATR:] = in_pips(Indicators(candles, rows).atr(), pip)
    found[found == 0.0] = np.nan
    return found


def completed(given: Mapping[str, Any], default: LabelRule | None) -> LabelRule | None:
    """The rule with the given parameters, and with those of `default` for all others.

    None if a distance is neither given nor in `default`. Raises InvalidInput if distances are given in both units.
    """
    units = [unit for unit in (PIPS, ATR) if any(name in given for name in unit)]
    if len(units) > 1:
        name = next(name for name in ATR if name in given)
        raise InvalidInput.at(
            name, "must be left out if min_profit_pips or max_loss_pips is there: a rule has one unit"
        )
    (unit,) = units or [PIPS if default is None or default.in_pips else ATR]
    values = {"horizon": DAILY.horizon, "min_ratio": DAILY.min_ratio} if default is None else default.values
    wanted = {"horizon", "min_ratio", *unit}
    values = {name: value for name, value in {**values, **given}.items() if name in {*wanted, "rule"}}
    return msgspec.convert(values, LabelRule) if wanted == set(values) - {"rule"} else None


def default_rule(labels: Mapping[str, Any], timeframe: str) -> LabelRule:
    """The rule that the versions of an experiment were trained with.

    labels: the manifest's `label_rule` by version. If none has any, DAILY is the rule for daily candles.
    Raises InvalidInput, with what is known of each version, if there is no such rule for this timeframe.
    """
    rules = [_trained(label) for label in labels.values()]
    suits = all(_timeframe(label) in (None, timeframe) for label in labels.values())
    first = rules[0]
    if first is not None and suits and all(rule == first for rule in rules):
        return first
    if timeframe == "1d" and all(label is None for label in labels.values()):
        return DAILY
    known = ", ".join(f"{version} {_described(label)}" for version, label in labels.items())
    raise no_default(f"no rule follows from the metadata for {timeframe} candles: {known}")


def no_default(why: str) -> InvalidInput:
    """The error of a call without a rule, for an experiment that has none."""
    return InvalidInput.at(PIPS[0], f"missing; {why}; send {' and '.join(PIPS)}, or {' and '.join(ATR)}")


def _trained(label: Any) -> LabelRule | None:  # noqa: ANN401 - JSON
    if not isinstance(label, dict) or label.get("rule", "profitable_reversals") not in get_args(RuleName):
        return None
    try:
        return msgspec.convert(label, LabelRule)
    except msgspec.ValidationError:
        return None


def _timeframe(label: Any) -> Any:  # noqa: ANN401 - JSON
    return label.get("timeframe") if isinstance(label, dict) else None


def _described(label: Any) -> str:  # noqa: ANN401 - JSON
    if label is None:
        return "has none"
    rule, timeframe = _trained(label), _timeframe(label)
    on = "" if timeframe is None else f" on {quoted(str(timeframe))} candles"
    if rule is not None:
        return f"has {rule}{on}"
    name = label.get("rule") if isinstance(label, dict) else label
    return f"has labels of another rule, {quoted(str(name))}{on}"
