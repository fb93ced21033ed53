"""Folders of the old service, imported into a real store."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

import msgspec
import pytest

from core.experiments.experiment import Experiment, ImportedCounts, Variant
from core.store.interface import Store
from migration import old_folder
from migration.old_folder import EmptyFolder
from migration.plan import Fate, Plan
from tests.migration.old_service import OldService

AT = 1_795_864_492_698_676  # 2026-11-28 11:14:52.698676 UTC, when the old service creates and stops
LATER = AT + 3_600_000_000


def bring(store: Store, old: OldService, versions: Collection[str] = ("v1", "v2")) -> Plan:
    return old_folder.write(store, old_folder.read(old.folder), versions)


def fates(plan: Plan) -> dict[str, Fate]:
    return {result.file: result.fate for result in plan.results}


def statuses(store: Store) -> dict[str, str]:
    return {each.experiment_id: each.status for each in store.experiments()}


def running(store: Store) -> str | None:
    experiment = store.state().experiment
    return None if experiment is None else experiment.experiment_id


def predicted(old: OldService, experiment_id: str, variant_a: str = "v1", variant_b: str = "v2") -> None:
    """Create an experiment with 10 counted predictions of A and 20 of B."""
    old.create(experiment_id, variant_a, variant_b)
    old.predict(experiment_id, "A", 10, "hold", 0.5)
    old.predict(experiment_id, "B", 20)


COUNTS: dict[Variant, ImportedCounts] = {
    "A": ImportedCounts(10, {"long": 0, "short": 0, "hold": 10}, 5.0),
    "B": ImportedCounts(20, {"long": 20, "short": 0, "hold": 0}, 15.0),
}


def assert_second_import_is_empty(store: Store, old: OldService, versions: Collection[str] = ("v1", "v2")) -> None:
    before = (store.state(), store.experiments())
    plan = bring(store, old, versions)
    assert set(fates(plan).values()) <= {"already_there", "left"}
    assert not plan.claims
    assert plan.resumes is None
    assert (store.state(), store.experiments()) == before


def test_the_only_experiment_resumes_also_after_a_restart_of_the_old_service(old: OldService, store: Store) -> None:
    old.create("v30_vs_v31")
    old.restart()
    old.predict("v30_vs_v31", "B", 20)
    old.predict("v30_vs_v31", "A", 10, "hold", 0.5)
    plan = bring(store, old)
    assert fates(plan) == {"v30_vs_v31.json": "imported"}
    assert plan.results[0].notes == ()
    expected = Experiment(
        experiment_id="v30_vs_v31",
        name="one",
        variant_a="v1",
        variant_b="v2",
        traffic_split=0.5,
        status="active",
        created_at=AT,
        activated_at=AT,
        imported=COUNTS,
    )
    assert (store.experiments(), store.state().experiment) == ([expected], expected)
    assert_second_import_is_empty(store, old)


def test_an_experiment_that_was_never_activated_is_a_draft(old: OldService, store: Store) -> None:
    old.create("e1")
    assert fates(bring(store, old)) == {"e1.json": "changed"}
    assert (statuses(store), running(store)) == ({"e1": "draft"}, None)
    assert_second_import_is_empty(store, old)


@pytest.mark.parametrize("counted", [0, 1, 2])
def test_of_several_that_say_active_none_runs_and_each_is_named(old: OldService, store: Store, counted: int) -> None:
    names = ["e1", "e2", "e3"]
    for name in names[:counted]:
        predicted(old, name)
    for name in names[counted:]:
        old.create(name)
    plan = bring(store, old)
    assert set(fates(plan).values()) == {"changed"}
    assert [claim.experiment_id for claim in plan.claims] == names
    assert (statuses(store), running(store)) == (dict.fromkeys(names, "draft"), None)
    assert [each.imported for each in store.experiments()[:counted]] == [COUNTS] * counted
    assert_second_import_is_empty(store, old)


def test_a_stopped_one_beside_it_does_not_keep_an_experiment_from_resuming(old: OldService, store: Store) -> None:
    predicted(old, "e1")
    old.stop("e1")
    predicted(old, "e2")
    assert fates(bring(store, old)) == {"e1.json": "imported", "e2.json": "imported"}
    assert (statuses(store), running(store)) == ({"e1": "stopped", "e2": "active"}, "e2")
    assert store.experiment("e1").stopped_at == AT


def test_ids_with_blanks_are_changed_and_stay_different(old: OldService, store: Store) -> None:
    for name in ("my test", "my  test", "my_test", "тест"):
        predicted(old, name)
        old.stop(name)
    plan = bring(store, old)
    assert sorted(fates(plan).values()) == ["changed", "changed", "changed", "imported"]
    assert {"my_test", "my_test-1c3bc041"} < statuses(store).keys()
    assert len(statuses(store)) == 4
    assert_second_import_is_empty(store, old)


def test_a_changed_id_is_found_again_whatever_else_is_in_the_folder(old: OldService, store: Store) -> None:
    predicted(old, "my test")
    bring(store, old)
    predicted(old, "my_test")
    assert fates(bring(store, old)) == {"my test.json": "already_there", "my_test.json": "changed"}
    (old.folder / "my test.json").unlink()
    assert_second_import_is_empty(store, old)
    assert statuses(store) == {"my_test": "draft", "my_test-1c3bc041": "draft"}


def test_a_version_against_itself_keeps_its_counts_and_does_not_run(old: OldService, store: Store) -> None:
    predicted(old, "a_a", "v1", "v1")
    assert fates(bring(store, old)) == {"a_a.json": "changed"}
    (experiment,) = store.experiments()
    assert (experiment.status, experiment.imported, running(store)) == ("stopped", COUNTS, None)
    assert_second_import_is_empty(store, old)


@pytest.mark.parametrize("stopped", [True, False])
def test_a_version_that_is_not_here_is_named_and_the_experiment_does_not_run(
    old: OldService, store: Store, *, stopped: bool
) -> None:
    predicted(old, "e1", "v1", "v 9")
    if stopped:
        old.stop("e1")
    plan = bring(store, old)
    assert fates(plan) == {"e1.json": "changed"}
    assert any("v_9-" in note and "models" in note for note in plan.results[0].notes)
    assert (statuses(store), running(store)) == ({"e1": "stopped" if stopped else "draft"}, None)
    assert store.experiment("e1").imported == COUNTS
    assert_second_import_is_empty(store, old)


def test_versions_are_not_judged_if_the_models_folder_is_not_known(old: OldService, store: Store) -> None:
    predicted(old, "e1", "v8", "v9")
    assert fates(bring(store, old, versions=())) == {"e1.json": "imported"}
    assert running(store) == "e1"


def test_a_missing_version_is_a_remark_where_nothing_is_changed_by_it(old: OldService, store: Store) -> None:
    predicted(old, "e1", "v1", "v9")
    old.stop("e1")
    (result,) = bring(store, old).results
    assert (result.fate, len(result.notes)) == ("imported", 1)
    assert "v9" in result.notes[0]


def test_a_draft_of_an_earlier_import_is_the_same_after_its_version_has_come(old: OldService, store: Store) -> None:
    predicted(old, "e1", "v1", "v9")
    bring(store, old)
    assert_second_import_is_empty(store, old, versions=("v1", "v9"))
    assert statuses(store) == {"e1": "draft"}


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"experiment_id": "e0"', b"\xff\xfe\x00", b"[" * 100_000])
def test_a_bad_file_does_not_affect_the_others(old: OldService, store: Store, content: bytes) -> None:
    predicted(old, "e1")
    (old.folder / "a.json").write_bytes(content)
    plan = bring(store, old)
    assert fates(plan) == {"a.json": "left", "e1.json": "imported"}
    assert plan.results[0].notes
    assert running(store) == "e1"


def test_a_copy_of_a_file_is_imported_once_and_is_not_a_second_claim(old: OldService, store: Store) -> None:
    predicted(old, "e1")
    shutil.copy(old.folder / "e1.json", old.folder / "e1 copy.json")
    assert fates(bring(store, old)) == {"e1 copy.json": "imported", "e1.json": "already_there"}
    assert running(store) == "e1"


def test_one_id_with_two_contents_is_left_and_both_files_are_named(old: OldService, store: Store) -> None:
    predicted(old, "e1")
    shutil.copy(old.folder / "e1.json", old.folder / "older.json")
    old.predict("e1", "A", 10)
    predicted(old, "e2")
    old.stop("e2")
    plan = bring(store, old)
    assert fates(plan) == {"e1.json": "left", "e2.json": "imported", "older.json": "left"}
    assert ["older.json" in plan.results[0].notes[0], "e1.json" in plan.results[2].notes[0]] == [True, True]
    assert statuses(store) == {"e2": "stopped"}


def test_an_id_of_ours_is_left_and_ours_stays(old: OldService, store: Store) -> None:
    ours = Experiment(
        experiment_id="e1", name="ours", variant_a="v1", variant_b="v2", traffic_split=0.5, created_at=LATER
    )
    store.create(ours)
    predicted(old, "e1")
    predicted(old, "e2")
    plan = bring(store, old)
    assert fates(plan) == {"e1.json": "left", "e2.json": "changed"}
    assert store.experiment("e1") == ours
    assert [claim.experiment_id for claim in plan.claims] == ["e2"]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"name": "another", "traffic_split": 0.7}, "(name, traffic_split)"),
        ({"variant_b": "v3"}, "(variant_b)"),
        ({"predictions": {}}, "imported"),
        ({"active": False}, "status"),
    ],
)
def test_other_contents_under_a_known_id_are_left_with_the_fields(
    old: OldService, store: Store, changes: dict[str, object], fields: str
) -> None:
    predicted(old, "e1")
    bring(store, old)
    before = store.experiments()
    file = old.folder / "e1.json"
    file.write_bytes(msgspec.json.encode(msgspec.json.decode(file.read_bytes()) | changes))
    plan = bring(store, old)
    assert fates(plan) == {"e1.json": "left"}
    assert fields in plan.results[0].notes[0]
    assert store.experiments() == before


def test_a_second_import_is_empty_also_after_a_stop(old: OldService, store: Store) -> None:
    predicted(old, "e1")
    bring(store, old)
    state = store.state()
    assert state.experiment is not None
    store.change(state.revision, state.running(None), [state.experiment.stopped(LATER, "enough")])
    assert_second_import_is_empty(store, old)
    assert (statuses(store), running(store)) == ({"e1": "stopped"}, None)


def test_a_second_import_is_empty_also_after_one_of_several_was_activated(old: OldService, store: Store) -> None:
    predicted(old, "e1")
    predicted(old, "e2")
    bring(store, old)
    state, draft = store.state(), store.experiment("e2")
    activated = draft.activated(LATER)
    store.change(state.revision, state.running(activated), [activated])
    assert_second_import_is_empty(store, old)
    assert (running(store), store.experiment("e2").imported) == ("e2", COUNTS)


def test_an_experiment_does_not_take_the_place_of_one_that_runs_here(old: OldService, store: Store) -> None:
    predicted(old, "e1")
    bring(store, old)
    (old.folder / "e1.json").unlink()
    predicted(old, "e2")
    plan = bring(store, old)
    assert fates(plan) == {"e2.json": "changed"}
    assert "e1" in plan.results[0].notes[0]
    assert (statuses(store), running(store)) == ({"e1": "active", "e2": "draft"}, "e1")


def test_odd_texts_are_stored_as_they_are(old: OldService, store: Store) -> None:
    name, description = "two\nlines\x00 用户 \U0001f600", "\x7f" * 5_000
    old.create("e1", name=name, description=description)
    bring(store, old)
    assert (store.experiment("e1").name, store.experiment("e1").description) == (name, description)
    assert_second_import_is_empty(store, old)


def test_a_folder_without_files_is_refused_by_name(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(EmptyFolder, match=rf"^{folder}: "):
            old_folder.read(folder)
