"""The memory of large bodies: bounded, and slow bodies are given up for others."""

from __future__ import annotations

import pytest

from core.errors import Overloaded
from server.http.bodies.memory import GRACE_SECONDS, SLOW_BYTES_PER_SECOND, BodyMemory, Share

MIB = 1 << 20


class At:
    """A clock that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> At:
    return At()


@pytest.fixture
def memory(clock: At) -> BodyMemory:
    return BodyMemory(8 * MIB, clock)


def body(memory: BodyMemory, size: int, given_up: list[int] | None = None, since: float = 0.0) -> Share:
    share = memory.share(since, lambda: None if given_up is None else given_up.append(size))
    share.take(size)
    return share


def test_bodies_are_taken_up_to_the_bound_and_again_after_one_has_ended(memory: BodyMemory) -> None:
    first, second = body(memory, 5 * MIB), body(memory, 3 * MIB)
    with pytest.raises(Overloaded) as raised:
        second.take(1)
    assert raised.value.retry_after == 1
    first.end()
    first.end()
    second.take(5 * MIB)
    assert memory.used == 8 * MIB


def test_the_largest_slow_body_is_given_up_first_and_only_as_many_as_needed(memory: BodyMemory, clock: At) -> None:
    given_up: list[int] = []
    small, large = body(memory, 2 * MIB, given_up), body(memory, 3 * MIB, given_up)
    clock.now = 60.0
    quick = body(memory, 4 * MIB, given_up, since=60.0)
    assert given_up == [3 * MIB]
    assert (memory.used, memory.arriving) == (6 * MIB, {small, quick})
    with pytest.raises(Overloaded):
        large.take(1)
    with pytest.raises(Overloaded):
        large.arrived()
    large.end()
    assert memory.used == 6 * MIB


def test_a_body_is_slow_only_after_the_grace_and_below_the_rate(memory: BodyMemory, clock: At) -> None:
    share = body(memory, 3 * MIB)
    for seconds, expected in ((GRACE_SECONDS, False), (3 * MIB / SLOW_BYTES_PER_SECOND, False), (3.1, True)):
        clock.now = seconds
        assert share.is_slow(clock()) is expected


def test_bodies_that_have_arrived_are_not_given_up(memory: BodyMemory, clock: At) -> None:
    given_up: list[int] = []
    arrived = body(memory, 8 * MIB, given_up)
    arrived.arrived()
    clock.now = 3600.0
    with pytest.raises(Overloaded):
        body(memory, 1)
    assert given_up == []


def test_a_slow_body_is_not_given_up_for_itself(memory: BodyMemory, clock: At) -> None:
    given_up: list[int] = []
    share = body(memory, 8 * MIB, given_up)
    clock.now = 3600.0
    with pytest.raises(Overloaded):
        share.take(1)
    assert given_up == []
