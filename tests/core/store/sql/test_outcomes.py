from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest

from core.experiments.candle_table import Side
from core.experiments.records import Failure
from core.features.candle_keys import candle_key_of_time, candle_key_of_window
from core.features.labels import LONG, NONE
from core.serving.state import State
from core.store.interface import ClosedTooEarly, Label, Outcome, OutcomeName, Store
from tests.core.store.samples import AT, HOUR, SERIES, candle, drain, experiment, exposure, label, outcome, score


def column(side: Side, name: str) -> list[float]:
    found: list[float] = getattr(side, name).tolist()
    return found


@pytest.fixture(autouse=True)
def running(store: Store) -> None:
    store.create(experiment().activated(AT))


def test_outcomes_are_summed_on_the_candle_and_side_of_their_prediction(store: Store) -> None:
    a1, a2, b1, b2 = exposure(1), exposure(1, user="x"), exposure(1, variant="B"), exposure(2, variant="B")
    drain(store, [a1, a2, b1, b2])
    reported = [outcome(a1, "win", 12.5), outcome(a2, "loss", -4.0), outcome(b1, "neutral", 0.0), outcome(b2, "win")]
    assert store.record_outcomes(reported, AT) == ["recorded"] * 4
    found = store.candles("exp")
    assert [column(found.a, name) for name in ("wins", "losses", "neutrals")] == [[1, 0], [1, 0], [0, 0]]
    assert [column(found.b, name) for name in ("wins", "losses", "neutrals")] == [[0, 1], [0, 0], [1, 0]]
    assert (column(found.a, "pnl"), column(found.a, "pnl_count")) == ([8.5, 0], [2, 0])
    assert (column(found.b, "pnl"), column(found.b, "pnl_count")) == ([0, 0], [1, 0])
    assert column(found.a, "predictions") == [2, 0]


def test_each_outcome_of_a_list_gets_its_own_answer_and_new_ones_are_stored(store: Store) -> None:
    one, two, three = exposure(1), exposure(2), exposure(3)
    drain(store, [one, two, three])
    assert store.record_outcomes([outcome(one, "win", 1.0, AT)], AT) == ["recorded"]
    reported = [
        outcome(one, "win", 1.0, AT),
        outcome(one, "loss", 1.0, AT),
        Outcome("no-prediction", "win", None, None),
        outcome(two, "loss"),
        outcome(two, "loss"),
        outcome(two, "neutral"),
        outcome(three, "win", -0.5),
        Outcome("no-prediction", "win", None, None),
    ]
    assert store.record_outcomes(reported, AT) == [
        *("duplicate", "contradicts", "unknown", "recorded", "duplicate", "contradicts", "recorded", "unknown"),
    ]
    rows = {row["prediction_id"]: (row["outcome"], row["pnl_pips"]) for row in store.export("exp")}
    assert rows == {
        one.prediction_id: ("win", 1.0),
        two.prediction_id: ("loss", None),
        three.prediction_id: ("win", -0.5),
    }
    found = store.candles("exp").a
    assert (column(found, "wins"), column(found, "losses"), column(found, "pnl")) == (
        [1, 0, 1],
        [0, 1, 0],
        [1, 0, -0.5],
    )


@pytest.mark.parametrize("again", [{"pnl": 2.0}, {"closed_at": AT + 1}])
def test_the_same_outcome_with_other_values_contradicts(store: Store, again: dict[str, float | None]) -> None:
    one = exposure()
    drain(store, [one])
    store.record_outcomes([outcome(one, "win", 1.0, AT)], AT)
    second = outcome(one, "win", **{"pnl": 1.0, "closed_at": AT} | again)  # type: ignore[arg-type]
    assert store.record_outcomes([second], AT) == ["contradicts"]
    assert column(store.candles("exp").a, "pnl") == [1.0]


@pytest.mark.parametrize("again", [{}, {"pnl": None}, {"closed_at": None}, {"pnl": None, "closed_at": None}])
def test_an_outcome_that_says_nothing_new_is_a_duplicate(store: Store, again: dict[str, float | None]) -> None:
    one = exposure()
    drain(store, [one])
    assert store.record_outcomes([outcome(one, "win")], AT) == ["recorded"]
    assert store.record_outcomes([outcome(one, "win", 1.0, AT)], AT) == ["completed"]
    second = outcome(one, "win", **{"pnl": 1.0, "closed_at": AT} | again)  # type: ignore[arg-type]
    assert store.record_outcomes([second, second], AT) == ["duplicate", "duplicate"]
    assert column(store.candles("exp").a, "pnl") == [1.0]


@pytest.mark.parametrize(
    ("first", "then", "kept"),
    [
        ({}, {"pnl": 2.5}, (2.5, None)),
        ({}, {"closed_at": AT}, (None, AT)),
        ({"closed_at": AT}, {"pnl": 2.5}, (2.5, AT)),
        ({"closed_at": AT}, {"pnl": 2.5, "closed_at": AT}, (2.5, AT)),
        ({"pnl": 2.5}, {"closed_at": AT}, (2.5, AT)),
    ],
)
@pytest.mark.parametrize("lists", [1, 3])
def test_what_was_left_out_is_added_once(
    store: Store, first: dict[str, Any], then: dict[str, Any], kept: tuple[object, object], lists: int
) -> None:
    one = exposure(1)
    drain(store, [one])
    reported = [outcome(one, "win", **first), outcome(one, "win", **then), outcome(one, "win", kept[0], kept[1])]  # type: ignore[arg-type]
    if lists == 1:
        answers = store.record_outcomes(reported, AT)
    else:
        answers = [answer for each in reported for answer in store.record_outcomes([each], AT)]
    assert answers == ["recorded", "completed", "duplicate"]
    found = store.candles("exp").a
    pnl = kept[0] is not None
    assert (column(found, "wins"), column(found, "pnl"), column(found, "pnl_count")) == ([1], [kept[0] or 0], [pnl])
    (row,) = store.export("exp")
    assert (row["outcome"], row["pnl_pips"], row["closed_at"] is None) == ("win", kept[0], kept[1] is None)


@pytest.mark.parametrize(("name", "then"), [("loss", {"pnl": -2.0}), ("win", {"pnl": 2.0, "closed_at": AT + 1})])
def test_an_addition_with_another_outcome_or_time_contradicts(
    store: Store, name: OutcomeName, then: dict[str, Any]
) -> None:
    one = exposure()
    drain(store, [one])
    store.record_outcomes([outcome(one, "win", closed_at=AT)], AT)
    assert store.record_outcomes([outcome(one, name, **then)], AT) == ["contradicts"]
    assert column(store.candles("exp").a, "pnl_count") == [0]


def test_the_outcome_of_a_hold_changes_nothing(store: Store) -> None:
    one = exposure(1, signal="hold")
    drain(store, [one])
    assert store.record_outcomes([outcome(one, "win", 3.0)], AT) == ["not_a_trade"]
    found = store.candles("exp").a
    assert (column(found, "wins"), column(found, "pnl_count")) == ([0], [0])
    assert [row["outcome"] for row in store.export("exp")] == [None]


MINUTE = 60_000_000


@pytest.mark.parametrize(
    ("opened", "key", "closed_at", "refused"),
    [
        # A live prediction on a candle that opened an hour ago.
        (AT - HOUR, None, AT - HOUR, None),
        (AT - HOUR, None, AT - HOUR - MINUTE, None),
        (AT - HOUR, None, AT - HOUR - MINUTE - 1, ClosedTooEarly(AT - HOUR, is_candle=True)),
        # A replay of a candle of a year ago.
        (AT - 8760 * HOUR, None, AT - 8750 * HOUR, None),
        (AT - 8760 * HOUR, None, AT - 8761 * HOUR, ClosedTooEarly(AT - 8760 * HOUR, is_candle=True)),
        # A candle whose time is read in the wrong zone, so that it seems to open in two hours.
        (AT + 2 * HOUR, None, AT, None),
        (AT + 2 * HOUR, None, AT - HOUR, ClosedTooEarly(AT, is_candle=False)),
        # Without a time, it could be a replay.
        (0, candle_key_of_window(b"candles"), AT - 8760 * HOUR, None),
    ],
)
def test_a_trade_cannot_be_closed_before_its_prediction_can_have_been_made(
    store: Store, opened: int, key: str | None, closed_at: int, refused: ClosedTooEarly | None
) -> None:
    one = exposure(0, candle=key or candle_key_of_time(opened // 1000))
    drain(store, [one])
    assert store.record_outcomes([outcome(one, "win", 1.0, closed_at)], AT) == [refused or "recorded"]
    assert column(store.candles("exp").a, "wins") == [0 if refused else 1]


def test_an_addition_with_a_too_early_time_is_refused(store: Store) -> None:
    one = exposure(1)
    drain(store, [one])
    store.record_outcomes([outcome(one, "win")], AT)
    answer = ClosedTooEarly(AT + 1, is_candle=False)
    assert store.record_outcomes([outcome(one, "win", 1.0, AT - HOUR)], AT) == [answer]
    assert column(store.candles("exp").a, "pnl_count") == [0]


def test_an_empty_list_of_outcomes_has_no_answers(store: Store) -> None:
    assert store.record_outcomes([], AT) == []


def test_an_outcome_can_be_recorded_after_its_prediction_is_drained(store: Store) -> None:
    one = exposure()
    assert store.record_outcomes([outcome(one)], AT) == ["unknown"]
    drain(store, [one])
    assert store.record_outcomes([outcome(one)], AT) == ["recorded"]


def test_an_outcome_after_the_experiment_stopped_is_late_and_counts(store: Store) -> None:
    one, two, other = exposure(1), exposure(2), exposure(1, experiment_id="unheard-of")
    drain(store, [one, two, other])
    store.record_outcomes([outcome(two)], AT)
    store.change(0, State(), [experiment().activated(AT).stopped(AT + 1, "enough")])
    reported = [outcome(one, "win", 2.0), outcome(two), outcome(one, "win", 2.0), outcome(other)]
    assert store.record_outcomes(reported, AT + 2) == ["late", "duplicate", "duplicate", "recorded"]
    assert column(store.candles("exp").a, "wins") == [1, 1]
    assert (store.tally("exp")["A"].late, store.tally("exp")["B"].late) == (1, 0)


def test_late_outcomes_are_counted_by_variant_without_fallbacks_and_additions(store: Store) -> None:
    drain(store, given := [*(exposure(n, variant="AB"[n % 2]) for n in range(5)), exposure(5, fallback_reason="gone")])
    store.change(0, State(), [experiment().activated(AT).stopped(AT + 1, "enough")])
    assert store.record_outcomes([outcome(each) for each in given[:3]], AT + 2) == ["late"] * 3
    assert store.record_outcomes([outcome(each) for each in given[3:]], AT + 3) == ["late"] * 3
    assert store.record_outcomes([outcome(given[0], "win", 3.0)], AT + 4) == ["completed"]
    drain(store, [Failure(AT, "exp", "A")])
    found = store.tally("exp")
    assert (found["A"].late, found["B"].late, found["A"].failures) == (3, 2, 1)


def test_the_outcome_of_a_fallback_is_stored_but_not_summed(store: Store) -> None:
    fallback, other = exposure(1, fallback_reason="gone"), exposure(1)
    drain(store, [fallback, other])
    assert store.record_outcomes([outcome(fallback, "loss", -9.0)], AT) == ["recorded"]
    assert store.record_outcomes([outcome(fallback, "loss", -9.0)], AT) == ["duplicate"]
    assert column(store.candles("exp").a, "losses") == [0]
    assert sorted(row["outcome"] or "" for row in store.export("exp")) == ["", "loss"]


def test_each_of_thousands_of_outcomes_is_answered(store: Store) -> None:
    batch = [exposure(n % 7) for n in range(5000)]
    drain(store, batch[:4000])
    answers = store.record_outcomes([outcome(each, "win", 0.5) for each in batch], AT)
    assert answers == ["recorded"] * 4000 + ["unknown"] * 1000
    assert store.candles("exp").a.pnl.sum() == 2000.0


def test_labels_are_set_on_candles_that_have_predictions(store: Store) -> None:
    drain(store, [exposure(1), exposure(2, variant="B"), exposure(3, fallback_reason="gone")])
    drain(store, [exposure(4, pair="USD/JPY"), exposure(4, timeframe="4h"), exposure(4, experiment_id="another")])
    asked = [candle(n) for n in range(6)]
    found = store.labels(SERIES, asked)
    assert found == {candle(1): None, candle(2): None, candle(3): None}
    labels = [Label(candle(1), LONG, 31.7), Label(candle(2), NONE, -0.1), Label(candle(5), LONG, 1.0)]
    label(store, *labels)
    assert store.labels(SERIES, asked) == {candle(1): labels[0], candle(2): labels[1], candle(3): None}
    table = store.candles("exp")
    assert sorted(table.label.tolist()) == [-1, -1, NONE, LONG]
    known = {
        label: move for label, move in zip(table.label.tolist(), table.move_pips.tolist(), strict=True) if label >= 0
    }
    assert known == {LONG: 31.7, NONE: -0.1}


def test_the_table_has_candles_of_many_pages_in_order_of_time(store: Store) -> None:
    drain(store, [exposure(n, confidence=n / 10_000) for n in range(4500)])
    assert column(store.candles("exp").a, "confidence") == [n / 10_000 for n in range(4500)]


def test_a_new_label_replaces_the_old_one(store: Store) -> None:
    drain(store, [exposure(1)])
    label(store, Label(candle(1), LONG, 31.0))
    drain(store, [exposure(1, user="later")])
    label(store, Label(candle(1), NONE, 2.0))
    found = store.candles("exp")
    assert (found.label.tolist(), found.move_pips.tolist(), column(found.a, "predictions")) == ([NONE], [2.0], [2])


def test_labels_of_thousands_of_candles_are_found(store: Store) -> None:
    drain(store, [exposure(n) for n in range(3000)])
    found = store.labels(SERIES, [candle(n) for n in range(-2000, 9000)])
    assert len(found) == 3000


def test_a_label_without_a_move_is_returned_unchanged(store: Store) -> None:
    drain(store, [exposure(1)])
    label(store, Label(candle(1), NONE, math.nan))
    found = store.labels(SERIES, [candle(1)])[candle(1)]
    assert found is not None
    assert found.label == NONE
    assert math.isnan(found.move_pips)


class TestShadow:
    @pytest.fixture(autouse=True)
    def running(self, store: Store) -> None:
        store.create(experiment(mode="shadow").activated(AT))

    def test_each_candle_has_one_prediction_of_each_side_for_any_number_of_users(self, store: Store) -> None:
        drain(store, [exposure(1, user=f"user{n}") for n in range(5)])
        drain(store, [score(1, "long", "hold"), score(1, "short", "short")])
        drain(store, [score(1, "hold", "hold", at=AT), score(2, "short", "short"), exposure(2, signal="short")])
        found = store.candles("exp")
        assert column(found.a, "predictions") == column(found.b, "predictions") == [1, 1]
        assert [column(found.a, name) for name in ("holds", "longs", "shorts")] == [[0, 0], [1, 0], [0, 1]]
        assert [column(found.b, name) for name in ("holds", "longs", "shorts")] == [[1, 0], [0, 0], [0, 1]]
        assert (column(found.a, "confidence"), column(found.b, "confidence")) == ([0.75] * 2, [0.5] * 2)
        assert column(found.b, "confidence_squares") == [0.25, 0.25]

    def test_only_candles_scored_by_both_are_in_the_table(self, store: Store) -> None:
        drain(store, [exposure(1), exposure(2), score(2)])
        found = store.candles("exp")
        assert len(found) == 1
        for side in (found.a, found.b):
            assert all(len(getattr(side, field.name)) == 1 for field in fields(Side))

    def test_an_outcome_counts_for_both_sides_if_their_signals_agree(self, store: Store) -> None:
        one, two, again = exposure(1), exposure(2), exposure(1, user="other")
        drain(store, [one, two, again])
        store.record_outcomes([outcome(one, "win", 3.0), outcome(two, "loss", -2.0)], AT)
        drain(store, [score(1, "long", "long"), score(2, "long", "short")])  # scores after the outcomes count as well
        store.record_outcomes([outcome(again, "win", 4.0)], AT)
        found = store.candles("exp")
        assert (column(found.a, "wins"), column(found.a, "losses")) == ([2, 0], [0, 1])
        assert (column(found.b, "wins"), column(found.b, "losses")) == ([2, 0], [0, 0])
        assert (column(found.a, "pnl"), column(found.b, "pnl")) == ([7.0, -2.0], [7.0, 0.0])
        assert (column(found.a, "pnl_count"), column(found.b, "pnl_count")) == ([2, 1], [2, 0])

    def test_an_outcome_belongs_to_the_input_that_was_scored(self, store: Store) -> None:
        one, two, unscored = (exposure(1, window=window) for window in ("w:1", "w:2", "w:3"))
        drain(
            store, [one, two, unscored, score(1, "long", "long", window="w:1"), score(1, "long", "hold", window="w:2")]
        )
        store.record_outcomes([outcome(one, "win"), outcome(two, "loss"), outcome(unscored, "win")], AT)
        found = store.candles("exp")
        assert (column(found.a, "wins"), column(found.a, "losses")) == ([1, 0], [0, 1])
        assert (column(found.b, "wins"), column(found.b, "losses")) == ([1, 0], [0, 0])
        label(store, Label(candle(1), LONG, 5.0))
        assert store.candles("exp").label.tolist() == [LONG, LONG]
        assert store.tally("exp")["B"].predictions == 2
        assert store.tally("exp")["B"].candles == 1
        rows = {row["outcome"]: row["b_signal"] for row in store.export("exp") if row["b_signal"]}
        assert rows == {"win": "long", "loss": "hold"}

    def test_a_late_outcome_counts_for_the_sides_that_it_labels(self, store: Store) -> None:
        given = [exposure(n) for n in range(4)]
        drain(store, [*given, score(0, "long", "long"), score(1, "long", "short"), score(2, "long", "long")])
        store.record_outcomes([outcome(given[2])], AT)
        store.change(0, State(), [experiment(mode="shadow").activated(AT).stopped(AT + 1, "enough")])
        late = [given[0], given[1], given[3]]  # B did not score the last one
        assert store.record_outcomes([outcome(each) for each in late], AT + 2) == ["late"] * 3
        found = store.tally("exp")
        assert (found["A"].late, found["B"].late) == (2, 1)

    def test_pips_that_are_added_later_count_for_both_sides(self, store: Store) -> None:
        one = exposure(1)
        drain(store, [one, score(1)])
        store.record_outcomes([outcome(one)], AT)
        assert store.record_outcomes([outcome(one, "win", 3.0)], AT) == ["completed"]
        found = store.candles("exp")
        for side in (found.a, found.b):
            assert [column(side, name) for name in ("wins", "pnl", "pnl_count")] == [[1], [3.0], [1]]

    def test_an_input_that_b_could_not_score_is_one_failure_until_a_worker_scores_it(self, store: Store) -> None:
        failed = score(1, "long", None, b_confidence=None)
        for _ in range(4):  # as four workers do
            drain(store, [failed, failed])
        assert store.tally("exp")["B"].failures == 1
        assert store.tally("exp")["B"].predictions == 0
        assert len(store.candles("exp")) == 0
        drain(store, [failed, score(1, "long", "short"), failed])
        assert store.tally("exp")["B"].failures == 0
        assert store.tally("exp")["B"].signals == {"hold": 0, "long": 0, "short": 1}

    def test_the_tally_counts_answers_of_a_and_scores_of_b(self, store: Store) -> None:
        drain(store, [exposure(1, user=f"user{n}", signal="hold") for n in range(5)])
        drain(store, [score(1, "hold", "long"), score(2, "hold", "hold"), score(2, "hold", "long")])
        found = store.tally("exp")
        assert (found["A"].predictions, found["A"].users, found["A"].candles, found["A"].held_candles) == (5, 5, 1, 1)
        assert (found["B"].predictions, found["B"].users, found["B"].candles, found["B"].held_candles) == (2, 0, 2, 1)
        assert found["B"].signals == {"hold": 1, "long": 1, "short": 0}
        assert found["B"].confidence == 1.0

    def test_the_latest_disagreements_come_first(self, store: Store) -> None:
        drain(store, [score(n, "hold", "long" if n % 2 else "hold") for n in range(10)])
        found = store.disagreements("exp", 2)
        common = {"pair": "EUR/USD", "timeframe": "1h", "a_signal": "hold", "b_signal": "long"}
        assert found == [{**common, "candle": candle(9)}, {**common, "candle": candle(7)}]
        assert len(store.disagreements("exp", 100)) == 5
        assert store.disagreements("another", 100) == []

    def test_labels_are_set_on_candles_that_have_only_a_shadow_score(self, store: Store) -> None:
        drain(store, [score(1)])
        assert store.labels(SERIES, [candle(1)]) == {candle(1): None}
        label(store, Label(candle(1), LONG, 5.0))
        assert store.candles("exp").label.tolist() == [LONG]

    def test_the_export_has_the_score_of_b(self, store: Store) -> None:
        drain(store, [exposure(1), exposure(2), score(1, "long", "hold")])
        rows = list(store.export("exp"))
        assert [(row["b_signal"], row["b_confidence"]) for row in rows] == [("hold", 0.5), (None, None)]
