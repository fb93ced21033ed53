"""Decodes the bodies of the keeper's endpoints into core's types. Every error names the path of the bad value."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import msgspec

from core.errors import InvalidInput, UnknownVersion
from core.experiments.experiment import MINIMUM_EFFECT, Experiment, Guardrails, Micros, iso
from core.experiments.label_rule import LabelRule
from core.inference.warnings import Warned
from core.reports.evaluation import LaterCandles
from core.store.interface import Outcome
from server.api import decoding, timestamps
from server.api.schemas.experiments import AddNote, CreateExperiment, Evaluate, ReportedOutcome, ReportOutcomes
from server.http.bodies.json_decoding import decode

_create_decoder = msgspec.json.Decoder(CreateExperiment)
_note_decoder = msgspec.json.Decoder(AddNote)
_outcomes_decoder = msgspec.json.Decoder(ReportOutcomes)
_outcome_decoder = msgspec.json.Decoder(ReportedOutcome)
_evaluate_decoder = msgspec.json.Decoder(Evaluate)


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
    given: dict[str, float]
    replace: bool
    warnings: tuple[Warned, ...]


def evaluation(body: bytes) -> Evaluated:
    """Decode a request to evaluate. Raises MalformedJson or InvalidInput."""
    wanted = decode(_evaluate_decoder, body)
    timeframe = decoding.timeframe_of(wanted.timeframe)
    if wanted.data and all(row.timestamp is None for row in wanted.data):
        raise InvalidInput.at("data", "must have timestamps: they say which predictions the candles belong to")
    candles, _, opens, warnings = decoding.series(wanted.data, timeframe, wanted.timestamps)
    parameters = {name: getattr(wanted, name) for name in LabelRule.__struct_fields__}
    given = {name: value for name, value in parameters.items() if value is not None}
    later = LaterCandles(wanted.pair, timeframe, candles, opens or [])
    return Evaluated(later, given, bool(wanted.replace), warnings)
