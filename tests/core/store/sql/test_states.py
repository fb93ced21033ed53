from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import Conflict, UnknownExperiment
from core.experiments.experiment import Guardrails, ImportedCounts
from core.serving.state import State
from core.store import open_store
from core.store.interface import StateChanged, Store
from tests.core.store.samples import AT, drain, experiment, exposure, outcome

Open = Callable[[], Store]


def test_an_empty_store_has_the_first_state_and_a_key_for_its_users(store: Store) -> None:
    state = store.state()
    assert state == State(user_key=state.user_key)
    assert len(bytes.fromhex(state.user_key)) == 32


def test_each_database_has_its_own_key_which_all_replicas_share(replica: Open, tmp_path: Path) -> None:
    key = replica().state().user_key
    assert replica().state().user_key == key
    with closing(open_store(f"sqlite:///{tmp_path}/another.db")) as other:
        assert other.state().user_key != key


def test_a_change_raises_the_revision_and_keeps_the_key(store: Store) -> None:
    key = store.state().user_key
    wanted = State(active="v1", unloaded=("v3",), loads={"v2": 3}, user_key="another")
    changed = store.change(0, wanted)
    assert changed == State(revision=1, active="v1", unloaded=("v3",), loads={"v2": 3}, user_key=key)
    assert store.state() == changed


def test_a_change_of_an_older_state_is_refused_and_changes_nothing(store: Store) -> None:
    store.create(experiment())
    now = store.change(0, State(active="v1"))
    with pytest.raises(StateChanged, match="revision 0"):
        store.change(0, State(active="v2"), [experiment().activated(AT)])
    assert store.state() == now
    assert store.experiment("exp").status == "draft"


def test_of_concurrent_changes_exactly_one_per_revision_succeeds(replica: Open) -> None:
    stores = [replica(), replica()]
    barrier = threading.Barrier(4)
    won: list[str] = []

    def race(store: Store, name: str) -> None:
        for revision in range(10):
            barrier.wait(30)
            try:
                assert store.change(revision, State(active=name)).revision == revision + 1
            except StateChanged:
                continue
            won.append(name)

    threads = [threading.Thread(target=race, args=(stores[i % 2], f"v{i}")) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 10
    assert stores[0].state() == stores[1].state()
    assert stores[0].state().revision == 10
    assert stores[0].state().active == won[-1]


def test_the_experiment_of_the_state_is_the_stored_one(store: Store) -> None:
    store.create(experiment())
    active = experiment().activated(AT + 5)
    changed = store.change(0, State(experiment=active), [active])
    assert changed.experiment == active == store.experiment("exp")
    stopped = active.stopped(AT + 9, "enough")
    assert store.change(1, State(), [stopped]).experiment is None
    assert store.experiment("exp") == stopped


def test_a_change_can_add_an_active_experiment(store: Store) -> None:
    active = experiment().activated(AT)
    assert store.change(0, State(experiment=active), [active]).experiment == active


def test_a_state_with_an_unknown_experiment_is_refused(store: Store) -> None:
    with pytest.raises(UnknownExperiment):
        store.change(0, State(experiment=experiment()))
    assert store.state().revision == 0


def test_experiments_come_oldest_first_and_unchanged(store: Store) -> None:
    counts = ImportedCounts(3, {"long": 1, "hold": 2}, 1.75)
    made = [
        experiment("young", created_at=AT + 2, name="Junge \N{SNOWMAN} 'quoted' 100 % ?", description="\0"),
        experiment("old", created_at=AT, mode="shadow", guardrails=Guardrails(max_p99_ms=5.5, max_error_rate=0.1)),
        experiment("middle", created_at=AT + 1, imported={"A": counts}, metric="mean_pnl", traffic_split=1 / 3),
    ]
    for each in made:
        store.create(each)
    assert store.experiments() == [made[1], made[2], made[0]]
    assert [store.experiment(each.experiment_id) for each in made] == made


def test_an_id_can_be_used_only_once(store: Store) -> None:
    store.create(experiment(name="first"))
    with pytest.raises(Conflict, match=r"experiment exp .*exists"):
        store.create(experiment(name="second"))
    assert store.experiment("exp").name == "first"


def test_an_unknown_experiment_is_named(store: Store) -> None:
    with pytest.raises(UnknownExperiment, match='"unheard-of"'):
        store.experiment("unheard-of")


def test_all_data_is_there_after_a_restart(replica: Open) -> None:
    before = replica()
    active = experiment().activated(AT)
    state = before.change(0, State(active="v1", experiment=active), [active])
    one = exposure()
    before.drain("journal", 700, [one])
    before.record_outcomes([outcome(one, "loss", -3.5)], AT)
    rows, tally = list(before.export("exp")), before.tally("exp")
    before.close()
    after = replica()
    assert after.state() == state
    assert after.drained("journal") == 700
    assert list(after.export("exp")) == rows
    assert rows[0]["outcome"] == "loss"
    assert after.tally("exp") == tally


def test_the_position_of_a_journal_is_kept_until_it_is_forgotten(store: Store) -> None:
    assert store.drained("worker-1") == 0
    store.drain("worker-1", 10, [])
    store.drain("worker-2", 5_000_000_000, [exposure()])
    store.drain("worker-1", 20, [])
    assert (store.drained("worker-1"), store.drained("worker-2")) == (20, 5_000_000_000)
    store.forget("worker-1")
    assert (store.drained("worker-1"), store.drained("worker-2")) == (0, 5_000_000_000)
    store.forget("worker-1")
    drain(store, [])
