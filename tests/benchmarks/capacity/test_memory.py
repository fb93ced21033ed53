from __future__ import annotations

import os

import pytest

from benchmarks.capacity import memory


def test_the_resident_pages_of_a_process_are_private_or_shared() -> None:
    found = memory.pages(os.getpid())
    assert found.keys() == set(memory.KINDS)
    parts = [found[kind] for kind in memory.KINDS if kind.startswith(("Private", "Shared"))]
    assert found["Rss"] == pytest.approx(sum(parts), abs=0.1)
    assert found["Private_Dirty"] < found["Pss"] <= found["Rss"]
