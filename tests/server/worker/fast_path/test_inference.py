"""Predictions by the Open Inference Protocol take the fast path, and have the same answers as on aiohttp's."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from server.auth.access import Level
from server.auth.token_texts import tokens
from server.http.admission import Admission
from server.http.app_keys import ACCESS, ADMISSION, BATCH_ADMISSION
from server.http.fairness import let_others_run
from server.worker.app_keys import METRICS
from server.worker.fast_path.inference import Target, target_of
from tests import bundles
from tests.server.open_inference.tensors_of import HEADER, bars, binary, body, times, windows
from tests.server.worker.connections import ODD, Connection, Service, Slow, encoded, on_the_fast_path, request
from tests.server.worker_fixture import experiment
from tests.waiting import until

INFER = "/v2/models/reversal/infer"
V1 = "/v2/models/reversal/versions/v1/infer"
BINARY = "application/octet-stream"
USER = {"user_id": "alice"}  # variant B


class Sent(NamedTuple):
    """A request. headers: with underscores for hyphens."""

    data: bytes
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    path: str = INFER


def as_binary(asked: dict[str, Any], only: tuple[str, ...] | None = None, path: str = INFER) -> Sent:
    data, headers = binary(asked, only)
    return Sent(data, {name.replace("-", "_"): value for name, value in headers.items()}, path)


CANDLES = body(candles=bars(0.9), timestamps=times())
SEVERAL = body(candles=bars(0.9, 0.6, 0.1), timestamps=times(3))
REQUESTS = {
    "JSON": Sent(encoded(CANDLES)),
    "binary": as_binary(CANDLES),
    "mixed": as_binary(CANDLES, ("timestamps",)),
    "all binary": as_binary(CANDLES | {"parameters": {"binary_data_output": True}, "id": "7"}),
    "candles alone": Sent(bars(0.9).tobytes(), {HEADER.replace("-", "_"): "0", "Content_Type": BINARY}),
    "a window": as_binary(body(features=windows(0.8)), path=V1),
    "some outputs": as_binary(CANDLES | {"outputs": [{"name": "signal", "parameters": {"binary_data": True}}]}),
    "of an experiment": as_binary(CANDLES | {"parameters": USER}),
    "several": as_binary(SEVERAL),
    "several as JSON": Sent(encoded(SEVERAL)),
    "several of an experiment": as_binary(SEVERAL | {"parameters": USER}),
    "several of which one is bad": as_binary(body(candles=[*bars(0.9), *bars(-1.0)])),
    "several that are too short": as_binary(body(candles=bars(0.9, 0.9, count=3))),
    "a fallback": as_binary(body(features=windows(1.0)) | {"parameters": USER}),
    "too few candles": as_binary(body(candles=bars(0.9, count=5))),
    "a wrong shape": Sent(encoded({"inputs": [{"name": "candles", "datatype": "FP64", "shape": [1, 5], "data": [1]}]})),
    "a wrong size": Sent(bars(0.9).tobytes()[:-1], {HEADER.replace("-", "_"): "0"}),
    "a wrong header": Sent(encoded(CANDLES), {HEADER.replace("-", "_"): "x"}),
    "no text": Sent(b'{"inputs": "\xff"}'),
    "no JSON": Sent(b'{"inputs": ['),
    "nothing": Sent(b""),
    "an unknown version": as_binary(CANDLES, path="/v2/models/reversal/versions/v9/infer"),
    "an unknown version without a body": Sent(b"", path="/v2/models/reversal/versions/v9/infer"),
    "binary data without the header": Sent(as_binary(CANDLES).data),
    "a header that is too small": Sent(as_binary(CANDLES).data, {HEADER.replace("-", "_"): "5"}),
    "a version that fails": as_binary(body(features=windows(1.0)), path="/v2/models/reversal/versions/v4/infer"),
    "a deadline": as_binary(CANDLES | {"parameters": {"timeout": 1}}),
}


async def ask(connection: Connection, sent: Sent, **headers: str) -> tuple[int, dict[str, str], bytes]:
    await connection.send(
        request(sent.data, sent.path, **({"Content_Type": "application/json"} | sent.headers | headers))
    )
    return await connection.receive_bytes()


def lasting(headers: dict[str, str], data: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON of an answer without the values that differ with every answer, and the binary data behind it."""
    length = int(headers.get(HEADER, len(data)))
    head = json.loads(data[:length])
    prediction_id = head.get("parameters", {}).pop("prediction_id", "[]")
    assert len(set(re.findall("[0-9a-f-]{36}", prediction_id))) in (0, 1, 3)
    if "error" in head:
        head["error"] = re.sub(r"[\d,.]+ ms", "", head["error"])
    return head, data[length:]


@on_the_fast_path
@pytest.mark.parametrize("sent", REQUESTS.values(), ids=REQUESTS)
async def test_both_paths_give_the_same_answer(
    service: Service, connection: Connection, models: Path, sent: Sent
) -> None:
    await asyncio.to_thread(bundles.write, models, "v4", kind="root")
    await service.worker.serve(experiment(variant_b="v4"))
    before = connection.usual
    fast = await ask(connection, sent)
    assert connection.usual == before
    # The query makes it unusual, and nothing else reads it.
    usual = await ask(connection, sent._replace(path=f"{sent.path}?x=1"))
    assert connection.usual == before + 1
    assert (fast[0], lasting(*fast[1:])) == (usual[0], lasting(*usual[1:]))
    assert set(fast[1]) == set(usual[1])
    for name in ("Content-Type", HEADER):
        assert fast[1].get(name) == usual[1].get(name)
    assert service.worker.app[ADMISSION].inside == service.worker.app[BATCH_ADMISSION].inside == 0


async def test_both_paths_count_the_same_and_record_the_same(service: Service, connection: Connection) -> None:
    await service.worker.serve(experiment())
    for name in ("of an experiment", "several of an experiment", "too few candles", "several of which one is bad"):
        await ask(connection, REQUESTS[name])
    await ask(connection, REQUESTS["binary"], X_Request_Timeout_Ms="x")
    numbers = await service.worker.numbers()
    counted = {name: numbers[f"reversal_v2_{name}"] for name in (
        'requests_total{result="success",version="v2"}',
        'requests_total{result="fail",version="v1"}',
        'inferences_total{version="v2"}',
        'executions_total{version="v2"}',
    )}  # fmt: skip
    assert [*counted.values()] == [2, 2, 4, 2]
    assert numbers['reversal_prediction_errors_total{code="INSUFFICIENT_DATA"}'] == 1
    assert numbers['reversal_prediction_errors_total{code="VALIDATION_ERROR"}'] == 2
    exposures = await service.worker.exposures()
    assert [each.variant for each in exposures] == ["B"] * 4
    assert len({each.prediction_id for each in exposures}) == 4


UNUSUAL = {
    "with another type": request(encoded(CANDLES), INFER, Content_Type=ODD),
    "packed": request(gzip.compress(encoded(CANDLES)), INFER, Content_Encoding="gzip"),
    "with an escape in its path": request(encoded(CANDLES), "/v2/models/reversal/versions/v%31/infer"),
    "its connection's last": request(encoded(CANDLES), INFER, Connection="close"),
}


@pytest.mark.parametrize("unusual", UNUSUAL.values(), ids=UNUSUAL)
async def test_an_unusual_request_takes_aiohttps_path(connection: Connection, unusual: bytes) -> None:
    before = connection.usual
    answer = await connection.ask(unusual)
    assert (answer.status, answer.body["model_version"]) == (200, "v1")
    assert connection.usual == before + 1


def test_the_target_of_a_path() -> None:
    assert target_of(INFER) == Target(None, "/v2/models/{model}/infer")
    assert target_of(V1) == Target("v1", "/v2/models/{model}/versions/{version}/infer")
    for other in ("/v2", "/v2/models/other/infer", f"{INFER}/", f"{INFER}?x", "/v2/models/reversal/versions//infer"):
        assert target_of(other) is None


async def test_the_wrong_token_is_refused(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.worker.app[ACCESS], "_known", tuple(tokens(["good"], Level.API)))
    async with service.connect() as connection:
        for sent in (REQUESTS["binary"], REQUESTS["several"]):
            status, _, data = await ask(connection, sent, Authorization="Bearer bad")
            assert (status, json.loads(data)["code"]) == (401, "UNAUTHORIZED")
            assert (await ask(connection, sent, Authorization="Bearer good"))[0] == 200


@on_the_fast_path
@pytest.mark.parametrize(("name", "limit"), [("binary", ADMISSION), ("several", BATCH_ADMISSION)])
async def test_a_full_server_refuses_and_the_next_request_is_answered(
    service: Service,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    limit: Any,  # noqa: ANN401
) -> None:
    full: Admission = service.worker.app[limit]
    monkeypatch.setattr(full, "_most", 0)
    status, headers, data = await ask(connection, REQUESTS[name])
    assert (status, json.loads(data)["code"], "Retry-After" in headers) == (503, "OVERLOADED", True)
    assert service.worker.app[ADMISSION].inside == service.worker.app[BATCH_ADMISSION].inside == 0
    monkeypatch.setattr(full, "_most", 1)
    assert (await ask(connection, REQUESTS[name]))[0] == 200


@on_the_fast_path
async def test_an_unexpected_error_is_answered_and_hidden(
    service: Service, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    with monkeypatch.context() as patched:
        patched.setattr(service.worker.predictor, "predict", fail)
        patched.setattr(service.worker.app[METRICS].timings, "add", fail)
        for name in ("binary", "several"):
            status, _, data = await ask(connection, REQUESTS[name])
            assert (status, b"secret" in data, json.loads(data)["code"]) == (500, False, "INTERNAL")
    assert (await ask(connection, REQUESTS["several"]))[0] == 200


@on_the_fast_path
async def test_the_work_for_a_client_that_has_disconnected_ends(service: Service) -> None:
    slow = Slow(service.worker, lambda: None)
    several = as_binary(body(features=windows(*np.linspace(0.1, 0.9, 500))), path=V1)
    async with service.connect() as leaves:
        handler = service.handler_of(leaves)
        handler.data_received(request(several.data, several.path, **several.headers))
        assert service.worker.app[BATCH_ADMISSION].inside == 1
        handler.connection_lost(None)
        assert service.worker.app[BATCH_ADMISSION].inside == service.worker.app[ADMISSION].inside == 0
        numbers = await service.worker.numbers()  # takes some turns of the event loop
        assert numbers["reversal_predictions_abandoned_total"] == 1
    assert slow.asked == []


@on_the_fast_path
async def test_a_client_that_disconnects_as_the_work_ends_gives_its_place_back_once(service: Service) -> None:
    """Between the end of the work and the answer there is a turn of the event loop."""
    loop, several = asyncio.get_running_loop(), REQUESTS["several"]
    async with service.connect() as leaves:
        handler = service.handler_of(leaves)

        def lose() -> None:
            if handler._exchange._task.done():  # noqa: SLF001
                handler.connection_lost(None)
            else:
                loop.call_soon(lose)

        handler.data_received(request(several.data, several.path, **several.headers))
        assert service.worker.app[BATCH_ADMISSION].inside == 1
        loop.call_soon(lose)
        await until(lambda: handler.transport is None)
        await let_others_run()
        assert service.worker.app[BATCH_ADMISSION].inside == service.worker.app[ADMISSION].inside == 0


@on_the_fast_path
async def test_what_follows_a_request_of_several_items_keeps_its_place(
    service: Service, connection: Connection
) -> None:
    handler = service.handler_of(connection)
    several, one = REQUESTS["several as JSON"], REQUESTS["JSON"]
    handler.data_received(request(several.data, several.path) + request(one.data, one.path))
    handler.data_received(request(one.data, one.path))
    assert [(await connection.receive()).body["outputs"][0]["shape"] for _ in range(3)] == [[3], [1], [1]]
    assert not handler.in_progress
