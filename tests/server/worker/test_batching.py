from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.errors import ServiceError
from core.serving.routing import Answered, Question, Result
from server.api import decoding
from server.settings import Settings, read
from server.worker.app_keys import BATCHER
from tests import market
from tests.application import state_arguments
from tests.server.client import Client
from tests.server.questions import asks
from tests.server.worker_fixture import Worker, experiment, running

# ONNX Runtime does not promise the same bits for a window alone and for the same window in a batch.
TOLERANCE = 1e-6
RUNNING = experiment(variant_a="v3.0", variant_b="v3.1")


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """A worker on the committed bundles, with v3.0 and v3.1 in an experiment."""
    folder = tmp_path_factory.mktemp("batching")
    made = Worker(read(["--models", str(market.ONNX), *state_arguments(folder)], {}))
    asyncio.run(made.serve(RUNNING, active="v3.1"))
    yield made
    made.journal.close()


def matrix(seed: int, rows: int = 20, scale: float = 1.0) -> list[list[float]]:
    return [[scale * ((seed * 31 + 7 * row + 3 * column) % 23 - 11) / 8 for column in range(12)] for row in range(rows)]


seeds = st.integers(0, 5_000)
candles = st.builds(
    lambda start, count: {"data": market.body(start, count)["data"]},
    seeds,
    st.sampled_from([30, 46, 69, 100, 120, 300]),
)
features = st.one_of(
    st.builds(lambda seed: {"features": matrix(seed)}, seeds),
    st.builds(lambda seed: {"features": matrix(seed, scale=0.1), "features_scaled": False}, seeds),
    st.builds(lambda seed: {"features": {"stage1": matrix(seed), "stage2": matrix(seed + 1)}}, seeds),
    st.builds(lambda seed: {"features": matrix(seed, rows=19)}, seeds),
    st.builds(lambda seed: {"features": matrix(seed, scale=1e39)}, seeds),
)
asked = st.fixed_dictionaries(
    {
        "version": st.sampled_from([None, *market.VERSIONS, "v9"]),
        "user_id": st.sampled_from([None, "user123", "alice", 42]),
    }
)


@given(st.lists(st.tuples(st.one_of(candles, features), asked), min_size=1, max_size=40))
@hypothesis_settings(max_examples=60, deadline=None)
def test_answers_do_not_depend_on_other_requests(
    worker: Worker, mix: list[tuple[dict[str, Any], dict[str, Any]]]
) -> None:
    questions = [
        decoding.prediction(json.dumps({"pair": "EUR/USD", **given, **others}).encode(), 0.0) for given, others in mix
    ]
    alone = [worker.predictor.predict(worker.registry.snapshot, [question])[0] for question in questions]

    async def together() -> list[Result]:
        return await asyncio.gather(*(worker.app[BATCHER].ask(question) for question in questions))

    for question, one, other in zip(questions, alone, asyncio.run(together()), strict=True):
        same(question, one, other)


def same(question: Question, one: Result, other: Result) -> None:
    if isinstance(one, ServiceError):
        assert isinstance(other, ServiceError)
        assert (other.code, other.message, other.details) == (one.code, one.message, one.details)
        return
    assert isinstance(other, Answered)
    mine, theirs = one.prediction, other.prediction
    assert (theirs.version, theirs.warnings, other.fallback_reason) == (
        mine.version,
        mine.warnings,
        one.fallback_reason,
    )
    for field, value in msgspec.structs.asdict(mine.decision).items():
        found = getattr(theirs.decision, field)
        assert found == (pytest.approx(value, abs=TOLERANCE) if isinstance(value, float) else value), field
    assert (one.exposure is None) == (other.exposure is None) == (question.user is None or question.version is not None)
    if one.exposure is not None and other.exposure is not None:
        assert (other.exposure.variant, other.exposure.candle) == (one.exposure.variant, one.exposure.candle)
        assert (other.exposure.user, other.exposure.signal) == (one.exposure.user, one.exposure.signal)


async def test_requests_of_one_turn_run_together_and_get_their_own_answers(
    settings: Settings, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> None:
    async with running(settings, aiohttp_client) as worker:
        await worker.serve()
        sizes: list[int] = []
        plain = worker.predictor.predict

        def counted(serving: Any, questions: list[Question]) -> list[Result]:  # noqa: ANN401 - passed on
            sizes.append(len(questions))
            return plain(serving, questions)

        worker.predictor.predict = counted  # type: ignore[assignment,method-assign]
        wanted = [0.05 + 0.01 * i for i in range(40)]
        answers = await asyncio.gather(*(worker.predict(asks(p)) for p in wanted))
        assert [answer["stage1_prob"] for answer in answers] == pytest.approx(wanted)
        assert sum(sizes) == len(wanted)
        assert max(sizes) > 1
