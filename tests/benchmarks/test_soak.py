from __future__ import annotations

import pytest

from benchmarks.soak import GROWTH, STARTUP_SECONDS, growth

STARTUP = int(STARTUP_SECONDS)


def test_memory_of_the_startup_does_not_count() -> None:
    assert growth([80.0 + 20.0 * second / STARTUP for second in range(STARTUP)] + [100.0] * 120, STARTUP) == 1.0


def test_a_leak_is_found_within_three_minutes() -> None:
    leaking = [100.0 + 0.15 * second for second in range(180)]
    assert growth(leaking, STARTUP) > GROWTH


@pytest.mark.parametrize("length", [1, 2, 3, 20])
def test_a_short_run_is_compared_from_its_middle(length: int) -> None:
    assert growth([1.0] * length + [2.0] * length, STARTUP) == 1.0
