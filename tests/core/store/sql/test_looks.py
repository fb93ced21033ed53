from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeAlias

from core.experiments.look import SLOT_MICROS, Look
from core.store.interface import Store
from core.store.sql.looks import MOST_LOOKS
from tests.core.store.samples import AT

Open: TypeAlias = Callable[[], Store]


def look(number: int = 0, **changes: object) -> Look:
    """The look of slot number `number` after the first one."""
    fields = {"estimate": number / 1_000, "interval": (-0.5, 0.5), "candles": number, "word": "not yet"} | changes
    return Look(at=(AT // SLOT_MICROS + number) * SLOT_MICROS, **fields)  # type: ignore[arg-type]  # any field


def test_looks_are_kept_oldest_first_and_by_experiment(store: Store) -> None:
    kept = [look(0, interval=None, valid=False), look(1), look(7, word="B better")]
    for each in reversed(kept):
        store.add_look("exp", each)
    store.add_look("other", look(2))
    assert store.looks("exp") == kept
    assert store.looks("other") == [look(2)]
    assert store.looks("none") == []


def test_the_first_look_of_a_slot_is_kept(store: Store) -> None:
    store.add_look("exp", look(3))
    store.add_look("exp", look(3, estimate=0.9))
    assert store.looks("exp") == [look(3)]


def test_replicas_keep_one_look_a_slot(replica: Open) -> None:
    stores = [replica() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        for number in range(5):
            looks = [look(number, candles=replica_number) for replica_number in range(4)]
            list(threads.map(lambda store, each: store.add_look("exp", each), stores, looks))
    assert [each.at for each in stores[0].looks("exp")] == [look(number).at for number in range(5)]


def test_too_many_looks_are_thinned_out(store: Store) -> None:
    for number in range(MOST_LOOKS):
        store.add_look("exp", look(number))
    assert len(store.looks("exp")) == MOST_LOOKS
    store.add_look("other", look(0))
    store.add_look("exp", look(MOST_LOOKS))
    found = store.looks("exp")
    assert MOST_LOOKS // 4 <= len(found) <= MOST_LOOKS // 2 + 1
    numbers = [each.candles for each in found]
    assert numbers[0] == 0
    assert max(later - earlier for earlier, later in pairwise(numbers)) <= 4
    assert store.looks("other") == [look(0)]


def test_looks_with_gaps_stay_within_the_bound(store: Store) -> None:
    for number in range(MOST_LOOKS + 1):
        store.add_look("exp", look(number * 10_000))
    found = store.looks("exp")
    assert len(found) <= MOST_LOOKS // 2 + 1
    assert found[0] == look(0)
