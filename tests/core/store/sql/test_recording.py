from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import partial

import msgspec
import numpy as np
import pytest

from core.errors import UnknownExperiment
from core.experiments.candle_table import BesideTotals, CandleTable, Side, Tally
from core.experiments.experiment import Variant
from core.experiments.records import Beside, Exposure, Failure, Record, Refusal, Unrecorded
from core.statistics.guardrails import BUSY_REQUESTS
from core.store.interface import Store
from core.store.sql.recording import SUMS
from tests.core.store.samples import AT, HOUR, candle, drain, experiment, exposure, outcome, score

Open = Callable[[], Store]
NOTHING = Tally(
    predictions=0,
    signals={"hold": 0, "long": 0, "short": 0},
    confidence=0.0,
    users=0,
    units=0,
    candles=0,
    held_candles=0,
    fallbacks=0,
    failures=0,
    refused=0,
    slow=0,
    unrecorded=0,
    late=0,
    warnings={},
    surplus={},
)


def sums(side: Side) -> list[dict[str, float]]:
    """The rows of a side, without zeros."""
    columns = [getattr(side, field.name).tolist() for field in fields(Side)]
    return [{name: value for name, value in zip(SUMS, row, strict=True) if value} for row in zip(*columns, strict=True)]


def table(store: Store) -> CandleTable:
    found = store.candles("exp")
    for array in (found.a.pnl, found.b.holds, found.move_pips):
        assert array.dtype == np.float64
        assert array.shape == (len(found),)
    assert found.label.dtype == np.int8
    return found


@pytest.fixture(autouse=True)
def running(store: Store) -> None:
    store.create(experiment().activated(AT))


def test_the_sums_are_in_the_order_of_a_side() -> None:
    assert [field.name for field in fields(Side)] == list(SUMS)


def test_without_records_all_totals_are_zero(store: Store) -> None:
    assert store.tally("exp") == {"A": NOTHING, "B": NOTHING}
    assert store.in_both("exp") == 0
    assert len(table(store)) == 0
    assert list(store.export("exp")) == []


def test_candles_of_an_unknown_experiment_are_an_error(store: Store) -> None:
    with pytest.raises(UnknownExperiment):
        store.candles("unknown")


def test_predictions_are_summed_by_candle_and_side_in_order_of_time(store: Store) -> None:
    drain(store, [exposure(2, signal="short", confidence=0.5), exposure(1, signal="hold", confidence=0.25)])
    drain(store, [exposure(1, at=AT, variant="B"), exposure(1, signal="hold", confidence=0.5, user="other")])
    drain(store, [exposure(1, pair="USD/JPY", at=AT + 5)])
    found = table(store)
    assert sums(found.a) == [
        {"predictions": 2, "holds": 2, "confidence": 0.75, "confidence_squares": 0.3125},
        {"predictions": 1, "longs": 1, "confidence": 0.75, "confidence_squares": 0.5625},
        {"predictions": 1, "shorts": 1, "confidence": 0.5, "confidence_squares": 0.25},
    ]
    assert sums(found.b) == [{"predictions": 1, "longs": 1, "confidence": 0.75, "confidence_squares": 0.5625}, {}, {}]
    assert (found.time - AT / 1000).tolist() == [HOUR / 1000, HOUR / 1000, 2 * HOUR / 1000]
    assert [found.places[i] for i in found.place] == [("EUR/USD", "1h"), ("USD/JPY", "1h"), ("EUR/USD", "1h")]
    assert found.label.tolist() == [-1, -1, -1]
    assert np.isnan(found.move_pips).all()


@pytest.mark.parametrize("mode", ["split", "shadow"])
def test_each_candle_has_its_place(store: Store, mode: str) -> None:
    store.create(experiment("placed", mode=mode))
    places = [("EUR/USD", "1h"), ("USD/JPY", "1h"), ("EUR/USD", "4h"), ("USD/JPY", "1h"), ("EUR/USD", "1h")]
    for number, (pair, timeframe) in enumerate(places):
        where = {"experiment_id": "placed", "pair": pair, "timeframe": timeframe}
        scores = [score(number, **where)] if mode == "shadow" else []
        drain(store, [exposure(number, **where), *scores])
    found = store.candles("placed")
    assert [found.places[code] for code in found.place.tolist()] == places
    assert len(found.places) == 3


def test_the_tally_counts_predictions_users_candles_and_failures(store: Store) -> None:
    drain(store, [exposure(1, signal="hold", slow=True), exposure(1, signal="hold"), exposure(2, signal="hold")])
    drain(store, [exposure(2, signal="short", user="other"), exposure(3, user=None)])
    drain(store, [exposure(4, fallback_reason="v1 is not loaded", slow=True, user="third")])
    drain(store, [Failure(AT, "exp", "B"), Failure(AT, "exp", "B"), Unrecorded(AT, "exp", "A", 40)])
    drain(store, [Refusal(AT, "exp", "A"), Refusal(AT, "another", "B")])
    drain(store, [Unrecorded(AT, "exp", "A", 2), Unrecorded(AT, "exp", "B", 1), Failure(AT, "another", "A")])
    found = store.tally("exp")
    assert found["A"] == Tally(
        predictions=5,
        signals={"hold": 3, "long": 1, "short": 1},
        confidence=3.75,
        users=2,
        units=2,
        candles=3,
        held_candles=1,
        fallbacks=1,
        failures=0,
        refused=1,
        slow=2,
        unrecorded=42,
        late=0,
        warnings={},
        surplus={},
    )
    assert found["B"] == replace(NOTHING, failures=2, unrecorded=1)


def test_what_is_beside_an_experiment_is_summed_by_reason(store: Store) -> None:
    assert store.beside("exp") == (0, 0)
    drain(store, [Beside(AT, "exp", "without_user", 40), Beside(AT, "exp", "named_version", 1), exposure()])
    drain(store, [Beside(AT, "exp", "without_user", 2), Beside(AT, "another", "named_version", 7)])
    assert store.beside("exp") == BesideTotals(without_user=42, named_version=1)
    assert store.tally("exp")["A"].predictions == 1


MINUTE = 60_000_000


def minute(number: int, answers: int, failures: int = 0, variant: Variant = "A") -> list[Record]:
    """The requests of a minute; every tenth answer is a fallback and slow."""
    at = (AT // MINUTE + number) * MINUTE
    answered = [
        exposure(at=at + k, variant=variant, user=None, slow=k % 10 == 0, fallback_reason=None if k % 10 else "failed")
        for k in range(answers)
    ]
    return [*answered, *(Failure(at + k, "exp", variant) for k in range(failures))]


def test_a_minute_with_more_requests_than_its_bursts_has_a_surplus(store: Store) -> None:
    for some in (minute(0, BUSY_REQUESTS), minute(1, 10, variant="B"), minute(2, 20, 30)):
        drain(store, some)
    assert [tally.surplus for tally in store.tally("exp").values()] == [{}, {}]
    busy = minute(3, 1_900, 1_000)
    drain(store, [*busy[:1_700], Refusal(busy[0].at, "exp", "A")])  # a minute can come in pieces
    drain(store, [*busy[1_700:], *(Refusal(busy[0].at, "exp", "A") for _ in range(99))])
    # Two seconds of 3,000 requests a minute have 100 requests, which count as one: a half of everything.
    # The minute after it counts with the bursts of the minute before.
    drain(store, minute(4, 100, 40))
    drain(store, minute(5, 100, 40))
    found = store.tally("exp")
    assert found["B"].surplus == {}
    assert found["A"].surplus == pytest.approx(
        {"requests": 1_570.0, "fallbacks": 100.0, "failures": 520.0, "refused": 50.0, "slow": 100.0}
    )
    drain(store, busy[:1_900])  # exposures that are drained again
    assert store.tally("exp")["A"].surplus == pytest.approx(found["A"].surplus)


def test_warnings_are_counted_by_code_and_variant_without_fallbacks(store: Store) -> None:
    drain(store, [exposure(1, warnings=("SPACING", "OPEN_CANDLE")), exposure(2, warnings=("SPACING",)), exposure(3)])
    drain(store, [exposure(4, warnings=("SPACING",)), exposure(5, variant="B", warnings=("OUT_OF_RANGE",))])
    drain(store, [exposure(6, fallback_reason="v1 is not loaded", warnings=("NO_STAGE2",))])
    drain(store, [exposure(7, experiment_id="another", warnings=("SPACING",))])
    found = store.tally("exp")
    assert found["A"].warnings == {"OPEN_CANDLE": 1, "SPACING": 3}
    assert found["B"].warnings == {"OUT_OF_RANGE": 1}
    exported = [row["warnings"] for row in store.export("exp")]
    assert exported == ["SPACING OPEN_CANDLE", "SPACING", None, "SPACING", "OUT_OF_RANGE", "NO_STAGE2"]


def test_a_fallback_is_stored_and_counted_separately(store: Store) -> None:
    fallback = exposure(variant="B", version="v1", fallback_reason="v2: NaN in \0 its output")
    drain(store, [fallback])
    assert store.tally("exp")["B"].fallbacks == 1
    assert store.tally("exp")["B"].predictions == store.tally("exp")["B"].users == 0
    assert len(table(store)) == 0
    (row,) = store.export("exp")
    assert row["fallback_reason"].startswith("v2: NaN in ")
    assert (row["variant"], row["model_version"]) == ("B", "v1")


def test_users_are_counted_once_and_users_on_both_sides_are_counted_too(store: Store) -> None:
    drain(store, [exposure(n, user=f"user{n % 3}") for n in range(12)])
    drain(store, [exposure(n, user=f"user{n % 3}") for n in range(12)])
    assert store.tally("exp")["A"].users == 3
    assert store.in_both("exp") == 0
    drain(store, [exposure(0, variant="B", user="user1"), exposure(0, variant="B", user="new")])
    drain(store, [exposure(0, variant="B", user="user2", fallback_reason="failed")])
    assert store.tally("exp")["B"].users == 2
    assert store.in_both("exp") == 1


def test_candles_without_a_time_come_last(store: Store) -> None:
    drain(store, [exposure(1, candle=f"w:{'0' * 32}"), exposure(2), exposure(3, candle=candle(-600_000))])
    found = table(store)
    assert found.time[:2].tolist() == [AT / 1000 - 600_000 * HOUR / 1000, AT / 1000 + 2 * HOUR / 1000]
    assert np.isnan(found.time[2])
    assert len(found.timed) == 2


def test_blocks_of_users_are_the_units_of_crossover_mode(store: Store) -> None:
    store.create(experiment("cross", mode="crossover").activated(AT))
    of_block = {"experiment_id": "cross", "user": "user1"}
    drain(store, [exposure(n, block=f"1h:{n // 24}", variant="AB"[n // 24 % 2], **of_block) for n in range(96)])
    found = store.tally("cross")
    assert [(found[v].users, found[v].units) for v in ("A", "B")] == [(1, 2), (1, 2)]
    assert store.in_both("cross") == 0
    drain(store, [exposure(2, block="1h:0", variant="B", **of_block)])
    assert store.in_both("cross") == 1


def test_experiments_do_not_mix(store: Store) -> None:
    drain(store, [exposure(1), exposure(1, experiment_id="another", variant="B")])
    assert store.tally("exp")["A"].predictions == 1
    assert store.tally("exp")["B"] == NOTHING
    assert store.tally("another")["B"].users == 1
    assert store.in_both("exp") == 0
    assert len(table(store)) == 1
    assert len(list(store.export("another"))) == 1


def test_exposures_that_are_drained_again_are_not_counted_again(store: Store) -> None:
    batch = [exposure(n % 3, user=f"user{n}", slow=n == 1, fallback_reason="x" if n == 2 else None) for n in range(9)]
    store.drain("journal", 900, [*batch, *batch[:4]])
    before = store.tally("exp"), sums(table(store).a), list(store.export("exp"))
    assert before[0]["A"].predictions == 8
    store.drain("journal", 900, batch)
    drain(store, [*batch[5:], *batch[:2]])
    assert (store.tally("exp"), sums(table(store).a), list(store.export("exp"))) == before
    drain(store, [*batch, exposure(7)])
    assert store.tally("exp")["A"].predictions == 9


def test_of_two_exposures_with_one_id_the_first_counts(store: Store) -> None:
    first = exposure(1)
    drain(store, [first, msgspec.structs.replace(first, signal="hold", variant="B")])
    assert [row["signal"] for row in store.export("exp")] == ["long"]
    assert store.tally("exp")["B"] == NOTHING


def test_a_batch_larger_than_the_limit_of_parameters_is_stored(store: Store) -> None:
    batch = [exposure(n % 50, user=f"user{n}") for n in range(40_000)]
    drain(store, batch)
    drain(store, batch[::7])
    assert store.tally("exp")["A"].predictions == store.tally("exp")["A"].users == 40_000


def test_a_failed_drain_changes_nothing(store: Store) -> None:
    store.drain("journal", 10, [exposure(1)])
    before = store.tally("exp"), sums(table(store).a)
    bad = exposure(2, pair=None)  # refused by the schema, after other rows were written
    with pytest.raises(Exception, match=r"(?i)null"):
        store.drain("journal", 20, [exposure(1), exposure(2), Failure(AT, "exp", "A"), bad])
    assert store.drained("journal") == 10
    assert (store.tally("exp"), sums(table(store).a)) == before
    store.drain("journal", 20, [exposure(2)])
    assert store.tally("exp")["A"].predictions == 2


def test_replicas_that_drain_onto_the_same_candles_sum_exactly(replica: Open, store: Store) -> None:
    seeded = random.Random(7)  # noqa: S311 - test data
    shared = [exposure(n % 5, user=f"user{n % 40}", variant=seeded.choice("AB")) for n in range(60)]
    workers = 4
    own = [[exposure(seeded.randrange(5), user=f"user{i}-{n}") for n in range(200)] for i in range(workers)]

    def work(other: Store, i: int) -> None:
        mixed: list[Record] = [*own[i], *shared, *(Failure(AT, "exp", "B") for _ in range(40))]
        random.Random(i).shuffle(mixed)  # noqa: S311 - likewise
        for start in range(0, len(mixed), 20):
            other.drain(f"journal-{i}", start + 20, mixed[start : start + 20])
            answered = [r for r in mixed[start : start + 20] if isinstance(r, Exposure)]
            other.record_outcomes([outcome(each, "win", 1.0) for each in answered], AT)

    run([partial(work, replica(), i) for i in range(workers)])
    found, seen = table(store), [*shared, *(each for part in own for each in part)]
    for side, variant in ((found.a, "A"), (found.b, "B")):
        expected = [sum(e.variant == variant and e.candle == candle(n) for e in seen) for n in range(5)]
        by_candle = dict(zip((e["candle"] for e in first_of_candles(store)), side.predictions.tolist(), strict=True))
        assert [by_candle[candle(n)] for n in range(5)] == expected
        assert (side.wins == side.predictions).all()
        assert (side.pnl == side.predictions).all()
    assert store.tally("exp")["B"].failures == 40 * workers
    assert len(list(store.export("exp"))) == len(seen)


def test_readers_see_only_complete_drains_while_a_thread_writes(store: Store) -> None:
    done = threading.Event()
    seen: list[tuple[int, int, float]] = []

    def read() -> None:
        while not done.is_set():
            found = store.tally("exp")["A"]
            seen.append((found.predictions, found.failures, float(store.candles("exp").a.predictions.sum())))

    def write() -> None:
        try:
            for n in range(40):
                drain(store, [*(exposure(k, user=f"{n}-{k}") for k in range(10)), Failure(AT, "exp", "A")])
        finally:
            done.set()

    run([write, read, read, read])
    assert len(seen) >= 3
    assert all(predictions == 10 * failures for predictions, failures, _ in seen)
    assert all(later % 10 == 0 and later >= predictions for predictions, _, later in seen)


def first_of_candles(store: Store) -> list[dict[str, object]]:
    first: dict[str, dict[str, object]] = {}
    for row in store.export("exp"):
        first.setdefault(row["candle"], row)
    return sorted(first.values(), key=lambda row: (row["at"], row["candle"]))


def run(work: Sequence[Callable[[], None]]) -> None:
    """Run all functions at once, each in a thread, and raise what one of them raised."""
    errors: list[BaseException] = []

    def guarded(each: Callable[[], None]) -> None:
        try:
            each()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(each,)) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        raise error
