"""Bodies that share what is the same in all answers have the bytes of bodies that are encoded as a whole."""

from __future__ import annotations

import json
import math
from itertools import product
from typing import Any

import pytest

from core.errors import ModelUnavailable
from core.experiments.experiment import Variant
from core.experiments.records import Exposure
from core.inference.decision import Decision
from core.inference.detector import Prediction, Spent
from core.inference.warnings import NO_TIMESTAMPS, Warned
from core.serving.routing import Answered, Question
from server.open_inference import bodies
from server.open_inference.answers import answer
from server.open_inference.inference import OUTPUTS, InferenceHead
from server.open_inference.questions import Questions
from server.open_inference.rest import encoded, inference
from tests.server.open_inference.tensors_of import FIRST, HOUR, bars, binary, body, times

SPENT = Spent(0.0, 0.0, 0.0)
SHORT = Decision("short", 0.75, 0.82, 0.68, True, "short")
DECISIONS = (
    SHORT,
    Decision("long", 0.25, 0.1 + 0.2, 5e-324, True, "long"),
    Decision("hold", 0.6, 0.4, None, False, None),
)
# Texts of clients that could be taken for places in the answer.
ODD = '%b %s %% "prediction_id":"" é'
REASONS = (None, "v2 failed")
WARNINGS = ((), (NO_TIMESTAMPS,), (Warned("OPEN_CANDLE", ODD), NO_TIMESTAMPS))
OPENS = (None, float(FIRST), float(FIRST + HOUR), 253_402_300_799_000.0)


def exposure(number: int) -> Exposure | None:
    if not number:
        return None
    variant: Variant = "A" if number > 1 else "B"
    about = "c", SHORT.signal, SHORT.confidence, SHORT.stage1_prob, SHORT.stage2_prob, 5, False
    return Exposure(f"id{number:04}", 1, f"e{number} {ODD}", variant, "v1", None, "u", "EUR/USD", "1h", *about)


RESULTS = [
    Answered(Prediction(version, decision, warnings, SPENT, opens), reason, exposure(number))
    for version, decision, warnings, opens, reason, number in product(
        ("v1", "v2.0-b"), DECISIONS, WARNINGS, OPENS, REASONS, (0, 1, 2, 3)
    )
]


def asked(outputs: tuple[str, ...], batch: int = 1, **more: Any) -> tuple[InferenceHead, list[Question]]:  # noqa: ANN401
    chosen = [{"name": name, "parameters": {"binary_data": True}} for name in outputs]
    data, headers = binary(body(candles=bars(*[0.4] * batch), timestamps=times(batch), more={"outputs": chosen} | more))
    request = inference(data, headers["Inference-Header-Content-Length"], None)
    several = Questions(request, 0.0, math.inf)
    return request.head, [several.question(item) for item in range(several.count)]


@pytest.fixture(autouse=True)
def nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "known", {})


@pytest.mark.parametrize("outputs", [OUTPUTS, OUTPUTS[::-1], ("signal",), ("stage2_prob",), ("confidence", "signal")])
@pytest.mark.parametrize("request_id", [None, "7", ODD])
def test_all_answers_have_the_bytes_of_the_plain_way(outputs: tuple[str, ...], request_id: str | None) -> None:
    request, questions = asked(outputs, id=request_id)
    for _ in range(2):  # what is shared is there in the second round
        for result in RESULTS:
            assert bodies.written(request, questions, [result]) == encoded(answer(request, questions, [result]))


def test_requests_that_differ_share_nothing() -> None:
    # Pairs of requests whose answers differ only by one thing each, so that a key without it would mix them up.
    (result,) = [each for each in RESULTS if each.prediction.opens == FIRST][:1]
    for more in ({}, {"id": "7"}, {"parameters": {"timeframe": "4h"}}, {"parameters": {"timeframe": "1d"}}):
        for outputs in (OUTPUTS, ("signal", "confidence"), ("confidence", "signal")):
            request, questions = asked(outputs, **more)
            assert bodies.written(request, questions, [result]) == encoded(answer(request, questions, [result]))


def test_outputs_in_json_and_several_items_take_the_plain_way() -> None:
    request, questions = asked(OUTPUTS, batch=2)
    found = bodies.written(request, questions, RESULTS[:2])
    assert found == encoded(answer(request, questions, RESULTS[:2]))
    plain = json.dumps(body(candles=bars(0.4), timestamps=times())).encode()
    request = inference(plain, None, None).head
    found = bodies.written(request, questions[:1], RESULTS[:1])
    assert json.loads(found.body)["outputs"][0]["data"] == [0.82]
    assert not bodies.known


def test_an_error_is_raised() -> None:
    request, questions = asked(OUTPUTS)
    with pytest.raises(ModelUnavailable):
        bodies.written(request, questions, [ModelUnavailable("no")])


def test_what_is_shared_has_a_bound() -> None:
    request, questions = asked(OUTPUTS)
    for hour in range(2 * bodies.MOST):
        prediction = Prediction("v1", SHORT, (), SPENT, float(FIRST + HOUR * hour))
        bodies.written(request, questions, [Answered(prediction)])
    assert 0 < len(bodies.known) <= bodies.MOST
