"""The shapes of the bodies that the keeper takes."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from core.experiments.experiment import ExperimentId, Guardrails, Metric, Mode, Share
from core.features.timeframes import Timeframe
from core.reports.evaluation import Distance, Horizon, Ratio
from core.store.interface import OutcomeName
from server.api.prediction_schemas import CandleList, IsoText, Pair, Stamp, Version

MAX_OUTCOMES = 10_000
# How an export may be asked for, the first being the default, and the content type of each.
EXPORT_FORMATS = {"jsonl": "application/x-ndjson", "csv": "text/csv"}

# One line, and not of blanks alone. No text may hold the character 0, which PostgreSQL does not store.
Name: TypeAlias = Annotated[str, Meta(max_length=200, pattern=r"\A(?=.*\S)[^\x00-\x1f\x7f]+\Z")]
Description: TypeAlias = Annotated[str, Meta(max_length=2_000, pattern=r"\A[^\x00]*\Z")]
PredictionId: TypeAlias = Annotated[str, Meta(pattern=r"\A[!-~]{1,64}\Z")]
# No trade is worth a million pips, and a sum of these stays finite.
Pips: TypeAlias = Annotated[float, Meta(ge=-1e6, le=1e6)]


class GuardrailLimits(Guardrails, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Guardrails as a client writes them: a misspelt limit would protect nobody."""


class CreateExperiment(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /reversal/experiments. Where null is allowed it stands for the default.

    Other bodies may hold more than we know; here a misspelt field could not be mended afterwards.
    """

    experiment_id: ExperimentId
    name: Name
    description: Description | None = None
    variant_a: Version
    variant_b: Version
    traffic_split: Share | None = None
    mode: Mode | None = None
    metric: Metric | None = None
    minimum_effect: Annotated[float, Meta(gt=0, le=1e6)] | None = None
    guardrails: GuardrailLimits | None = None


class ReportOutcomes(msgspec.Struct):
    """Body of POST /reversal/outcomes.

    Items stay raw, so that a bad one does not spoil the others.
    """

    outcomes: Annotated[list[msgspec.Raw], Meta(max_length=MAX_OUTCOMES)]


class ReportedOutcome(msgspec.Struct):
    """How a prediction ended. `closed_at` is written like a candle's timestamp."""

    prediction_id: PredictionId
    outcome: OutcomeName
    pnl_pips: Pips | None = None
    closed_at: IsoText | int | float | None = None


class Evaluate(msgspec.Struct, kw_only=True):
    """Body of POST /reversal/experiments/{id}/evaluate: candles with timestamps, and the rule's parameters."""

    pair: Pair
    timeframe: Timeframe | None = None
    timestamps: Stamp | None = None
    data: CandleList
    horizon: Horizon | None = None
    min_profit_pips: Distance | None = None
    max_loss_pips: Distance | None = None
    min_ratio: Ratio | None = None
