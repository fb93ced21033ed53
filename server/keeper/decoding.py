"""Decodes the bodies of the keeper's endpoints into core's types. Every error names the path of the bad value."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec
import numpy as np

from core.errors import InvalidInput, UnknownVersion
from core.experiments.experiment import MINIMUM_EFFECT, Experiment, Guardrails, Metric, Micros, iso
from core.experiments.label_rule import LabelRule
from core.features.timeframes import PERIODS
from core.inference.warnings import Warned
from core.reports.evaluation import LaterCandles
from core.statistics.formatting import RATE
from core.statistics.planning import Design
from core.store.interface import Outcome
from server.api import candle_forms, decoding, timestamps
from server.api.schemas.experiments import AddNote, CreateExperiment, Evaluate, ReportedOutcome, ReportOutcomes
from server.api.schemas.planning import PlanExperiment
from server.http.bodies.json_decoding import decode

_create_decoder = msgspec.json.Decoder(CreateExperiment)
_plan_decoder = msgspec.json.Decoder(PlanExperiment)
_note_decoder = msgspec.json.Decoder(AddNote)
_outcomes_decoder = msgspec.json.Decoder(ReportOutcomes)
_outcome_decoder = msgspec.json.Decoder(ReportedOutcome)
_evaluate_decoder = msgspec.json.Decoder(Evaluate)

_DAY = PERIODS["1d"]
# A rate at its end has no variance, and no experiment ever sees a smaller difference.
_LEAST_RATE, _LEAST_EFFECT = 1e-6, 1e-9
# The defaults of a plan. A trade of one version has a trade of the other beside it in 7 of 10 cases.
_TRADE_SHARE, _CORRELATION, _DISAGREEMENT_OF_TRADES = 0.5, 0.5, 0.6


def experiment(body: bytes, versions: Collection[str], now: Micros) -> Experiment:
    """Decode a new experiment, a draft. Raises MalformedJson, InvalidInput, or UnknownVersion for a variant."""
    wanted = decode(_create_decoder, body)
    for path in ("variant_a", "variant_b"):
        version = getattr(wanted, path)
        if version not in versions:
            raise UnknownVersion(version, tuple(versions), path)
    metric = wanted.metric or "win_rate"
    if metric == "win_rate" and wanted.minimum_effect is not None and wanted.minimum_effect > 1:
        raise InvalidInput.at("minimum_effect", f"must be at most 1 for win_rate, not {wanted.minimum_effect}")
    return Experiment(
        experiment_id=wanted.experiment_id,
        name=wanted.name,
        description=wanted.description or "",
        owner=wanted.owner or "",
        variant_a=wanted.variant_a,
        variant_b=wanted.variant_b,
        traffic_split=_share_of_a(wanted),
        mode=wanted.mode or "split",
        metric=metric,
        minimum_effect=wanted.minimum_effect or MINIMUM_EFFECT[metric],
        guardrails=_guardrails(wanted),
        stop_at=_stop_at(wanted, now),
        created_at=now,
    )


def _share_of_a(wanted: CreateExperiment) -> float:
    if wanted.mode == "shadow":
        if wanted.traffic_split not in (None, 1.0):
            message = f"must be left out in shadow mode, where A answers every request, not {wanted.traffic_split:g}"
            raise InvalidInput.at("traffic_split", message)
        return 1.0
    if wanted.traffic_split is None and wanted.mode == "crossover":
        return 0.5
    if wanted.traffic_split is None:
        raise InvalidInput.at("traffic_split", "missing; expected the share of users that get variant A, from 0 to 1")
    return wanted.traffic_split


def _guardrails(wanted: CreateExperiment) -> Guardrails:
    if wanted.guardrails is None:
        return Guardrails()
    limits = Guardrails(**msgspec.structs.asdict(wanted.guardrails))
    least, most = limits.min_hold_rate, limits.max_hold_rate
    if least is not None and most is not None and least > most:
        raise InvalidInput.at("guardrails.min_hold_rate", f"must be at most max_hold_rate {most}, not {least}")
    return limits


def _stop_at(wanted: CreateExperiment, now: Micros) -> Micros | None:
    stop_at = _micros(wanted.stop_at, "stop_at")
    if stop_at is not None and stop_at <= now:
        raise InvalidInput.at("stop_at", f"must be in the future, not {iso(stop_at)}; the server's time is {iso(now)}")
    return stop_at


def _micros(given: str | float | None, path: str) -> Micros | None:
    return None if given is None else round(timestamps.instant(given, path) * 1000)


def note(body: bytes) -> str:
    """Decode the text of a note. Raises MalformedJson or InvalidInput."""
    return decode(_note_decoder, body).text


def outcomes(body: bytes) -> list[msgspec.Raw]:
    """Decode a list of outcomes into raw items, each to be decoded by `outcome`."""
    return decode(_outcomes_decoder, body).outcomes


def outcome(raw: msgspec.Raw) -> Outcome:
    """Decode one outcome. Raises InvalidInput, with paths relative to the outcome.

    A P&L of 0 fits every outcome, because a small win is rounded to it; a neutral can have any, because of costs.
    """
    given = decode(_outcome_decoder, raw)
    pnl = given.pnl_pips
    if pnl is not None and ((given.outcome == "win" and pnl < 0) or (given.outcome == "loss" and pnl > 0)):
        least = "at least 0 for a win" if given.outcome == "win" else "at most 0 for a loss"
        raise InvalidInput.at("pnl_pips", f"must be {least}, not {pnl:.12g}; correct the sign or the outcome")
    return Outcome(given.prediction_id, given.outcome, pnl, _micros(given.closed_at, "closed_at"))


def prediction_id(raw: msgspec.Raw) -> str | None:
    """The `prediction_id` of an invalid item, or None if it cannot be read."""
    try:
        return msgspec.json.decode(raw, type=_Named).prediction_id
    except (msgspec.DecodeError, RecursionError):
        return None


class _Named(msgspec.Struct):
    prediction_id: str


class Evaluated(NamedTuple):
    """A request to evaluate. given: the rule's parameters in it, by their names."""

    later: LaterCandles
    given: dict[str, Any]
    replace: bool
    warnings: tuple[Warned, ...]


def evaluation(body: bytes) -> Evaluated:
    """Decode a request to evaluate. Raises MalformedJson or InvalidInput."""
    wanted, data = candle_forms.read(_evaluate_decoder, body)
    timeframe = decoding.timeframe_of(wanted.timeframe)
    given_candles = [] if data is None or isinstance(data, np.ndarray) else data  # features are no field of it
    candles, _, opens, warnings, _ = candle_forms.series(given_candles, timeframe, wanted.timestamps)
    if opens is None and len(candles):
        raise InvalidInput.at("data", "must have timestamps: they say which predictions the candles belong to")
    parameters = {name: getattr(wanted, name) for name in LabelRule.__struct_fields__}
    given = {name: value for name, value in parameters.items() if value is not None}
    later = LaterCandles(wanted.pair, timeframe, candles, opens or [])
    return Evaluated(later, given, bool(wanted.replace), warnings)


class Planned(NamedTuple):
    """An experiment to plan. times_a_day: how many candle times a day has."""

    design: Design
    metric: Metric
    baseline: float
    times_a_day: float
    days: float | None


def plan(body: bytes) -> Planned:
    """Decode an experiment to plan. Raises MalformedJson or InvalidInput."""
    wanted = decode(_plan_decoder, body)
    metric = wanted.metric or "win_rate"
    variances, deviation = _variances(wanted, metric)
    times = _DAY / PERIODS[decoding.timeframe_of(wanted.timeframe)]
    trade_share = _trade_share(wanted)
    users, share_of_a = _planned_users(wanted)
    design = Design(
        mode=wanted.mode,
        effect=wanted.effect,
        variance_a=variances[0],
        variance_b=variances[1],
        deviation=deviation,
        trade_share=trade_share,
        predictions=wanted.predictions_per_day / times,
        pairs=wanted.pairs or 1,
        users=users,
        share_of_a=share_of_a,
        correlation=_CORRELATION if wanted.correlation is None else wanted.correlation,
        overlap=wanted.overlap or 1.0,
        user_sd=_user_sd(wanted, metric),
        disagreement=_disagreement(wanted, metric, trade_share),
    )
    return Planned(design, metric, wanted.baseline, times, wanted.days)


def _variances(wanted: PlanExperiment, metric: Metric) -> tuple[tuple[float, float], float]:
    """The variances of a trade's result of A and of B, and the deviation that the verdict assumes for one candle."""
    if abs(wanted.effect) < _LEAST_EFFECT:
        raise InvalidInput.at("effect", "must not be 0; send the smallest difference B - A that you want to find")
    if metric == "mean_pnl":
        if wanted.sd_pips is None:
            raise InvalidInput.at("sd_pips", "missing; expected the standard deviation of a trade's pips for mean_pnl")
        return (wanted.sd_pips**2, wanted.sd_pips**2), wanted.sd_pips
    if wanted.sd_pips is not None:
        raise InvalidInput.at("sd_pips", "must be left out for win_rate")
    between = "must be a win rate above 0 and below 1, such as 0.5"
    if not _LEAST_RATE <= wanted.baseline <= 1 - _LEAST_RATE:
        raise InvalidInput.at("baseline", f"{between}, not {wanted.baseline:g}")
    other = wanted.baseline + wanted.effect
    if not _LEAST_RATE <= other <= 1 - _LEAST_RATE:
        raise InvalidInput.at("effect", f"added to baseline {wanted.baseline:g} it {between}, not {other:g}")
    return (wanted.baseline * (1 - wanted.baseline), other * (1 - other)), RATE


def _trade_share(wanted: PlanExperiment) -> float:
    if wanted.hold_rate is None:
        return wanted.trade_share or _TRADE_SHARE
    if wanted.trade_share is not None:
        raise InvalidInput.at("hold_rate", "must be left out if trade_share is there")
    if wanted.hold_rate > 1 - _LEAST_RATE:
        reason = "without trades there is nothing to compare"
        raise InvalidInput.at("hold_rate", f"must be below 1, not {wanted.hold_rate:g}: {reason}")
    return 1 - wanted.hold_rate


def _planned_users(wanted: PlanExperiment) -> tuple[int, float]:
    if wanted.mode == "shadow":
        if wanted.users is not None:
            raise InvalidInput.at("users", "must be left out in shadow mode, which compares candles, not users")
        if wanted.traffic_split not in {None, 1.0}:
            raise InvalidInput.at("traffic_split", "must be left out in shadow mode, where A answers every request")
        return 1, 1.0
    if wanted.users is None:
        raise InvalidInput.at("users", f"missing; expected the number of users, all together, in {wanted.mode} mode")
    share = 0.5 if wanted.traffic_split is None else wanted.traffic_split
    if not 0 < share < 1:
        raise InvalidInput.at("traffic_split", f"must be above 0 and below 1, not {share:g}: B is compared with A")
    return wanted.users, share


def _user_sd(wanted: PlanExperiment, metric: Metric) -> float:
    if wanted.user_sd is None:
        return 0.0
    if wanted.mode == "shadow":
        raise InvalidInput.at("user_sd", "must be left out in shadow mode, which compares candles, not users")
    if metric == "win_rate" and wanted.user_sd > RATE:
        raise InvalidInput.at("user_sd", f"must be from 0 to {RATE:g}, not {wanted.user_sd:g}; 5 points are 0.05")
    return wanted.user_sd


def _disagreement(wanted: PlanExperiment, metric: Metric, trade_share: float) -> float:
    if wanted.mode != "shadow":
        if wanted.disagreement is not None:
            raise InvalidInput.at("disagreement", f"must be left out in {wanted.mode} mode; it is for shadow mode")
        return 0.0
    share, most = wanted.disagreement or _DISAGREEMENT_OF_TRADES * trade_share, min(1.0, 2 * trade_share)
    if share > most:
        traded = f"each version trades {trade_share:g} of the candles"
        raise InvalidInput.at("disagreement", f"must be at most {most:g}, not {share:g}: {traded}")
    if metric == "win_rate" and abs(wanted.effect) > share / trade_share:
        same = f"the signals differ on {share:g} of the candles, and elsewhere the results are the same"
        raise InvalidInput.at("effect", f"must be within {share / trade_share:g}, not {wanted.effect:g}: {same}")
    return share
