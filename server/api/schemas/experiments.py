"""Experiments and outcomes: the types of requests, then the schemas of answers."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, Meta

from core.experiments.candle_table import BesideTotals
from core.experiments.experiment import VARIANTS, ExperimentId, Guardrails, Metric, Mode, Share, Status
from core.experiments.label_rule import Distance, Horizon, Ratio, RuleName
from core.features.timeframes import Timeframe
from core.store.interface import OutcomeName, OutcomeStatus
from server.api.schemas.json_schema import (
    BOOLEAN,
    COUNT,
    INSTANT,
    NUMBER,
    SHARE,
    TEXT,
    Schema,
    list_of,
    one_of,
    or_null,
    record,
    ref,
)
from server.api.schemas.predictions import CandleColumns, CandleList, ColumnsField, IsoText, Pair, Stamp, Version
from server.api.schemas.shared import DETAILS, SIGNAL_COUNTS, WARNINGS, by_variant

MAX_OUTCOMES = 10_000
# The formats of an export with their content types. The first one is the default.
EXPORT_FORMATS = {"jsonl": "application/x-ndjson", "csv": "text/csv"}

# One line that is not all blank. No text may have the character 0, which PostgreSQL does not store.
Name: TypeAlias = Annotated[str, Meta(max_length=200, pattern=r"\A(?=.*\S)[^\x00-\x1f\x7f]+\Z")]
Description: TypeAlias = Annotated[str, Meta(max_length=2_000, pattern=r"\A[^\x00]*\Z")]
Owner: TypeAlias = Annotated[str, Meta(max_length=200, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
NoteText: TypeAlias = Annotated[str, Meta(max_length=2_000, pattern=r"\A(?=[\s\S]*\S)[^\x00]+\Z")]
PredictionId: TypeAlias = Annotated[str, Meta(pattern=r"\A[!-~]{1,64}\Z")]
# No trade gains or loses a million pips. The limit keeps sums finite.
Pips: TypeAlias = Annotated[float, Meta(ge=-1e6, le=1e6)]


class GuardrailLimits(Guardrails, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The guardrails of a request. Unknown fields are refused, because a misspelt limit would protect nothing."""


class CreateExperiment(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /reversal/experiments. Null stands for the default where it is allowed.

    Unlike in other bodies, unknown fields are refused: an experiment cannot be changed afterwards. `stop_at` has the
    forms of a candle's timestamp.
    """

    experiment_id: ExperimentId
    name: Name
    description: Description | None = None
    owner: Owner | None = None
    variant_a: Version
    variant_b: Version
    traffic_split: Share | None = None
    mode: Mode | None = None
    metric: Metric | None = None
    minimum_effect: Annotated[float, Meta(gt=0, le=1e6)] | None = None
    guardrails: GuardrailLimits | None = None
    stop_at: IsoText | int | float | None = None


class AddNote(msgspec.Struct):
    """Body of POST /reversal/experiments/{id}/notes."""

    text: NoteText


class ReportOutcomes(msgspec.Struct):
    """Body of POST /reversal/outcomes.

    Items stay raw, so that a bad item does not affect the others.
    """

    outcomes: Annotated[list[msgspec.Raw], Meta(max_length=MAX_OUTCOMES)]


class ReportedOutcome(msgspec.Struct):
    """The outcome of a prediction. `closed_at` has the forms of a candle's timestamp."""

    prediction_id: PredictionId
    outcome: OutcomeName
    pnl_pips: Pips | None = None
    closed_at: IsoText | int | float | None = None


class Evaluate(msgspec.Struct, kw_only=True):
    """Body of POST /reversal/experiments/{id}/evaluate: candles with timestamps, and the rule's parameters.

    replace: whether the rule may replace another one of the experiment, which needs an admin token.
    """

    pair: Pair
    timeframe: Timeframe | None = None
    timestamps: Stamp | None = None
    data: CandleList | CandleColumns
    columns: ColumnsField = UNSET
    rule: RuleName | None = None
    horizon: Horizon | None = None
    min_profit_pips: Distance | None = None
    max_loss_pips: Distance | None = None
    min_profit_atr: Distance | None = None
    max_loss_atr: Distance | None = None
    min_ratio: Ratio | None = None
    replace: bool | None = None


EXPERIMENT: dict[str, Schema] = {
    "experiment_id": TEXT,
    "name": TEXT,
    "description": TEXT,
    "owner": TEXT,
    "mode": ref("Mode"),
    "variant_a": TEXT,
    "variant_b": TEXT,
    "traffic_split": SHARE,
    "metric": ref("Metric"),
    "minimum_effect": NUMBER,
    "guardrails": ref("GuardrailLimits"),
    "stop_at": or_null(INSTANT),
    "status": ref("Status"),
    "active": BOOLEAN,
    "created_at": INSTANT,
    "activated_at": or_null(INSTANT),
    "stopped_at": or_null(INSTANT),
    "stop_reason": or_null(TEXT),
    "digests": or_null(record({}, dict.fromkeys(VARIANTS, TEXT))),
    "label_rule": or_null(ref("LabelRule")),
    "label_rules": list_of(ref("ChosenRule")),
}
NOTE: dict[str, Schema] = {"at": INSTANT, "text": TEXT}
NOTES = list_of(ref("Note"))
TALLY: dict[str, Schema] = dict.fromkeys(("fallbacks", "failures", "refused", "unrecorded", "late"), COUNT)

ANSWERS: dict[str, Schema] = {
    "Mode": one_of(Mode),
    "Metric": one_of(Metric),
    "Status": one_of(Status),
    "LabelRule": record(
        {"horizon": COUNT, "min_ratio": NUMBER},
        dict.fromkeys(("min_profit_pips", "max_loss_pips", "min_profit_atr", "max_loss_atr"), NUMBER)
        | {"rule": one_of(RuleName)},
    ),
    "ChosenRule": record(
        {"rule": ref("LabelRule"), "timeframe": TEXT, "chosen_at": INSTANT, "chosen_by": or_null(TEXT)}
    ),
    "Experiment": record(EXPERIMENT),
    "ActivatedExperiment": record(EXPERIMENT | {"stopped_experiment": or_null(TEXT)}, {"warnings": WARNINGS}),
    "Note": record(NOTE),
    "AddedNote": record({"experiment_id": TEXT} | NOTE),
    "ExperimentWithNotes": record(EXPERIMENT | {"notes": NOTES}),
    "Experiments": record({"experiments": list_of(ref("Experiment"))}),
    "ExperimentMetrics": record(
        {
            "experiment_id": TEXT,
            "name": TEXT,
            "active": BOOLEAN,
            "mode": ref("Mode"),
            "status": ref("Status"),
            "variants": by_variant(
                record(
                    {
                        "model_version": TEXT,
                        "traffic_split": SHARE,
                        "metrics": record(
                            {
                                "count": COUNT,
                                "signals": SIGNAL_COUNTS,
                                "avg_confidence": or_null(SHARE),
                                "imported": COUNT,
                                "users": COUNT,
                                **TALLY,
                            }
                        ),
                    }
                )
            ),
            "beside": ref("Beside"),
        }
    ),
    "Beside": record(dict.fromkeys(BesideTotals._fields, COUNT)),
    "Evaluation": record(
        dict.fromkeys(("candles", "labelled", "changed", "unchanged", "too_close", "dropped"), COUNT)
        | {"label_rule": ref("LabelRule")},
        {"warnings": WARNINGS},
    ),
    "OutcomeResults": record(
        {
            "recorded": COUNT,
            "results": list_of(
                {
                    "oneOf": [
                        record({"prediction_id": TEXT, "status": one_of(OutcomeStatus)}),
                        record(
                            {"prediction_id": or_null(TEXT), "status": {"const": "invalid"}, "error": TEXT},
                            {"details": DETAILS},
                        ),
                    ]
                }
            ),
        }
    ),
}
