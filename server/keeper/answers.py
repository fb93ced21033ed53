"""The data of the keeper's answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from core.bundles.manifest import Manifest
from core.experiments.candle_table import BesideTotals, Tally
from core.experiments.experiment import VARIANTS, Experiment, Micros, Variant
from core.experiments.experiment import iso as iso_of
from core.features.candle_keys import time_of_candle_key
from core.inference.warnings import Warned
from core.store.interface import Note
from server.http.envelope import Json


def experiment(it: Experiment) -> Json:
    """An experiment as every call except its metrics shows it. Instants are ISO 8601 in UTC."""
    return {
        "experiment_id": it.experiment_id,
        "name": it.name,
        "description": it.description,
        "owner": it.owner,
        "mode": it.mode,
        "variant_a": it.variant_a,
        "variant_b": it.variant_b,
        "traffic_split": it.traffic_split,
        "metric": it.metric,
        "minimum_effect": it.minimum_effect,
        "guardrails": msgspec.to_builtins(it.guardrails),
        "stop_at": iso(it.stop_at),
        "status": it.status,
        "active": it.status == "active",
        "created_at": iso(it.created_at),
        "activated_at": iso(it.activated_at),
        "stopped_at": iso(it.stopped_at),
        "stop_reason": it.stop_reason,
        "digests": it.digests,
        "label_rule": None if it.label_rule is None else it.label_rule.values,
        "label_rules": [
            {
                "rule": each.rule.values,
                "timeframe": each.timeframe,
                "chosen_at": iso(each.chosen_at),
                "chosen_by": each.chosen_by,
            }
            for each in it.label_rules
        ],
    }


def notes(of: Sequence[Note]) -> list[Json]:
    """Notes in the order given."""
    return [{"at": iso(each.at), "text": each.text} for each in of]


def different_inputs(it: Experiment, manifests: Mapping[Variant, Manifest]) -> list[Warned]:
    """Warnings if one version of an experiment refuses requests that the other one answers.

    manifests: those that are known.
    """
    if len(manifests) < len(VARIANTS):
        return []
    a, b = (manifests[variant].required_candles for variant in VARIANTS)
    if a is None and b is None:
        return []
    if a is None or b is None:
        alone: Variant = "A" if a is None else "B"
        return [
            Warned(
                "DIFFERENT_INPUTS",
                f"{it.version_of(alone)} ({alone}) takes ready-made features only, so {_effect(it, alone)} requests"
                " with candles: send `features` that both versions take with every request",
            )
        ]
    found = []
    if a != b:
        most = max(a, b)
        effect = _effect(it, "A" if a > b else "B")
        text = (
            f"{it.variant_a} (A) requires {a} candles and {it.variant_b} (B) requires {b}, so {effect} requests with"
            f" fewer than {most}: send at least {most} candles with every request"
        )
        found.append(Warned("DIFFERENT_REQUIRED_CANDLES", text))
    timed: list[Variant] = [variant for variant in VARIANTS if manifests[variant].requires_timestamps]
    if len(timed) == 1:
        text = (
            f"{it.version_of(timed[0])} ({timed[0]}) requires timestamps, so {_effect(it, timed[0])} requests with"
            " candles that have none: send a timestamp with every candle"
        )
        found.append(Warned("DIFFERENT_INPUTS", text))
    return found


def _effect(it: Experiment, strict: Variant) -> str:
    return "B cannot score" if (it.mode, strict) == ("shadow", "B") else f"{strict} alone refuses"


def report(it: Experiment, found: Json) -> Json:
    """A report with its experiment. What a reader needs first comes first."""
    described = experiment(it)
    first = {name: described[name] for name in ("experiment_id", "name")}
    return first | {name: found[name] for name in ("verdict", "differences", "variants")} | found | described


def experiment_metrics(it: Experiment, tallies: Mapping[Variant, Tally], beside: BesideTotals) -> Json:
    """The counts of both variants, and of what was beside the experiment."""
    return {
        "experiment_id": it.experiment_id,
        "name": it.name,
        "active": it.status == "active",
        "mode": it.mode,
        "status": it.status,
        "variants": {variant: _variant(it, variant, tallies[variant]) for variant in VARIANTS},
        "beside": beside._asdict(),
    }


def _variant(it: Experiment, variant: Variant, tally: Tally) -> Json:
    imported = (it.imported or {}).get(variant)
    count, signals, confidence = tally.predictions, dict(tally.signals), tally.confidence
    if imported is not None:  # imported predictions were served to users too
        count += imported.count
        confidence += imported.total_confidence
        signals = {signal: n + imported.signals.get(signal, 0) for signal, n in signals.items()}
    return {
        "model_version": it.version_of(variant),
        "traffic_split": it.traffic_split if variant == "A" else 1 - it.traffic_split,
        "metrics": {
            "count": count,
            "signals": signals,
            "avg_confidence": confidence / count if count else None,
            "imported": imported.count if imported is not None else 0,
            "users": tally.users,
            "fallbacks": tally.fallbacks,
            "failures": tally.failures,
            "refused": tally.refused,
            "unrecorded": tally.unrecorded,
            "late": tally.late,
        },
    }


def disagreement(it: Json) -> Json:
    """A candle of the report's `disagreements`; `candle_time` is null if its key holds no time."""
    opened = time_of_candle_key(it["candle"])
    try:
        time = None if opened is None else iso(opened * 1000)
    except (ValueError, OverflowError):  # an instant before the year 1
        time = None
    return {**it, "candle_time": time}


def iso(instant: Micros | None) -> str | None:
    """An instant in UTC with `Z`, and with its fraction of a second if it has one."""
    return None if instant is None else iso_of(instant)
