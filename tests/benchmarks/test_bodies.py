from __future__ import annotations

import orjson
import pytest

from benchmarks import bodies, stages
from core.inference.detector import Detector, Prediction
from server.api import decoding
from server.api.schemas.predictions import MAX_BATCH


def content(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(("kind", "size"), [("features", 2_700), ("70 candles", 8_300), ("120 candles", 14_100)])
def test_requests_are_different_compact_of_one_size_and_open_the_gate(kind: str, size: int) -> None:
    messages = bodies.messages(kind)
    assert len(set(messages)) == bodies.DIFFERENT
    assert len(messages[0]) == pytest.approx(size, rel=0.1)
    assert orjson.dumps(orjson.loads(content(messages[0]))) == content(messages[0])
    detector = Detector(stages.bundle())
    outcomes = detector.predict([decoding.prediction(content(message), since=0.0).source for message in messages])
    for outcome in outcomes:
        assert isinstance(outcome, Prediction)
        assert outcome.decision.reversal_detected


def test_requests_have_the_version_or_different_users() -> None:
    plain = [decoding.prediction(content(message), since=0.0) for message in bodies.messages("features")]
    assert {(question.version, question.user) for question in plain} == {("v3.0", None)}
    asked = [decoding.prediction(content(message), since=0.0) for message in bodies.messages("features", users=True)]
    assert {question.version for question in asked} == {None}
    assert len({question.user for question in asked}) == bodies.DIFFERENT


def test_batches_begin_with_different_items() -> None:
    items = [orjson.loads(content(message))["items"] for message in bodies.batches("features", MAX_BATCH)]
    assert [len(each) for each in items] == [MAX_BATCH] * 4
    assert len({orjson.dumps(each[0]) for each in items}) == 4


def test_numbers_are_written_as_node_writes_them() -> None:
    for message in bodies.messages("120 candles"):
        assert b".0," not in message
        assert b".0}" not in message


def test_a_kind_with_too_few_windows_in_the_history_is_refused() -> None:
    with pytest.raises(ValueError, match=rf"6000 candles: .*\b{bodies.DIFFERENT}\b"):
        bodies.requests("6000 candles")
