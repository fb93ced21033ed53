"""POST /reversal/explain: predict's data with an explanation, from the version that would have answered."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from core import yielding
from core.errors import DeadlineExceeded
from core.inference import explanation
from core.inference.inputs import GivenWindows
from server.http.deadline import HEADER
from server.settings import Settings
from server.worker import explainer
from server.worker.app_keys import EXPLAINER
from server.worker.metrics import Metrics
from tests import bundles
from tests.server.client import Client
from tests.server.questions import asks, candle, candles
from tests.server.worker_fixture import Worker, experiment, running
from tests.waiting import until

PATH = "/reversal/explain"
BACKGROUND = (0.1, 0.2, 0.3)
NO_NUMBERS: list[object] = [0, 51, -1, 2.0, 1.5, "2", True, [], 4, 50]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """As everywhere, but v1 and v2 have stored windows, v3 has no window to compare with, and v4 has 20 features."""
    bundles.write(tmp_path, "v1", background=BACKGROUND)
    bundles.write(tmp_path, "v2", stage2_scale=(0.0, 2.0), threshold=0.6, background=BACKGROUND)
    bundles.write(tmp_path, "v3", stage2_features=None)
    names = ["close", "open", "high", "low", *(f"sma_{n}" for n in range(2, 18))]
    bundles.write(tmp_path, "v4", features=names, stage2_features=None, background=(0.1, 0.3))
    bundles.write_order(tmp_path, "v1", "v2", "v3", "v4")
    return tmp_path


@pytest.fixture
async def worker(
    settings: Settings, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> AsyncIterator[Worker]:
    async with running(settings, aiohttp_client) as made:
        await made.serve()
        yield made


class Held:
    """Holds explanations at their first pause until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.ended: list[BaseException | None] = []
        compute = explainer._explain  # noqa: SLF001

        def held(*arguments: Any) -> Any:  # noqa: ANN401
            self.begun.set()
            self.go.wait(20)
            try:
                found = compute(*arguments)
            except BaseException as error:
                self.ended.append(error)
                raise
            self.ended.append(None)
            return found

        monkeypatch.setattr(explainer, "_explain", held)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    return Held(monkeypatch)


async def explained(worker: Worker, body: object) -> dict[str, Any]:
    status, answer = await worker.post(PATH, body)
    assert status == 200, answer
    data: dict[str, Any] = answer["data"]
    return data


@pytest.mark.parametrize("body", [candles(), asks(0.9), asks(0.9, 0.2), asks(0.3, features_scaled=False)])
async def test_it_is_the_answer_of_predict_with_an_explanation(worker: Worker, body: dict[str, Any]) -> None:
    found, single = await explained(worker, body), await worker.predict(body)
    explained_data = found.pop("explanation")
    assert found | {"timestamp": ""} == single | {"timestamp": ""}
    stage1, stage2 = explained_data["stage1"], explained_data["stage2"]
    assert (explained_data["background"], stage1["probability_of"], stage1["used"]) == (1, "reversal", True)
    assert (stage1["value"], stage2["used"]) == (single["stage1_prob"], single["signal"] != "hold")
    if single["signal"] != "hold":
        assert (stage2["value"], stage2["probability_of"]) == (single["stage2_prob"], single["signal"])
    for stage in (stage1, stage2):
        assert set(stage["features"]) == {"close", "sma_5"}
        assert sum(stage["features"].values()) == pytest.approx(stage["value"] - stage["base_value"], abs=1e-12)
        assert (stage["method"], stage["standard_errors"]) == ("exact", None)


async def test_many_features_are_explained_by_sampling(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explanation, "SAMPLED_COALITIONS", 400)
    window = [[0.02 * k for k in range(20)]] * 4
    body = {"pair": "EUR/USD", "features": window, "version": "v4", "background": 2}
    stage = (await explained(worker, body))["explanation"]["stage1"]
    assert (stage["method"], set(stage["standard_errors"])) == ("sampling", set(stage["features"]))
    # The mean of the window: each feature has its own part, exactly.
    assert stage["features"]["sma_17"] == pytest.approx((0.02 * 19 - 0.2) / 20, abs=1e-6)
    assert max(stage["standard_errors"].values()) < 1e-6


async def test_the_version_is_that_of_a_prediction_and_nothing_is_recorded(worker: Worker) -> None:
    await worker.serve(experiment())  # user123 has v1, alice v2
    for user, version in (("user123", "v1"), ("alice", "v2"), (None, "v1")):
        found = await explained(worker, asks(0.9, 0.9, user_id=user))
        assert found["model_version"] == version
        assert not {"experiment", "prediction_id"} & set(found)
    assert (await explained(worker, asks(0.9, 0.9, user_id="user123", version="v2")))["model_version"] == "v2"
    assert (await worker.records(), await worker.beside()) == ([], {})
    counted = {name: value for name, value in (await worker.numbers()).items() if "_predictions_total" in name}
    assert not any(counted.values())


@pytest.mark.parametrize(("query", "given", "used"), [("", 2, 2), ("?background=3", None, 3), ("?background=2", 2, 2)])
async def test_the_number_of_reference_windows_is_in_the_body_or_in_the_query(
    worker: Worker, query: str, given: int | None, used: int
) -> None:
    status, answer = await worker.post(PATH + query, asks(0.9, background=given))
    assert (status, answer["data"]["explanation"]["background"]) == (200, used)
    base = {2: 0.2, 3: 0.2}[used]
    assert answer["data"]["explanation"]["stage1"]["base_value"] == pytest.approx(base, abs=1e-6)


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        *(("", {"background": value}) for value in NO_NUMBERS),
        *((f"?background={text}", {}) for text in ("0", "51", "", "x", "2.0", "-1", "1" * 5000, "²", "4")),
        ("?background=2", {"background": 3}),
    ],
)
async def test_another_number_of_them_is_a_422_with_its_path(
    worker: Worker, query: str, fields: dict[str, Any]
) -> None:
    status, answer = await worker.post(PATH + query, asks(0.9, **fields))
    assert (status, answer["code"]) == (422, "VALIDATION_ERROR")
    assert [detail["path"] for detail in answer["details"]] == ["background"]


async def test_a_version_without_a_reference_window_says_how_to_add_it(worker: Worker) -> None:
    status, answer = await worker.post(PATH, asks(0.9, version="v3"))
    assert (status, answer["code"]) == (409, "CONFLICT")
    assert "v3, stage1" in answer["error"]
    assert "docs/explain.md" in answer["error"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (candles(3), 422, "INSUFFICIENT_DATA"),
        (asks(0.9, version="v9"), 422, "UNKNOWN_VERSION"),
        ({"pair": "EUR/USD"}, 422, "VALIDATION_ERROR"),
        (asks(0.9) | {"pair": "EURUSD"}, 422, "VALIDATION_ERROR"),
        ({"pair": "EUR/USD", "data": [candle(high=None)]}, 422, "VALIDATION_ERROR"),
        (asks(0.9, user_id="a", userId="b"), 422, "VALIDATION_ERROR"),
    ],
)
async def test_what_predict_refuses_is_refused(worker: Worker, body: object, status: int, code: str) -> None:
    found, answer = await worker.post(PATH, body)
    single, refused = await worker.post("/reversal/predict", body)
    assert (found, answer["code"]) == (single, refused["code"]) == (status, code)
    assert answer["details"] == refused["details"]


async def test_no_other_version_takes_the_place_of_one_that_is_not_loaded(worker: Worker) -> None:
    await worker.serve(experiment(), without=("v2",))
    status, answer = await worker.post(PATH, asks(0.9, 0.9, user_id="alice"))
    assert (status, answer["code"]) == (503, "MODEL_UNAVAILABLE")
    assert (await worker.predict(asks(0.9, 0.9, user_id="alice")))["served_by"] == "v1"


async def test_a_few_wait_for_their_turn_and_more_are_refused_at_once(worker: Worker, held: Held) -> None:
    waiting = [asyncio.create_task(worker.post(PATH, asks(0.9))) for _ in range(explainer.MOST)]
    await until(lambda: worker.app[EXPLAINER].admission.inside == explainer.MOST and held.begun.is_set())
    response = await worker.client.post(PATH, data=b"no JSON at all")
    assert (response.status, (await response.json())["code"]) == (503, "OVERLOADED")
    assert int(response.headers["Retry-After"]) >= 1
    assert (await worker.post("/reversal/predict", asks(0.9)))[0] == 200, "predictions go on"
    held.go.set()
    assert [status for status, _ in await asyncio.gather(*waiting)] == [200] * explainer.MOST
    assert worker.app[EXPLAINER].admission.inside == 0
    numbers = await worker.numbers()
    assert numbers['reversal_explanation_seconds_count{version="v1"}'] == explainer.MOST


async def test_only_one_is_computed_at_a_time(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once: list[int] = []
    inside = 0
    compute = explainer._explain  # noqa: SLF001

    def counted(*arguments: Any) -> Any:  # noqa: ANN401
        nonlocal inside
        inside += 1
        at_once.append(inside)
        found = compute(*arguments)
        inside -= 1
        return found

    monkeypatch.setattr(explainer, "_explain", counted)
    await asyncio.gather(*(worker.post(PATH, asks(0.9)) for _ in range(explainer.MOST)))
    assert at_once == [1] * explainer.MOST


async def test_the_work_ends_at_the_deadline(worker: Worker, held: Held) -> None:
    headers = {HEADER: "50", "Content-Type": "application/json"}
    asking = asyncio.create_task(worker.client.post(PATH, data=json.dumps(asks(0.9)), headers=headers))
    await until(held.begun.is_set)
    late = asyncio.create_task(worker.client.post(PATH, data=json.dumps(asks(0.9)), headers=headers))
    assert (await late).status == 504, "its turn did not come"
    held.go.set()
    response = await asking
    answer = await response.json()
    assert (response.status, answer["code"]) == (504, "DEADLINE_EXCEEDED")
    assert HEADER in answer["error"]
    assert [type(error) for error in held.ended] == [DeadlineExceeded]
    assert (await worker.post(PATH, asks(0.9)))[0] == 200, "the next one has its turn"


async def test_the_work_ends_if_the_client_has_left(worker: Worker, held: Held) -> None:
    explains = worker.app[EXPLAINER]
    detector = worker.registry.snapshot.detectors["v1"]
    source = GivenWindows([[0.9, 0.9]] * 4, scaled=True)
    asking = asyncio.create_task(explains.explain(detector, source, 1, time.perf_counter() + 60))
    await until(held.begun.is_set)
    asking.cancel()  # as a worker cancels the handler of a client that has disconnected
    with pytest.raises(asyncio.CancelledError):
        await asking
    held.go.set()
    await until(lambda: bool(held.ended))
    assert [type(error).__name__ for error in held.ended] == ["_GivenUp"]


def test_it_pauses_only_after_predictions_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("core.yielding.time.sleep", slept.append)
    metrics = Metrics()
    pause = explainer._Pauses(metrics, time.perf_counter() + 60, threading.Event())  # noqa: SLF001
    with yielding.enabled(wanted=True):
        for runs, expected in ((0, 0), (0, 0), (1, 1), (1, 1), (3, 2)):
            metrics.runs = runs
            pause()
            assert len(slept) == expected


async def test_a_failing_version_is_named_and_its_circuit_stays_closed(
    settings: Settings, models: Path, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> None:
    bundles.write(models, "v5", kind="root", stage2_features=None, background=(0.95,))
    async with running(settings, aiohttp_client) as worker:
        await worker.serve(active="v5")
        for _ in range(5):
            status, answer = await worker.post(PATH, asks(0.3, version=None))
            assert (status, answer["code"]) == (503, "MODEL_UNAVAILABLE")
            assert "v5, stage1" in answer["error"]
        detector = worker.registry.snapshot.detectors["v5"]
        assert worker.breaker.reason(detector) is None
        assert (await worker.predict(asks(0.3)))["model_version"] == "v5"
