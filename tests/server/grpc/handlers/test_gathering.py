from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from core.serving.batching import Batcher
from core.serving.routing import Question, Result
from server.grpc.handlers.gathering import GatheringBatcher
from server.worker import pace
from server.worker.pace import LARGE, SMALL, next_slice

MOST = 8


class Gathered:
    """A batcher whose answers are its questions. `runs`: what ran together."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.inner = Batcher(self._answer, 32)
        self.batcher = GatheringBatcher(self.inner, MOST)

    def _answer(self, questions: Sequence[Question]) -> list[Result]:
        numbers: list[Any] = list(questions)
        self.runs.append(numbers)
        return numbers

    async def call(self, number: int) -> int:
        """A call, as it begins, asks and ends."""
        question: Any = number
        self.batcher.begin()
        try:
            answer: Any = await self.batcher.ask(question)
        finally:
            self.batcher.end()
        return int(answer)

    async def calls(self, count: int) -> None:
        """Calls of which one begins in each turn of the event loop, as gRPC's library begins them."""
        self.batcher.begin()  # a call in progress, whose message has not arrived
        tasks = []
        for number in range(count):
            tasks.append(asyncio.create_task(self.call(number)))
            await asyncio.sleep(0)
        assert await asyncio.gather(*tasks) == [*range(count)]
        self.batcher.end()


@pytest.fixture
async def gathered() -> Gathered:
    return Gathered()


async def test_calls_that_begin_one_after_the_other_run_together(gathered: Gathered) -> None:
    await gathered.calls(5)
    assert gathered.runs == [[0, 1, 2, 3, 4]]


async def test_as_many_as_a_run_takes_do_not_wait_for_more(gathered: Gathered) -> None:
    await gathered.calls(MOST + 3)
    first, *_ = gathered.runs
    assert first == [*range(MOST)]
    assert [number for run in gathered.runs for number in run] == [*range(MOST + 3)]


async def test_a_call_that_is_alone_does_not_wait(gathered: Gathered) -> None:
    task = asyncio.create_task(gathered.call(1))
    await asyncio.sleep(0)  # it asks
    await asyncio.sleep(0)  # its batch runs
    assert gathered.runs == [[1]]
    await task


async def test_a_call_that_was_cancelled_is_not_computed(gathered: Gathered) -> None:
    gathered.batcher.begin()
    tasks = [asyncio.create_task(gathered.call(number)) for number in (1, 2)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    assert await tasks[1] == 2
    assert gathered.runs == [[2]]
    assert tasks[0].cancelled()
    gathered.batcher.end()
    assert gathered.batcher.in_progress == 0


async def test_large_requests_have_small_slices_beside_single_predictions_of_any_transport(
    gathered: Gathered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "_RECENT_SECONDS", 60.0)
    assert next_slice(gathered.batcher) == LARGE
    question: Any = 1
    await gathered.inner.ask(question)
    assert next_slice(gathered.batcher) == SMALL
