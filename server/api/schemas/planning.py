"""The plan of an experiment: the type of the request, then the schema of the answer."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from core.experiments.experiment import Metric, Mode, Share
from core.features.timeframes import Timeframe
from server.api.schemas.json_schema import (
    COUNT,
    NUMBER,
    SHARE,
    TEXT,
    Schema,
    list_of,
    or_null,
    record,
    ref,
)
from server.api.schemas.shared import by_variant

# What is missing or hidden in a plan, each with its way out.
ADVICE = ("FEW_USERS", "USERS_DIFFER", "TOO_SMALL", "MINIMUM_EFFECT")

Positive: TypeAlias = Annotated[float, Meta(gt=0, le=1)]
Pips: TypeAlias = Annotated[float, Meta(ge=-1e6, le=1e6)]


class PlanExperiment(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /reversal/experiments/plan. Null stands for the default where it is allowed.

    Unknown fields are refused, because a misspelt one would plan another experiment. `effect`, `baseline` and `user_sd`
    are shares for win_rate, and pips for mean_pnl.
    """

    mode: Mode
    metric: Metric | None = None
    baseline: Annotated[float, Meta(ge=-1e6, le=1e6)]
    effect: Annotated[float, Meta(ge=-1e6, le=1e6)]
    sd_pips: Annotated[float, Meta(ge=1e-6, le=1e6)] | None = None
    timeframe: Timeframe | None = None
    pairs: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    predictions_per_day: Annotated[float, Meta(ge=1e-3, le=1e9)]
    trade_share: Annotated[float, Meta(ge=1e-6, le=1)] | None = None
    hold_rate: Share | None = None
    users: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None
    traffic_split: Share | None = None
    user_sd: Annotated[float, Meta(ge=0, le=1e6)] | None = None
    disagreement: Annotated[float, Meta(ge=1e-6, le=1)] | None = None
    correlation: Share | None = None
    overlap: Annotated[float, Meta(ge=1, le=1_000)] | None = None
    days: Annotated[float, Meta(gt=0, le=1e6)] | None = None


_NEEDED: dict[str, Schema] = {"candles": or_null(COUNT), "days": or_null(NUMBER)}

ANSWERS: dict[str, Schema] = {
    "Plan": record(
        {
            "mode": ref("Mode"),
            "metric": ref("Metric"),
            "baseline": NUMBER,
            "effect": NUMBER,
            "reachable": list_of(record({"chance": SHARE} | _NEEDED)),
            "after_days": or_null(record({"days": NUMBER, "candles": COUNT, "chance": SHARE})),
            "minimum": record(_NEEDED | {"candles_of_each_variant": COUNT, "users_of_each_variant": or_null(COUNT)}),
            "users": or_null(by_variant(NUMBER)),
            "advice": list_of(record({"code": {"enum": list(ADVICE)}, "message": TEXT})),
            "assumptions": list_of(TEXT),
        }
    ),
}
