"""The answer to a request for inference, whatever its transport."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import orjson

from core.errors import ServiceError
from core.serving.routing import Answered, Question, Result
from server.api.answers import validity
from server.api.schemas.open_inference import Datatype
from server.open_inference.inference import InferenceHead

Scalar: TypeAlias = str | float | bool

_LENGTH, _NUMBER = struct.Struct("<I"), struct.Struct("<d")


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
        if len(self.values) == 1:
            return _NUMBER.pack(*self.values)
        return struct.pack(f"<{len(self.values)}d", *self.values)


class InferenceAnswer(NamedTuple):
    """An answer. version: that answered the first item. id: that of the request; None if it has none."""

    version: str
    id: str | None
    parameters: dict[str, Scalar]
    outputs: list[OutputTensor]


# Probabilities and the confidence are FP64, so that they are those of /reversal/predict to the last bit.
_DATATYPES: dict[str, Datatype] = {
    "stage1_prob": "FP64",
    "stage2_prob": "FP64",
    "signal": "BYTES",
    "confidence": "FP64",
}

# The only output that a decision may not have.
_OPTIONAL = "stage2_prob"


def answer(asked: InferenceHead, questions: Sequence[Question], results: Sequence[Result]) -> InferenceAnswer:
    """The answer for all items. Raises the error of the first item that has one: an answer has all items or none."""
    found: list[Answered] = []
    for result in results:
        if isinstance(result, ServiceError):
            raise result
        found.append(result)
    decisions = [one.prediction.decision for one in found]
    outputs = []
    for name, binary in asked.outputs:
        values = [getattr(each, name) for each in decisions]
        if name == _OPTIONAL:
            values = [math.nan if value is None else value for value in values]
        outputs.append(OutputTensor(name, _DATATYPES[name], values, binary))
    version = found[0].prediction.version
    return InferenceAnswer(version, asked.id, _parameters(questions, found), outputs)


def _parameters(questions: Sequence[Question], found: Sequence[Answered]) -> dict[str, Scalar]:
    """What the answer has beside its tensors.

    A parameter can only be a scalar. For a batch of several items it is therefore a JSON array as text, with one
    element for each item. Warnings are always a JSON array: each with the items that have it.
    """
    of_items = [_of_item(question, one) for question, one in zip(questions, found, strict=True)]
    if len(found) == 1:
        parameters = of_items[0]
    else:
        parameters = {
            name: orjson.dumps([each.get(name) for each in of_items]).decode()
            for name in dict.fromkeys(chain.from_iterable(of_items))
        }
        versions = [one.prediction.version for one in found]
        if len(set(versions)) > 1:
            parameters["model_versions"] = orjson.dumps(versions).decode()
    if any(one.prediction.warnings for one in found):
        parameters["warnings"] = orjson.dumps(_warnings(found)).decode()
    return parameters


def _of_item(question: Question, one: Answered) -> dict[str, Scalar]:
    """As the fields of /reversal/predict; those of an experiment without their object."""
    parameters: dict[str, Scalar] = {}
    opens = one.prediction.opens
    if opens is not None:
        candle_time, valid_until = validity(opens, question.timeframe)
        if candle_time is not None:
            parameters["candle_time"] = candle_time
        if valid_until is not None:
            parameters["valid_until"] = valid_until
    if one.fallback_reason is not None:
        parameters["fallback_reason"] = one.fallback_reason
    if (exposure := one.exposure) is not None:
        parameters["experiment_id"] = exposure.experiment_id
        parameters["variant"] = exposure.variant
        parameters["prediction_id"] = exposure.prediction_id
    return parameters


def _warnings(found: Sequence[Answered]) -> list[dict[str, Any]]:
    items: dict[tuple[str, str], list[int]] = {}
    for i, one in enumerate(found):
        for warning in one.prediction.warnings:
            items.setdefault((warning.code, warning.message), []).append(i)
    return [{"code": code, "message": message, "items": which} for (code, message), which in items.items()]
