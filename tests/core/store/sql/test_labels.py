from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec
import pytest

from core.errors import Conflict, UnknownExperiment
from core.experiments.experiment import ChosenRule
from core.features.labels import LONG
from core.serving.state import State
from core.store.interface import Label, Store
from tests.core.store.samples import AT, CHOSEN, SERIES, candle, drain, experiment, exposure, label, query

Open = Callable[[], Store]
OTHER = ChosenRule(msgspec.structs.replace(CHOSEN.rule, horizon=7), "4h", AT + 1)


@pytest.fixture(autouse=True)
def running(store: Store) -> None:
    store.create(experiment())


def test_the_first_rule_is_chosen_and_stays(store: Store) -> None:
    assert store.experiment("exp").label_rule is None
    assert store.choose_rule("exp", CHOSEN, replace=False) == 0
    again = msgspec.structs.replace(CHOSEN, chosen_at=AT + 9)
    assert store.choose_rule("exp", again, replace=False) == store.choose_rule("exp", again, replace=True) == 0
    assert store.experiment("exp").label_rules == (CHOSEN,)
    assert store.experiment("exp").label_rule == CHOSEN.rule
    assert store.experiments() == [experiment(label_rules=(CHOSEN,))]


def test_another_rule_is_refused_with_both(store: Store) -> None:
    store.choose_rule("exp", CHOSEN, replace=False)
    with pytest.raises(Conflict) as refused:
        store.choose_rule("exp", OTHER, replace=False)
    assert all(str(each.rule) in str(refused.value) for each in (CHOSEN, OTHER))
    assert store.experiment("exp").label_rules == (CHOSEN,)


def test_a_replaced_rule_takes_its_labels_along(store: Store) -> None:
    drain(store, [exposure(n) for n in range(3)])
    label(store, Label(candle(0), LONG, 1.0), Label(candle(1), LONG, 2.0))
    assert store.choose_rule("exp", OTHER, replace=True) == 2
    assert set(store.labels(SERIES, [candle(n) for n in range(3)]).values()) == {None}
    assert store.experiment("exp").label_rules == (CHOSEN, OTHER)


def test_labels_of_a_release_that_stored_no_rule_stay_when_a_rule_is_chosen(url: str, store: Store) -> None:
    drain(store, [exposure(1)])
    query(url, f"UPDATE candles SET label = {LONG}, move_pips = 3.5")  # noqa: S608 - a number
    assert store.choose_rule("exp", CHOSEN, replace=True) == 0
    assert store.labels(SERIES, [candle(1)]) == {candle(1): Label(candle(1), LONG, 3.5)}


def test_labels_of_a_rule_that_was_replaced_meanwhile_are_refused(store: Store) -> None:
    drain(store, [exposure(1)])
    store.choose_rule("exp", CHOSEN, replace=False)
    store.choose_rule("exp", OTHER, replace=True)
    with pytest.raises(Conflict):
        store.label(SERIES, CHOSEN.rule, [Label(candle(1), LONG, 1.0)], AT)
    assert store.labels(SERIES, [candle(1)]) == {candle(1): None}


def test_an_unknown_experiment_has_no_rule(store: Store) -> None:
    with pytest.raises(UnknownExperiment):
        store.choose_rule("none", CHOSEN, replace=False)
    with pytest.raises(UnknownExperiment):
        store.label(SERIES._replace(experiment_id="none"), CHOSEN.rule, [], AT)


def test_of_replicas_that_choose_at_once_exactly_one_does(replica: Open, store: Store) -> None:
    stores = [replica() for _ in range(4)]
    barrier = threading.Barrier(4)
    refused: list[Conflict] = []

    def choose(number: int) -> None:
        mine = msgspec.structs.replace(CHOSEN, rule=msgspec.structs.replace(CHOSEN.rule, horizon=number + 1))
        barrier.wait(30)
        try:
            stores[number].choose_rule("exp", mine, replace=False)
        except Conflict as error:
            refused.append(error)

    threads = [threading.Thread(target=choose, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 3
    assert len(store.experiment("exp").label_rules) == 1


def test_a_change_that_was_planned_before_keeps_the_rule(store: Store) -> None:
    active = experiment().activated(AT)
    store.change(0, State(experiment=active), [active])
    stale = store.experiment("exp").stopped(AT + 2, "enough")
    store.choose_rule("exp", CHOSEN, replace=False)
    store.change(1, State(), [stale])
    assert store.experiment("exp") == msgspec.structs.replace(stale, label_rules=(CHOSEN,))


def test_a_new_experiment_of_a_change_has_its_own_rules(store: Store) -> None:
    made = experiment("next", label_rules=(CHOSEN,))
    store.change(0, State(), [made])
    assert store.experiment("next") == made


def test_a_rule_does_not_change_the_state(store: Store) -> None:
    active = experiment().activated(AT)
    before = store.change(0, State(experiment=active), [active])
    store.choose_rule("exp", CHOSEN, replace=False)
    assert store.state() == before
    assert State().running(store.experiment("exp")).experiment == before.experiment
