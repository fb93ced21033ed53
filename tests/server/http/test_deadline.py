from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from core.errors import InvalidInput
from core.serving.routing import Question, Result
from server.http.deadline import HEADER, MOST_MS, deadline
from tests.server.questions import asks
from tests.server.worker_fixture import Worker

pytestmark = pytest.mark.serial  # limits of 10 to 150 ms


def test_the_header_takes_precedence_over_the_setting() -> None:
    assert deadline({}, 250) == pytest.approx(time.perf_counter() + 0.25, abs=0.1)
    assert deadline({HEADER: "9000"}, 250) == pytest.approx(time.perf_counter() + 9.0, abs=0.1)


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "soon", "\u0663", str(MOST_MS + 1), "9" * 5000])
def test_an_invalid_header_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        deadline({HEADER: text}, 250)
    assert raised.value.details[0].path == HEADER


def slow(worker: Worker, seconds: float) -> None:
    """Delay every prediction by `seconds`."""
    predict = worker.predictor.predict

    def later(snapshot: Any, questions: Sequence[Question]) -> list[Result]:  # noqa: ANN401 - passed on
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:  # time.sleep is forbidden in the event loop
            pass
        return predict(snapshot, questions)

    worker.predictor.predict = later  # type: ignore[method-assign]


async def test_a_late_request_is_not_predicted(worker: Worker) -> None:
    slow(worker, 0.02)
    late = await worker.client.post("/reversal/predict", json=asks(0.9), headers={HEADER: "10"})
    assert (late.status, (await late.json())["code"]) == (504, "DEADLINE_EXCEEDED")
    in_time = await worker.client.post("/reversal/predict", json=asks(0.9), headers={HEADER: "1000"})
    assert in_time.status == 200
    numbers = await worker.numbers()
    assert numbers['reversal_prediction_errors_total{code="DEADLINE_EXCEEDED"}'] == 1
    assert sum(value for name, value in numbers.items() if name.startswith("reversal_predictions_total")) == 1


async def test_late_items_of_a_batch_are_refused_and_the_others_are_answered(worker: Worker) -> None:
    slow(worker, 0.02)  # each slice
    body = {"items": [asks(0.9)] * 256}
    response = await worker.client.post("/reversal/predict/batch", json=body, headers={HEADER: "150"})
    results = (await response.json())["data"]["results"]
    assert response.status == 200
    codes = [result.get("code") for result in results]
    assert codes == sorted(codes, key=bool)  # None first
    assert set(codes) == {None, "DEADLINE_EXCEEDED"}


async def drip(body: bytes, seconds: float) -> AsyncIterator[bytes]:
    for i in range(len(body)):
        yield body[i : i + 1]
        await asyncio.sleep(seconds)


@pytest.mark.parametrize("path", ["predict", "compare", "explain", "predict/batch"])
async def test_a_body_that_does_not_arrive_in_time_is_not_awaited(worker: Worker, path: str) -> None:
    began = time.monotonic()
    headers = {HEADER: "100", "Content-Type": "application/json"}
    response = await worker.client.post(f"/reversal/{path}", data=drip(b" " * 1000, 0.05), headers=headers)
    answer = await response.json()
    assert (response.status, answer["code"]) == (504, "DEADLINE_EXCEEDED")
    assert "body" in answer["error"]
    assert time.monotonic() < began + 5
    assert (
        await worker.client.post("/reversal/predict", data=io.BytesIO(b"{"), headers=headers)
    ).status == 400  # other requests are served
