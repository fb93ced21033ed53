"""Evaluation on a real store: the labels that recorded candles get from later candles."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec
import numpy as np
import pytest

from core.errors import Conflict, UnknownExperiment
from core.experiments.experiment import ChosenRule, Experiment
from core.experiments.label_rule import LabelRule
from core.experiments.records import Exposure, ShadowScore
from core.features.candle_keys import candle_key_of_time, candle_key_of_window
from core.features.candles import Candles
from core.features.labels import LONG, NONE, SHORT, UNKNOWN, pip_of, profitable_reversals
from core.features.timeframes import Timeframe
from core.reports.evaluation import Evaluation, LaterCandles, evaluate, labels
from core.store.interface import Label, Store
from core.store.opening import open_store

HOUR = 3_600_000
RULE = LabelRule(horizon=2, min_profit_pips=6.0, max_loss_pips=5.0, min_ratio=1.5)
# The price falls to the third bar, then rises, so a long trade there pays. The first and last two bars have no label.
PIPS = [20.0, 10.0, 0.0, 10.0, 20.0, 30.0, 20.0]


def later(pips: list[float] = PIPS, pair: str = "EUR/USD", start: int = 0) -> LaterCandles:
    price, pip = (150.0, 0.01) if pair.endswith("JPY") else (1.1, 0.0001)
    close, high, low = (np.round(price + (np.array(pips) + reach) * pip, 5) for reach in (0.0, 1.0, -1.0))
    instants = [float((start + i) * HOUR) for i in range(len(pips))]
    return LaterCandles(pair, "1h", Candles.from_fields(close, high, low, close, np.zeros(len(pips))), instants)


def chosen(rule: LabelRule, at: int) -> ChosenRule:
    return ChosenRule(rule, "1h", at, "ops")


def key(i: int) -> str:
    return candle_key_of_time(i * HOUR)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/state.db")
    for name in ("one", "other"):
        store.create(
            Experiment(experiment_id=name, name=name, variant_a="v1", variant_b="v2", traffic_split=0.5, created_at=1)
        )
    yield store
    store.close()


_numbers = count(1)


def predict(
    store: Store, *candles: str, experiment: str = "one", pair: str = "EUR/USD", timeframe: Timeframe = "1h"
) -> None:
    records = [
        Exposure(
            prediction_id=f"p{next(_numbers)}",
            at=1,
            experiment_id=experiment,
            variant="A",
            version="v1",
            fallback_reason=None,
            user="u",
            pair=pair,
            timeframe=timeframe,
            candle=candle,
            signal="long",
            confidence=0.7,
            stage1_prob=0.7,
            stage2_prob=0.7,
            latency_us=100,
            slow=False,
        )
        for candle in candles
    ]
    store.drain("journal", next(_numbers), records)


def test_labels_equal_those_of_training_and_have_the_move_to_the_horizon() -> None:
    series = later()
    expected = profitable_reversals(series.candles, horizon=2, min_profit_pips=6, max_loss_pips=5, min_ratio=1.5)
    found = labels(series, RULE)
    assert [UNKNOWN if each is None else each.label for each in found.values()] == expected.tolist()
    assert found[key(2)] == Label(key(2), LONG, 20.0)
    assert found[key(4)] == Label(key(4), NONE, 0.0)


def test_a_pip_of_a_pair_quoted_in_yen_is_a_hundred_times_larger() -> None:
    assert (pip_of("USD/JPY"), pip_of("JPY/USD"), pip_of("EUR/USD")) == (0.01, 0.0001, 0.0001)
    assert labels(later(pair="USD/JPY"), RULE) == labels(later(), RULE)


def test_a_series_as_short_as_the_horizon_has_no_labels() -> None:
    assert labels(later([1.0, 2.0]), RULE) == {key(0): None, key(1): None}
    assert labels(later([]), RULE) == {}


def test_recorded_candles_are_labelled_and_those_at_the_ends_are_counted(store: Store) -> None:
    predict(store, key(0), key(2), key(2), key(4), key(6), key(7))
    done = evaluate(store, "one", later(), chosen(RULE, 5))
    assert done == Evaluation(labelled=2, changed=0, unchanged=0, too_close=2, dropped=0)
    table = store.candles("one")
    assert sorted(table.label.tolist()) == [UNKNOWN, UNKNOWN, UNKNOWN, NONE, LONG]
    assert table.move_pips[table.label == LONG].tolist() == [20.0]


def test_the_same_evaluation_changes_nothing_and_corrected_candles_do(store: Store) -> None:
    predict(store, key(2), key(4))
    evaluate(store, "one", later(), chosen(RULE, 5))
    assert evaluate(store, "one", later(), chosen(RULE, 6)) == Evaluation(0, 0, 2, 0, 0)
    corrected = later([*PIPS[:3], -10.0, *PIPS[4:]])
    assert evaluate(store, "one", corrected, chosen(RULE, 7)) == Evaluation(0, 1, 1, 0, 0)
    assert len(store.experiment("one").label_rules) == 1


STRICT = msgspec.structs.replace(RULE, min_profit_pips=60.0)


def test_another_rule_is_refused_and_changes_nothing(store: Store) -> None:
    predict(store, key(2), key(4))
    evaluate(store, "one", later(), chosen(RULE, 5))
    with pytest.raises(Conflict) as refused:
        evaluate(store, "one", later(), chosen(STRICT, 6))
    assert all(str(rule) in str(refused.value) for rule in (RULE, STRICT))
    assert sorted(store.candles("one").label.tolist()) == [NONE, LONG]
    assert store.experiment("one").label_rules == (chosen(RULE, 5),)


def test_a_rule_that_replaces_another_one_drops_its_labels_on_all_series(store: Store) -> None:
    predict(store, key(2), key(4), key(6))
    predict(store, key(2), pair="EUR/GBP")
    predict(store, key(2), experiment="other")
    for pair in ("EUR/USD", "EUR/GBP"):
        evaluate(store, "one", later(pair=pair), chosen(RULE, 5))
    evaluate(store, "other", later(), chosen(RULE, 5))
    done = evaluate(store, "one", later(), chosen(STRICT, 6), replace=True)
    assert done == Evaluation(labelled=2, changed=0, unchanged=0, too_close=1, dropped=3)
    table = store.candles("one")
    assert sorted(table.label.tolist()) == [UNKNOWN, UNKNOWN, NONE, NONE]
    assert np.isnan(table.move_pips[table.label == UNKNOWN]).all()
    assert store.candles("other").label.tolist() == [LONG]
    assert store.experiment("one").label_rules == (chosen(RULE, 5), chosen(STRICT, 6))
    assert evaluate(store, "one", later(), chosen(STRICT, 7), replace=True).dropped == 0


def test_a_label_stays_if_a_later_series_is_too_short_for_it(store: Store) -> None:
    predict(store, key(2))
    evaluate(store, "one", later(), chosen(RULE, 5))
    assert evaluate(store, "one", later(PIPS[:4]), chosen(RULE, 6)) == Evaluation(0, 0, 0, too_close=1, dropped=0)
    assert store.candles("one").label.tolist() == [LONG]


def test_other_pairs_timeframes_experiments_and_candles_without_times_get_no_label(store: Store) -> None:
    predict(store, key(2), pair="EUR/GBP")
    predict(store, key(2), timeframe="4h")
    predict(store, key(2), experiment="other")
    predict(store, candle_key_of_window(b"window"))
    assert evaluate(store, "one", later(), chosen(RULE, 5)) == Evaluation(0, 0, 0, 0, 0)
    assert set(store.candles("one").label.tolist()) == {UNKNOWN}


def test_a_shadow_score_is_labelled_as_well(store: Store) -> None:
    predict(store, key(3))
    store.drain("journal", next(_numbers), [ShadowScore(1, "one", "EUR/USD", "1h", key(2), "hold", 0.9, "long", 0.8)])
    assert evaluate(store, "one", later(), chosen(RULE, 5)).labelled == 2


def test_a_fall_after_a_rise_is_short(store: Store) -> None:
    predict(store, key(2))
    evaluate(store, "one", later([-pips for pips in PIPS]), chosen(RULE, 5))
    table = store.candles("one")
    assert (table.label.tolist(), table.move_pips.tolist()) == ([SHORT], [-20.0])


def test_an_unknown_experiment_is_an_error(store: Store) -> None:
    with pytest.raises(UnknownExperiment, match='"none"'):
        evaluate(store, "none", later(), chosen(RULE, 5))
