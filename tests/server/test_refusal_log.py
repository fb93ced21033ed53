from __future__ import annotations

import json
from pathlib import Path

import pytest

from server.refusal_log import SECONDS, RefusalLog, known_part
from tests.server.conftest import Client, Post

PREDICT = "POST /reversal/predict"


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.name == "server.refusal_log"]
    caplog.clear()
    return found


def line(code: str, place: str, more: int, endpoint: str = PREDICT) -> str:
    return f"refused endpoint={endpoint!r} code={code} place={place} more={more}"


def test_many_alike_are_one_line_a_second_with_their_number(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    log = RefusalLog(clock)
    for i in range(225):
        log.note(PREDICT, "VALIDATION_ERROR", f"data[{i}].low")
    log.note(PREDICT, "VALIDATION_ERROR", "data[3].high")
    assert lines(caplog) == [line("VALIDATION_ERROR", "data[0].low", 0), line("VALIDATION_ERROR", "data[3].high", 0)]
    log.flush()
    assert lines(caplog) == []
    clock.seconds += SECONDS
    log.flush()
    assert lines(caplog) == [line("VALIDATION_ERROR", "data[].low", 224)]
    log.flush()
    assert lines(caplog) == []
    log.note(PREDICT, "VALIDATION_ERROR", "data[7].low")
    assert lines(caplog) == [line("VALIDATION_ERROR", "data[7].low", 0)]


def test_a_new_line_has_those_since_the_last_one(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    log = RefusalLog(clock)
    for _ in range(3):
        log.note(PREDICT, "MALFORMED_JSON", "")
    clock.seconds += SECONDS
    log.note(PREDICT, "MALFORMED_JSON", "")
    assert lines(caplog) == [line("MALFORMED_JSON", "-", 0), line("MALFORMED_JSON", "-", 2)]


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("data[12].low", "data[12].low"),
        ("features.stage2[3][4]", "features.stage2[3][4]"),
        ("features.s3cret[0]", "features…"),
        ("s3cret", "…"),
        ("guardrails.s3cret", "guardrails…"),
        ("versions[3]", "versions[3]"),
        ("data[0].s3cret.low", "data[0]…"),
        ("X-Request-Timeout-Ms", "X-Request-Timeout-Ms"),
        ("user_id\nERROR forged", "user_id…"),
        ("", ""),
    ],
)
def test_names_that_a_client_made_up_are_not_told(place: str, shown: str) -> None:
    assert known_part(place) == shown


async def test_each_refusal_leaves_a_line_and_a_count(
    client: Client, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    bad = {"pair": "EUR/USD", "data": [{"open": 1, "high": None, "low": 1, "close": 1}]}
    lines(caplog)
    asked = {
        "/reversal/predict": line("VALIDATION_ERROR", "data[0].high", 0),
        "/predict": line("VALIDATION_ERROR", "data[0].high", 0, "POST /predict"),
        "/reversal/compare": line("VALIDATION_ERROR", "data[0].high", 0, "POST /reversal/compare"),
    }
    for path, told in asked.items():
        assert (await post(path, bad))[0] == 422
        assert lines(caplog) == [told]
    assert (await post("/reversal/predict/batch", {"items": [bad, bad, {"pair": "EURUSD"}]}))[0] == 200
    assert lines(caplog) == [
        line("VALIDATION_ERROR", place, 0, "POST /reversal/predict/batch") for place in ("data[0].high", "pair")
    ]
    assert (await post("/reversal/predict", b"{"))[0] == 400
    assert lines(caplog) == [line("MALFORMED_JSON", "-", 0)]
    response = await client.post("/reversal/nothing/s3cret", data=json.dumps(bad))
    assert response.status == 404
    assert lines(caplog) == [line("NOT_FOUND", "-", 0, "none")]
    assert (await post("/reversal/experiments", {"s3cret": 1}))[0] == 422
    assert lines(caplog) == [line("VALIDATION_ERROR", "…", 0, "POST /reversal/experiments")]
    text = await (await client.get("/metrics")).text()
    assert 'reversal_prediction_errors_total{code="VALIDATION_ERROR"} 6.0' in text
    assert 'reversal_prediction_errors_total{code="MALFORMED_JSON"} 1.0' in text
    assert "NOT_FOUND" not in text


async def test_what_is_logged_already_leaves_no_second_line(
    post: Post, models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for version in ("v1", "v2", "v3"):
        assert (models / version).exists()
    body = {"pair": "EUR/USD", "features": [[0.1, 0.1]] * 4, "version": "v9"}
    assert (await post("/reversal/predict", body))[0] == 422
    assert lines(caplog) == [line("UNKNOWN_VERSION", "version", 0)]
