from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from core.log_event import LogEvent
from server.api.known_places import known_part
from server.http.refusal_log import SECONDS, RefusalLog
from tests.server.client import Client, Post

PREDICT = "POST /reversal/predict"


class FakeClock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.name == "server.http.refusal_log"]
    caplog.clear()
    return found


def line(code: str, path: str | None, count: int = 1, endpoint: str = PREDICT) -> str:
    return str(LogEvent("request_refused", endpoint=endpoint, code=code, path=path, count=count))


def test_a_line_is_an_event_with_fields(caplog: pytest.LogCaptureFixture) -> None:
    RefusalLog(known_part).note(PREDICT, "VALIDATION_ERROR", "data[12].low")
    event = 'request_refused endpoint="POST /reversal/predict" code=VALIDATION_ERROR path=data[12].low count=1'
    assert lines(caplog) == [event]


def test_many_refusals_of_a_kind_are_one_line_a_second_with_their_number(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    log = RefusalLog(known_part, clock)
    for i in range(225):
        log.note(PREDICT, "VALIDATION_ERROR", f"data[{i}].low")
    log.note(PREDICT, "VALIDATION_ERROR", "data[3].high")
    assert lines(caplog) == [line("VALIDATION_ERROR", "data[0].low"), line("VALIDATION_ERROR", "data[3].high")]
    log.flush()
    assert lines(caplog) == []
    clock.seconds += SECONDS
    log.flush()
    assert lines(caplog) == [line("VALIDATION_ERROR", "data[].low", 224)]
    log.flush()
    assert lines(caplog) == []
    log.note(PREDICT, "VALIDATION_ERROR", "data[7].low")
    assert lines(caplog) == [line("VALIDATION_ERROR", "data[7].low")]


def test_a_new_line_has_the_number_of_refusals_since_the_last_one(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    log = RefusalLog(known_part, clock)
    for _ in range(3):
        log.note(PREDICT, "MALFORMED_JSON", "")
    clock.seconds += SECONDS
    log.note(PREDICT, "MALFORMED_JSON", "")
    assert lines(caplog) == [line("MALFORMED_JSON", None), line("MALFORMED_JSON", None, 3)]


async def test_each_refusal_leaves_a_line_and_a_count(
    client: Client, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    bad = {"pair": "EUR/USD", "data": [{"open": 1, "high": None, "low": 1, "close": 1}]}
    lines(caplog)
    asked = {
        "/reversal/predict": line("VALIDATION_ERROR", "data[0].high"),
        "/predict": line("VALIDATION_ERROR", "data[0].high", 1, "POST /predict"),
        "/reversal/compare": line("VALIDATION_ERROR", "data[0].high", 1, "POST /reversal/compare"),
    }
    for path, logged in asked.items():
        assert (await post(path, bad))[0] == 422
        assert lines(caplog) == [logged]
    assert (await post("/reversal/predict/batch", {"items": [bad, bad, {"pair": "EURUSD"}]}))[0] == 200
    assert lines(caplog) == [
        line("VALIDATION_ERROR", place, 1, "POST /reversal/predict/batch") for place in ("data[0].high", "pair")
    ]
    assert (await post("/reversal/predict", b"{"))[0] == 400
    assert lines(caplog) == [line("MALFORMED_JSON", None)]
    response = await client.post("/reversal/nothing/s3cret", data=json.dumps(bad))
    assert response.status == 404
    assert lines(caplog) == [line("NOT_FOUND", None, 1, "none")]
    assert (await client.get("/reversal/predict")).status == 405
    assert lines(caplog) == [line("METHOD_NOT_ALLOWED", None, 1, "OTHER /reversal/predict")]
    assert (await client.request("PUT", "/reversal/models/s3cret/load")).status == 405
    assert lines(caplog) == [line("METHOD_NOT_ALLOWED", None, 1, "OTHER /reversal/models/{version}/load")]
    assert (await post("/reversal/experiments", {"s3cret": 1}))[0] == 422
    assert lines(caplog) == [line("VALIDATION_ERROR", "…", 1, "POST /reversal/experiments")]
    text = await (await client.get("/metrics")).text()
    assert 'reversal_prediction_errors_total{code="VALIDATION_ERROR"} 6.0' in text
    assert 'reversal_prediction_errors_total{code="MALFORMED_JSON"} 1.0' in text
    assert 'reversal_prediction_errors_total{code="NOT_FOUND"} 0.0' in text


async def test_a_version_that_fails_in_a_comparison_leaves_a_line_and_a_count(
    post: Post, models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert (models / "v2").exists()
    lines(caplog)
    body = {"pair": "EUR/USD", "features": [[0.1, 0.1]] * 4, "versions": ["v1", "v2"]}
    assert (await post("/reversal/compare", body))[0] == 200
    assert lines(caplog) == [line("VALIDATION_ERROR", "features", 1, "POST /reversal/compare")]


async def test_a_bad_outcome_leaves_a_line(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    lines(caplog)
    assert (await post("/reversal/outcomes", {"outcomes": [{"prediction_id": "p", "outcome": "s3cret"}]}))[0] == 200
    assert lines(caplog) == [line("VALIDATION_ERROR", "outcome", 1, "POST /reversal/outcomes")]


async def test_the_line_of_a_503_has_the_error(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    assert (await post("/reversal/models/v2/unload"))[0] == 200
    lines(caplog)
    body = {"pair": "EUR/USD", "features": [[0.1, 0.1]] * 4, "version": "v2"}
    for _ in range(3):
        assert (await post("/reversal/predict", body))[0] == 503
    (logged,) = lines(caplog)
    assert logged.startswith(f"{line('MODEL_UNAVAILABLE', None)} error=")
    assert "v2" in logged


def test_no_refusal_is_lost_at_the_end_or_if_there_are_too_many_kinds(caplog: pytest.LogCaptureFixture) -> None:
    log = RefusalLog(known_part, FakeClock())
    for _ in range(4):
        log.note(PREDICT, "VALIDATION_ERROR", "pair")
    for i in range(1_000):
        log.note(f"POST /{i}", "NOT_FOUND", "")
    assert line("VALIDATION_ERROR", "pair", 3) in lines(caplog)
    log.note("POST /999", "NOT_FOUND", "")
    log.flush(math.inf)
    assert lines(caplog) == [line("NOT_FOUND", None, 1, "POST /999")]
