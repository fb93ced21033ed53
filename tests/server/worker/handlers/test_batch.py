from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
from aiohttp import web

from core.serving.routing import Question, Result
from core.serving.snapshot import Snapshot
from server.http.bodies import json_items
from server.http.fairness import let_others_run
from server.settings import Settings
from server.worker import pace
from server.worker.handlers import batch
from server.worker.pace import LARGE, SMALL
from tests.server.client import Client, Post
from tests.server.questions import asks
from tests.server.worker_fixture import Worker, experiment, running

PATH = "/reversal/predict/batch"
HEADERS = {"Content-Type": "application/json"}


@pytest.fixture
async def worker(
    settings: Settings, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> AsyncIterator[Worker]:
    async with running(settings, aiohttp_client) as made:
        yield made


def large(count: int) -> list[dict[str, Any]]:
    """Items of about 20 kB."""
    return [asks(i / count, i / count, user_id=f"user{i}", note="[{\\" * 5_000) for i in range(count)]


async def sent(client: Client, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    response = await client.post(PATH, data=io.BytesIO(body), headers=HEADERS | headers)
    return response.status, await response.json()


class TestLargeBodies:
    async def test_a_body_of_megabytes_is_answered_item_by_item(self, client: Client) -> None:
        body = json.dumps({"items": large(200)}).encode()
        assert len(body) > 4_000_000
        for headers, data in (({}, body), ({"Content-Encoding": "gzip"}, gzip.compress(body, 1))):
            status, answer = await sent(client, data, **headers)
            assert status == 200
            found = [result["data"]["stage1_prob"] for result in answer["data"]["results"]]
            assert found == pytest.approx([i / 200 for i in range(200)], abs=1e-6)

    async def test_a_body_over_32_mib_is_a_413(self, post: Post) -> None:
        status, answer = await post(PATH, b" " * (32 * 1024 * 1024 + 1))
        assert (status, answer["code"]) == (413, "PAYLOAD_TOO_LARGE")

    async def test_a_body_that_contradicts_its_headers_is_refused(self, client: Client) -> None:
        packed = gzip.compress(json.dumps({"items": large(50)}).encode(), 0)
        status, answer = await sent(client, packed[:-100_000], **{"Content-Encoding": "gzip"})
        assert (status, answer["code"]) == (400, "MALFORMED_JSON")
        status, answer = await sent(client, packed, **{"Content-Encoding": "rot13"})
        assert (status, answer["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
        status, answer = await sent(client, packed, **{"Content-Type": "text/plain"})
        assert (status, answer["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")

    async def test_of_items_given_twice_the_last_list_is_answered(self, post: Post) -> None:
        body = b'{"items":[1,2],"items":%s}' % json.dumps([asks(0.1)]).encode()
        status, answer = await post(PATH, body)
        assert (status, [result["success"] for result in answer["data"]["results"]]) == (200, [True])


class TestMalformedBodies:
    @pytest.mark.parametrize("end", [b"{]}", b'{"note":"\xff"}]}', b"{}],}", b"{}]", b'"\\x"]}'])
    async def test_a_body_that_is_malformed_at_its_end_is_not_answered(self, worker: Worker, end: bytes) -> None:
        await worker.serve(experiment())
        good = b'{"items":[' + b"".join(json.dumps(item).encode() + b"," for item in large(40))
        status, answer = await sent(worker.client, good + end)
        assert (status, answer["code"]) == (400, "MALFORMED_JSON")
        place = re.search(r"\(byte (\d+)\)", answer["error"])
        assert place is not None
        assert len(good) < int(place[1]) <= len(good + end)
        assert await worker.records() == []


class TestOthers:
    async def test_other_requests_run_while_a_body_is_split(
        self, worker: Worker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(json_items, "SPLIT_SECONDS", 0.0)
        await worker.serve()
        pauses = []

        async def counted() -> None:
            pauses.append(len(answered))
            await let_others_run()

        answered = sizes_of_runs(worker, monkeypatch)
        monkeypatch.setattr(batch, "let_others_run", counted)
        monkeypatch.setattr(json_items, "let_others_run", counted)
        monkeypatch.setattr(batch, "_PAUSE_SECONDS", 60.0)
        monkeypatch.setattr(pace, "LARGE", pace.SMALL)
        status, _ = await worker.post(PATH, {"items": large(30)})
        assert status == 200
        assert pauses.count(0) >= 30  # before the first item is answered
        assert pauses[-1] == len(answered) == 30  # each item is so large that it is a slice of its own
        assert set(pauses) == set(range(31))

    async def test_small_items_run_together(self, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
        await worker.serve()
        sizes = sizes_of_runs(worker, monkeypatch)
        await worker.post(PATH, {"items": [asks(0.1)] * (2 * LARGE.items + 1)})
        assert sizes == [LARGE.items, LARGE.items, 1]

    async def test_fewer_items_run_together_beside_single_predictions(
        self, worker: Worker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await worker.serve()
        sizes = sizes_of_runs(worker, monkeypatch)
        monkeypatch.setattr(pace, "_RECENT_SECONDS", 60.0)
        await worker.post("/reversal/predict", asks(0.1))
        await worker.post(PATH, {"items": [asks(0.1)] * (2 * SMALL.items + 1)})
        assert sizes == [1, SMALL.items, SMALL.items, 1]


def sizes_of_runs(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many questions the predictor answers together, in each of its runs from now on."""
    sizes: list[int] = []
    predict = worker.predictor.predict

    def counting(snapshot: Snapshot, questions: Sequence[Question]) -> list[Result]:
        sizes.append(len(questions))
        return predict(snapshot, questions)

    monkeypatch.setattr(worker.predictor, "predict", counting)
    return sizes
