"""The envelope of answers and the data in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeAlias

import msgspec
import orjson

from core.bundles.manifest import DirectionStage, File, Manifest, Stage
from core.features.timeframes import iso, shifted
from core.inference.detector import Prediction
from core.inference.explaining import Explanation
from core.serving.registry import ListedVersion
from core.serving.replicas import Replica, ReplicaVersion
from core.serving.routing import Answered, Question
from server.api.decoding import Comparison
from server.http.clock import Moment
from server.http.envelope import SUCCESS, Json

# Makes the data of an answer from a question and its result.
Shape: TypeAlias = Callable[[Question, Answered, Moment], Json]


def encoded(endpoint: Shape, question: Question, answer: Answered, now: Moment) -> bytes:
    """The body of an answer. `endpoint` makes its data."""
    return orjson.dumps({**SUCCESS, "data": endpoint(question, answer, now), "timestamp": now.local})


def answered(question: Question, answer: Answered, now: Moment) -> Json:
    """The data of /reversal/predict."""
    data = prediction(question, answer.prediction, now)
    if answer.fallback_reason is not None or answer.exposure is not None:
        _add_provenance(data, answer)
    return data


def prediction(asked: Question | Comparison, answer: Prediction, now: Moment) -> Json:
    """The prediction of one version: the data of /reversal/predict, or an entry of /reversal/compare."""
    decision = answer.decision
    data: Json = {
        "pair": asked.pair,
        "timeframe": asked.timeframe,
        "signal": decision.signal,
        "confidence": decision.confidence,
        "stage1_prob": decision.stage1_prob,
        "stage2_prob": decision.stage2_prob,
        "model_version": answer.version,
        "factors": {
            "reversal_detected": decision.reversal_detected,
            "direction": decision.direction,
            "technical": decision.stage1_prob,
            "pattern": decision.stage2_prob,
        },
        "timestamp": now.utc,
    }
    if answer.opens is not None or answer.warnings:
        _add_circumstances(data, answer, asked.timeframe)
    return data


def explained(question: Question, answer: Prediction, found: Explanation, now: Moment) -> Json:
    """The data of /reversal/explain."""
    return prediction(question, answer, now) | {"explanation": found.plain()}


def legacy_answered(question: Question, answer: Answered, now: Moment) -> Json:
    """The data of /predict. It has 0.5 for an unknown value, because this call has no null."""
    decision = answer.prediction.decision
    data = {
        "prediction": decision.signal,
        "signal": decision.signal,
        "confidence": decision.confidence,
        "factors": {
            "technical": decision.stage1_prob,
            "sentiment": 0.5,
            "pattern": 0.5 if decision.stage2_prob is None else decision.stage2_prob,
        },
        "model_version": answer.prediction.version,
        "timestamp": now.utc,
    }
    _add_circumstances(data, answer.prediction, question.timeframe)
    _add_provenance(data, answer)
    return data


def _add_circumstances(data: Json, answer: Prediction, timeframe: str) -> None:
    """Add the time of the last candle and the warnings, if there are any."""
    if answer.opens is not None:
        data["candle_time"], data["valid_until"] = validity(answer.opens, timeframe)
    if answer.warnings:
        data["warnings"] = [warning._asdict() for warning in answer.warnings]


@lru_cache(maxsize=1024)  # all requests within a period are about the same candle
def validity(opens: float, timeframe: str) -> tuple[str | None, str | None]:
    """When the candle opens, and when the period after its own ends; the latter is null after the year 9999."""
    try:
        until = iso(shifted(opens, timeframe, 2))
    except OverflowError:
        until = None
    return iso(opens), until


def _add_provenance(data: Json, answer: Answered) -> None:
    """Add the fallback and the experiment that an answer comes from, if there are any."""
    if answer.fallback_reason is not None:
        data["served_by"], data["fallback_reason"] = answer.prediction.version, answer.fallback_reason
    if (exposure := answer.exposure) is not None:
        data["experiment"] = {"experiment_id": exposure.experiment_id, "variant": exposure.variant}
        data["prediction_id"] = exposure.prediction_id


def model(entry: ListedVersion, name: str, others: Iterable[Replica]) -> Json:
    """A version for /reversal/models. If its manifest cannot be read, only the error is known.

    name: of this replica. others: the other replicas.
    """
    here = ReplicaVersion(entry.digest, entry.loaded, entry.error)
    has = [(name, here), *((other.name, other.of(entry.version)) for other in others)]
    data: Json = {
        "version": entry.version,
        "loaded": entry.loaded,
        "digest": entry.digest,
        "replicas": [{"name": each, **msgspec.to_builtins(version)} for each, version in has],
    }
    if entry.manifest is not None:
        data |= _described(entry.manifest)
    if entry.error is not None:
        data["error"] = entry.error
    return data


def _described(manifest: Manifest) -> Json:
    return {
        "name": manifest.name,
        "description": manifest.description,
        "threshold": manifest.threshold,
        "confidence_weights": manifest.confidence_weights,
        "has_stage2": manifest.positive is not None,
        "inputs": manifest.inputs,
        "classes": manifest.classes,
        "num_features": manifest.stage1.num_features,
        "sequence_length": manifest.stage1.sequence_length,
        "required_candles": manifest.required_candles,
        "recommended_candles": manifest.recommended_candles,
        "requires_timestamps": manifest.requires_timestamps,
        "stages": {label: _stage(stage) for label, stage in manifest.stages.items()},
        "label_rule": manifest.label_rule,
        "metrics": manifest.metrics,
        "metadata": manifest.metadata,
    }


def _stage(stage: Stage) -> Json:
    graphs = {"network": stage.network} | ({"scaler": stage.scaler} if stage.scaler else {})
    return {
        "positive": _positive(stage),
        "features": stage.features,
        "num_features": stage.num_features,
        "sequence_length": stage.sequence_length,
        "parameters": stage.parameters,
        "files": _hashes(graphs),
        "sources": _hashes(stage.sources),
        "parity": stage.parity,
        "limits": None if stage.limits is None else msgspec.to_builtins(stage.limits),
        "training_ranges": stage.training_ranges,
        "background": _most_background(stage),
    }


def _most_background(stage: Stage) -> int:
    """The largest number of reference windows that an explanation can ask for; 0 if there is none."""
    if stage.background_windows is not None:
        return stage.background_windows.count
    return 0 if stage.background is None else 1


def _positive(stage: Stage) -> str | None:
    """The meaning of an output of 1.0; None for classes, each of which has an output."""
    if isinstance(stage, DirectionStage):
        return stage.positive
    return "reversal" if stage.classes is None else None


def _hashes(files: dict[str, File]) -> Json:
    return {role: {"file": file.file, "sha256": file.sha256} for role, file in files.items()}
