from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from core.serving.batching import Batcher


class Runs:
    """Answers a number with its double, and keeps the questions of each run."""

    def __init__(self) -> None:
        self.together: list[list[int]] = []

    def __call__(self, questions: Sequence[int]) -> list[int]:
        self.together.append(list(questions))
        if -1 in questions:
            raise ZeroDivisionError
        return [2 * question for question in questions]


async def test_questions_of_one_turn_are_answered_in_one_run_in_order() -> None:
    runs = Runs()
    batcher = Batcher(runs, most=32)
    assert await asyncio.gather(*(batcher.ask(i) for i in range(5))) == [0, 2, 4, 6, 8]
    assert runs.together == [[0, 1, 2, 3, 4]]


async def test_a_single_question_is_answered_without_delay() -> None:
    runs = Runs()
    batcher = Batcher(runs, most=32)
    answer = batcher.ask(1)
    await asyncio.sleep(0)  # one turn of the loop
    assert answer.done()
    assert await batcher.ask(2) == 4
    assert runs.together == [[1], [2]]


async def test_a_run_is_not_larger_than_the_limit_and_the_loop_turns_between_runs() -> None:
    runs = Runs()
    batcher = Batcher(runs, most=3)
    answers = [batcher.ask(i) for i in range(7)]
    await asyncio.sleep(0)
    assert [answer.done() for answer in answers] == [True] * 3 + [False] * 4
    assert await asyncio.gather(*answers) == [0, 2, 4, 6, 8, 10, 12]
    assert runs.together == [[0, 1, 2], [3, 4, 5], [6]]


async def test_a_question_that_arrives_while_others_wait_joins_their_run() -> None:
    runs = Runs()
    batcher = Batcher(runs, most=2)
    answers = [batcher.ask(i) for i in range(3)]
    await asyncio.sleep(0)
    answers.append(batcher.ask(3))
    await asyncio.gather(*answers)
    assert runs.together == [[0, 1], [2, 3]]


async def test_a_cancelled_question_is_dropped() -> None:
    runs = Runs()
    batcher = Batcher(runs, most=32)
    answers = [batcher.ask(i) for i in range(3)]
    answers[1].cancel()
    assert await answers[2] == 4
    assert runs.together == [[0, 2]]
    batcher.ask(7).cancel()
    await asyncio.sleep(0)
    assert runs.together == [[0, 2]]


async def test_an_unexpected_failure_affects_only_its_question(caplog: pytest.LogCaptureFixture) -> None:
    runs = Runs()
    batcher = Batcher(runs, most=32)
    answers = await asyncio.gather(*(batcher.ask(i) for i in (1, -1, 2)), return_exceptions=True)
    assert (answers[0], answers[2]) == (2, 4)
    assert isinstance(answers[1], ZeroDivisionError)
    assert runs.together == [[1, -1, 2], [1], [-1], [2]]
    (event,) = caplog.messages
    assert event.startswith("batch_failed count=3 ")
    assert "ZeroDivisionError" in caplog.text


async def test_what_is_noted_of_a_run_comes_after_its_answers() -> None:
    runs, noted = Runs(), []
    batcher = Batcher(runs, 32, lambda questions, answers: noted.append((questions, answers, first.done())))
    first, second = batcher.ask(1), batcher.ask(2)
    assert [await first, await second] == [2, 4]
    assert noted == [([1, 2], [2, 4], True)]


async def test_a_run_that_fails_is_not_noted() -> None:
    runs, noted = Runs(), []
    batcher = Batcher(runs, 32, lambda questions, answers: noted.append((questions, answers)))
    good, bad = batcher.ask(3), batcher.ask(-1)
    assert await good == 6
    with pytest.raises(ZeroDivisionError):
        await bad
    assert noted == [([3], [6])]
