"""What a step of the schema may do, so that replicas of an older release go on beside a newer one: docs/versions.md."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import msgspec
import pytest

from core.experiments.look import Look
from core.experiments.records import Record
from core.serving.replicas import Replica
from core.store.interface import Note, Store
from core.store.sql import schema
from tests.core.store.samples import AT, drain, experiment, exposure, label, outcome, query

Open = Callable[[], Store]
# The steps before the first release. Some of them drop columns; later ones do not.
STEPS = (
    "7c24c2ef6646e462",
    "79b692417a8e44d6",
    "3ef3f8d556ac941f",
    "9988d370e94a8249",
    "f9b2052aa15a380f",
    "4434267f4ec572d8",
    "97783d6e0aff99df",
    "eb49a5a80ea4cb1a",
    "88301943c6042c4f",
)
ADDITIVE = re.compile(
    r"CREATE TABLE \w+ \(.*\)|CREATE INDEX \w+ ON \w+ \([\w, ]+\)"
    r"|ALTER TABLE \w+ ADD COLUMN \w+ (TEXT|BIGINT|BOOLEAN|DOUBLE PRECISION)( NOT NULL DEFAULT \S+)?",
    re.DOTALL,
)


def digest(step: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(" ".join(each.split()) for each in step).encode()).hexdigest()[:16]


def test_a_step_that_stores_have_taken_is_never_edited() -> None:
    assert [digest(step) for step in schema.MIGRATIONS[: len(STEPS)]] == list(STEPS)


def test_a_later_step_only_adds() -> None:
    later = [statement for step in schema.MIGRATIONS[len(STEPS) :] for statement in step]
    assert [each for each in later if not ADDITIVE.fullmatch(each)] == []


@pytest.mark.parametrize(
    ("statement", "adds"),
    [
        ("CREATE TABLE more (name TEXT PRIMARY KEY)", True),
        ("ALTER TABLE notes ADD COLUMN author TEXT", True),
        ("ALTER TABLE notes ADD COLUMN author TEXT NOT NULL DEFAULT ''", True),
        ("ALTER TABLE notes ADD COLUMN author TEXT NOT NULL", False),
        ("ALTER TABLE notes DROP COLUMN body", False),
        ("ALTER TABLE notes RENAME TO remarks", False),
        ("DROP TABLE notes", False),
        ("UPDATE notes SET body = ''", False),
    ],
)
def test_what_adds(statement: str, adds: bool) -> None:  # noqa: FBT001 - a case of the test
    assert bool(ADDITIVE.fullmatch(statement)) is adds


def test_what_a_newer_release_adds_to_an_experiment_or_the_state_is_passed_over(url: str, replica: Open) -> None:
    store = replica()
    store.create(experiment())
    for table in ("experiments", "state"):
        query(url, f"UPDATE {table} SET body = '{{\"of_a_newer_release\": [1, null], ' || substr(body, 2)")  # noqa: S608 - constants
        query(url, f"UPDATE {table} SET body = replace(body, ', }}', '}}')")  # noqa: S608 - likewise
    assert store.experiment("exp") == experiment()
    state = store.state()
    # The way back of a change drops it, so changes wait until all replicas are of one release.
    store.change(state.revision, state, [experiment(name="Renamed")])
    ((body,),) = query(url, "SELECT body FROM experiments")
    assert "Renamed" in str(body)
    assert "of_a_newer_release" not in str(body)


def test_a_record_of_a_newer_release_may_have_more_values_at_its_end() -> None:
    record = exposure(1)
    line = msgspec.json.encode([*msgspec.json.decode(msgspec.json.encode(record)), "of a newer release"])
    assert msgspec.json.decode(line, type=Record) == record


def test_a_replica_goes_on_while_a_newer_release_has_added_columns_to_all_tables(
    url: str, replica: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = replica()
    old.create(experiment())
    before = exposure(1)
    drain(old, [before])
    step = (
        "CREATE TABLE more (name TEXT PRIMARY KEY)",
        *(f"ALTER TABLE {table} ADD COLUMN added TEXT" for table in schema.TABLES),
        *(f"ALTER TABLE {table} ADD COLUMN counted BIGINT NOT NULL DEFAULT 7" for table in schema.TABLES),
    )
    assert all(ADDITIVE.fullmatch(statement) for statement in step)
    with monkeypatch.context() as newer:
        newer.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, step))
        new = replica()
    # What the older one writes, the newer one reads, and the other way around.
    state = old.state()
    active = experiment().activated(AT)
    old.change(state.revision, state, [active, experiment("other")])
    old.create(experiment("third"))
    after = exposure(2)
    drain(old, [after])
    drain(new, [exposure(3)])
    assert old.record_outcomes([outcome(before), outcome(after, "loss")], AT) == ["recorded", "recorded"]
    label(old)
    old.add_note("exp", Note(AT, "written by the older one"))
    old.add_look("exp", Look(at=AT, estimate=0.1, candles=2, word="not yet"))
    assert [each.name for each in old.report(Replica("a", "older", 1, None, {}))] == ["older"]
    old.try_writing()
    old.check_access()
    for store in (old, new):
        assert [each.experiment_id for each in store.experiments()] == ["exp", "other", "third"]
        assert store.state().revision == state.revision + 1
        assert store.tally("exp")["A"].predictions == 3
        assert [row["outcome"] for row in store.export("exp")] == ["win", "loss", None]
        assert [look.candles for look in store.looks("exp")] == [2]
        assert [note.text for note in store.notes("exp")] == ["written by the older one"]
    assert query(url, "SELECT counted FROM notes") == [(7,)]
