"""The answer to a request for inference, whatever its transport."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import orjson

from core.errors import ServiceError
from core.serving.routing import Answered, Question, Result
from server.api.answers import validity
from server.api.schemas.open_inference import Datatype
from server.open_inference.inference import Inference

Scalar: TypeAlias = str | float | bool

_LENGTH = struct.Struct("<I")


class OutputTensor(NamedTuple):
    """An output: one element for each item of the batch. A number is NaN where there is none: stage2_prob of hold.

    binary: whether the client asked for it as bytes.
    """

    name: str
    datatype: Datatype
    values: list[Any]
    binary: bool

    @property
    def shape(self) -> list[int]:
        """The size of the batch."""
        return [len(self.values)]

    def raw(self) -> bytes:
        """The elements as bytes: numbers are little-endian, and a text follows its length of four bytes."""
        if self.datatype == "BYTES":
            texts = [value.encode() for value in self.values]
            return b"".join([_LENGTH.pack(len(text)) + text for text in texts])
        return struct.pack(f"<{len(self.values)}d", *self.values)


class InferenceAnswer(NamedTuple):
    """An answer. version: that answered the first item. id: that of the request; None if it has none."""

    version: str
    id: str | None
    parameters: dict[str, Scalar]
    outputs: list[OutputTensor]


# Probabilities and the confidence are FP64, so that they are those of /reversal/predict to the last bit.
_OUTPUTS: dict[str, tuple[Datatype, Callable[[Answered], Any]]] = {
    "stage1_prob": ("FP64", lambda one: one.prediction.decision.stage1_prob),
    "stage2_prob": ("FP64", lambda one: _or_nan(one.prediction.decision.stage2_prob)),
    "signal": ("BYTES", lambda one: one.prediction.decision.signal),
    "confidence": ("FP64", lambda one: one.prediction.decision.confidence),
}


def answer(asked: Inference, questions: Sequence[Question], results: Sequence[Result]) -> InferenceAnswer:
    """The answer for all items. Raises the error of the first item that has one: an answer has all items or none."""
    found: list[Answered] = []
    for result in results:
        if isinstance(result, ServiceError):
            raise result
        found.append(result)
    outputs = []
    for name, binary in asked.outputs:
        datatype, value = _OUTPUTS[name]
        outputs.append(OutputTensor(name, datatype, [value(one) for one in found], binary))
    version = found[0].prediction.version
    return InferenceAnswer(version, asked.id, _parameters(questions, found), outputs)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _parameters(questions: Sequence[Question], found: Sequence[Answered]) -> dict[str, Scalar]:
    """What the answer has beside its tensors.

    A parameter can only be a scalar. For a batch of several items it is therefore a JSON array as text, with one
    element for each item. Warnings are always a JSON array: each with the items that have it.
    """
    parameters: dict[str, Scalar] = {}
    columns = {
        name: [value(question, one) for question, one in zip(questions, found, strict=True)]
        for name, value in _OF_ITEM.items()
    }
    for name, values in columns.items():
        if len(values) == 1 and values[0] is not None:
            parameters[name] = values[0]
        elif len(values) > 1 and any(value is not None for value in values):
            parameters[name] = orjson.dumps(values).decode()
    versions = [one.prediction.version for one in found]
    if len(set(versions)) > 1:
        parameters["model_versions"] = orjson.dumps(versions).decode()
    if any(one.prediction.warnings for one in found):
        parameters["warnings"] = orjson.dumps(_warnings(found)).decode()
    return parameters


def _warnings(found: Sequence[Answered]) -> list[dict[str, Any]]:
    items: dict[tuple[str, str], list[int]] = {}
    for i, one in enumerate(found):
        for warning in one.prediction.warnings:
            items.setdefault((warning.code, warning.message), []).append(i)
    return [{"code": code, "message": message, "items": which} for (code, message), which in items.items()]


def _candle_time(question: Question, one: Answered) -> str | None:
    opens = one.prediction.opens
    return None if opens is None else validity(opens, question.timeframe)[0]


def _valid_until(question: Question, one: Answered) -> str | None:
    opens = one.prediction.opens
    return None if opens is None else validity(opens, question.timeframe)[1]


# Parameters of each item: as the fields of /reversal/predict, those of an experiment without their object.
_OF_ITEM: dict[str, Callable[[Question, Answered], str | None]] = {
    "candle_time": _candle_time,
    "valid_until": _valid_until,
    "fallback_reason": lambda _, one: one.fallback_reason,
    "experiment_id": lambda _, one: None if one.exposure is None else one.exposure.experiment_id,
    "variant": lambda _, one: None if one.exposure is None else one.exposure.variant,
    "prediction_id": lambda _, one: None if one.exposure is None else one.exposure.prediction_id,
}
