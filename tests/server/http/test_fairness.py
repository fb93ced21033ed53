from __future__ import annotations

import asyncio
from collections.abc import Sequence

from core.serving.batching import Batcher
from server.http.fairness import let_others_run


async def test_a_single_prediction_is_answered_in_the_meantime() -> None:
    def answer(questions: Sequence[int]) -> list[int]:
        return [question + 1 for question in questions]

    batcher = Batcher(answer, 32)
    answered = []

    async def predict() -> None:
        answered.append(await batcher.ask(1))

    async def receive() -> asyncio.Task[None]:  # one turn of the event loop, to read the request's bytes
        return asyncio.create_task(predict())

    receiving = asyncio.create_task(receive())
    await let_others_run()
    assert answered == [2]
    await (await receiving)
