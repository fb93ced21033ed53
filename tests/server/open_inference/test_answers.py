"""Answers: elements as bytes, and parameters of one item and of several."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import numpy as np
import pytest

from core.errors import ModelUnavailable
from core.inference.decision import Decision
from core.inference.detector import Prediction, Spent
from core.inference.warnings import Warned
from core.serving.routing import Answered, Question
from server.open_inference.answers import OutputTensor, answer
from server.open_inference.inference import InferenceHead, parameters_of
from server.open_inference.questions import Questions
from server.open_inference.rest import inference
from tests.server.open_inference.tensors_of import FIRST, HOUR, bars, body, times

SHORT = Decision("short", 0.75, 0.82, 0.68, True, "short")
HOLD = Decision("hold", 0.6, 0.4, None, False, None)
WARNED = (Warned("NO_STAGE2", "why"),)


def answered(version: str = "v1", decision: Decision = SHORT, **fields: Any) -> Answered:  # noqa: ANN401
    prediction = Prediction(version, decision, (), Spent(0.0, 0.0, 0.0))
    reason = fields.pop("fallback_reason", None)
    return Answered(msgspec.structs.replace(prediction, **fields), None if reason is None else str(reason))


def asked(batch: int) -> tuple[InferenceHead, list[Question]]:
    request = inference(json.dumps(body(candles=bars(*[0.4] * batch), timestamps=times(batch))).encode(), None, None)
    several = Questions(request, 0.0, math.inf)
    return request.head, [several.question(item) for item in range(several.count)]


def test_one_item_has_plain_parameters() -> None:
    request, questions = asked(1)
    found = answer(request, questions, [answered(opens=float(FIRST), fallback_reason="v2 failed", warnings=WARNED)])
    assert found.parameters == {
        "candle_time": "2025-01-01T00:00:00Z",
        "valid_until": "2025-01-01T02:00:00Z",
        "fallback_reason": "v2 failed",
        "warnings": '[{"code":"NO_STAGE2","message":"why","items":[0]}]',
    }


def test_several_items_have_an_array_for_each_parameter() -> None:
    request, questions = asked(3)
    results = [answered(), answered("v2", HOLD, opens=float(FIRST + HOUR)), answered("v2", warnings=WARNED)]
    found = answer(request, questions, results)
    parameters = {name: json.loads(str(value)) for name, value in found.parameters.items()}
    assert parameters == {
        "candle_time": [None, "2025-01-01T01:00:00Z", None],
        "valid_until": [None, "2025-01-01T03:00:00Z", None],
        "model_versions": ["v1", "v2", "v2"],
        "warnings": [{"code": "NO_STAGE2", "message": "why", "items": [2]}],
    }
    assert found.version == "v1"
    values = {output.name: output.values for output in found.outputs}
    assert values["signal"] == ["short", "hold", "short"]
    assert np.array_equal(values["stage2_prob"], [0.68, np.nan, 0.68], equal_nan=True)


def test_an_error_of_one_item_is_the_error_of_all() -> None:
    request, questions = asked(2)
    with pytest.raises(ModelUnavailable):
        answer(request, questions, [answered(), ModelUnavailable("no")])


def test_bytes_are_little_endian_and_texts_have_their_length() -> None:
    assert OutputTensor("confidence", "FP64", [1.0], binary=True).raw() == b"\0\0\0\0\0\0\xf0\x3f"
    assert OutputTensor("signal", "BYTES", ["hold", "é"], binary=True).raw() == b"\4\0\0\0hold\2\0\0\0\xc3\xa9"


def test_parameters_of_a_dictionary_are_those_of_json() -> None:
    found = parameters_of({"pair": "EUR/USD", "user_id": 7, "timeout": 5, "mine": "x"})
    assert (found.pair, found.user_id, found.timeout) == ("EUR/USD", 7, 5)
