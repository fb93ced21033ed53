from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from core.errors import Conflict, UnknownExperiment
from core.serving.state import State
from core.store.interface import MAX_NOTES, Note, Store
from core.store.sql import notes
from tests.core.store.samples import AT, experiment

Open = Callable[[], Store]


def test_notes_come_in_the_order_in_which_they_were_added(store: Store) -> None:
    store.create(experiment())
    store.create(experiment("other"))
    assert store.notes("exp") == []
    # The clocks of two replicas differ.
    written = [Note(AT + 5, "first\nline two"), Note(AT, "second \N{SNOWMAN} 'quoted' 100 % ?"), Note(AT, "third")]
    for note in written:
        store.add_note("exp", note)
    assert store.notes("exp") == written
    assert store.notes("other") == []


def test_a_note_on_an_unknown_experiment_is_refused(store: Store) -> None:
    with pytest.raises(UnknownExperiment):
        store.add_note("exp", Note(AT, "lost"))
    assert store.notes("exp") == []


def test_changes_of_an_experiment_keep_its_notes(store: Store) -> None:
    store.create(experiment())
    store.add_note("exp", Note(AT, "draft"))
    active = experiment().activated(AT)
    store.change(0, State(experiment=active), [active])
    store.add_note("exp", Note(AT, "active"))
    store.change(1, State(), [active.stopped(AT, "enough")])
    store.add_note("exp", Note(AT, "stopped"))
    assert [note.text for note in store.notes("exp")] == ["draft", "active", "stopped"]
    assert store.experiment("exp").status == "stopped"


def test_the_most_notes_of_one_experiment_are_kept_and_no_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_NOTES == 1_000
    monkeypatch.setattr(notes, "MAX_NOTES", 3)
    for name in ("exp", "other"):
        store.create(experiment(name))
    for number in range(3):
        store.add_note("exp", Note(AT, str(number)))
    with pytest.raises(Conflict, match="exp has 3 notes"):
        store.add_note("exp", Note(AT, "too many"))
    store.add_note("other", Note(AT, "room"))
    assert [note.text for note in store.notes("exp")] == ["0", "1", "2"]


def test_no_note_of_several_writers_is_lost(replica: Open) -> None:
    stores = [replica(), replica()]
    stores[0].create(experiment())
    barrier = threading.Barrier(4)

    def write(writer: int) -> None:
        barrier.wait(30)
        for number in range(10):
            stores[writer % 2].add_note("exp", Note(AT, f"{writer} {number}"))

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = [note.text for note in stores[0].notes("exp")]
    assert sorted(texts) == [f"{writer} {number}" for writer in range(4) for number in range(10)]
    assert stores[1].notes("exp") == stores[0].notes("exp")
