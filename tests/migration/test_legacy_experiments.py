"""Experiments of the old service, read from its files and written into a real store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest

from core.experiments.experiment import Experiment, ImportedCounts
from core.store.interface import Store
from core.store.opening import open_store
from migration.legacy_experiments import STOP_REASON, STOPPED_SOMETIME, Imported, LegacyRefused, read_folder, write

Put: TypeAlias = Callable[..., Path]

RUNNING: dict[str, Any] = {
    "experiment_id": "v30_vs_v31",
    "name": "v3.0 against v3.1",
    "description": "the first",
    "variant_a": "v3.0",
    "variant_b": "v3.1",
    "traffic_split": 0.5,
    "created_at": "2025-10-16T09:00:00",
    "started_at": "2025-10-16T10:00:00+00:00",
    "ended_at": None,
    "active": True,
    "predictions": {
        "A": {
            "count": 40,
            "signals": {"long": 10, "short": 5, "hold": 25},
            "total_confidence": 28.0,
            "avg_confidence": 0.7,
        },
        "B": {"count": 0, "signals": {"long": 0, "short": 0, "hold": 0}, "total_confidence": 0, "avg_confidence": None},
    },
}
HOUR = 3_600_000_000
CREATED = 1_760_605_200_000_000  # 2025-10-16 09:00 UTC


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write RUNNING with other values (`...` removes a field) and return the folder."""
    folder = tmp_path / "old"
    folder.mkdir()

    def put(file: str = "one.json", **changes: object) -> Path:
        fields = {name: value for name, value in (RUNNING | changes).items() if value is not ...}
        (folder / file).write_text(json.dumps(fields))
        return folder

    return put


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/state.db")
    yield store
    store.close()


def test_a_running_experiment_in_full(put: Put) -> None:
    (experiment,) = read_folder(put())
    assert experiment == Experiment(
        experiment_id="v30_vs_v31",
        name="v3.0 against v3.1",
        description="the first",
        variant_a="v3.0",
        variant_b="v3.1",
        traffic_split=0.5,
        status="active",
        created_at=CREATED,
        activated_at=CREATED + HOUR,
        imported={
            "A": ImportedCounts(40, {"long": 10, "short": 5, "hold": 25}, 28.0),
            "B": ImportedCounts(0, {"long": 0, "short": 0, "hold": 0}, 0.0),
        },
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"variant_a": {"model_version": "v3.0"}, "variant_b": {"version": "v3.1"}},
        {"variants": {"A": "v3.0", "B": "v3.1"}, "variant_a": ..., "variant_b": ...},
        {"variants": {"A": {"model_version": "v3.0"}, "B": {"model": "v3.1"}}, "variant_a": ..., "variant_b": ...},
        {"experiment_id": ..., "id": "v30_vs_v31"},
        {"active": ..., "is_active": True},
        {"created_at": 1_760_605_200},
        {"started_at": ..., "start_time": "2025-10-16 12:00:00+02:00"},
        {"predictions": {"variant_a": RUNNING["predictions"]["A"]}},
        {"predictions": {"A": {**RUNNING["predictions"]["A"], "total_confidence": ...}}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_other_spellings_are_the_same_experiment(put: Put, changes: dict[str, Any]) -> None:
    for counts in changes.get("predictions", {}).values():
        for name in [name for name, value in counts.items() if value is ...]:
            del counts[name]
    assert read_folder(put(**changes)) == read_folder(put())


def test_an_experiment_that_ran_and_is_not_active_is_stopped(put: Put) -> None:
    (experiment,) = read_folder(put(active=False, ended_at="2025-10-16T11:00:00Z"))
    assert (experiment.status, experiment.stop_reason) == ("stopped", STOP_REASON)
    assert (experiment.activated_at, experiment.stopped_at) == (CREATED + HOUR, CREATED + 2 * HOUR)


def test_the_time_of_the_stop_is_null_if_the_file_does_not_have_it(put: Put) -> None:
    (experiment,) = read_folder(put(active=False))
    assert (experiment.status, experiment.stop_reason) == ("stopped", STOPPED_SOMETIME)
    assert (experiment.activated_at, experiment.stopped_at) == (CREATED + HOUR, None)


def test_an_experiment_that_never_ran_is_a_draft(put: Put) -> None:
    (experiment,) = read_folder(put(active=False, started_at=None, predictions={}))
    assert (experiment.status, experiment.activated_at, experiment.stopped_at) == ("draft", None, None)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"experiment_id": ...}, "experiment_id: missing"),
        ({"experiment_id": "a/b"}, "experiment_id: expected 1 to 64 letters, digits and _ . -, not"),
        ({"variant_b": None}, "variant_b: missing"),
        ({"variant_b": "v3.0"}, "variant_b: .* v3.0"),
        ({"variant_b": "a/b"}, "variant_b: expected 1 to 64 letters, digits and _ . -, starting"),
        ({"variants": {"A": {}}, "variant_a": ...}, "variants.A.model_version: missing"),
        ({"traffic_split": 50}, "traffic_split: .* <= 1.0"),
        ({"traffic_split": "0.5"}, "traffic_split: .*`float`.*`str`"),
        ({"active": "yes"}, "active: .*`bool`.*`str`"),
        ({"active": ...}, "active: missing"),
        ({"created_at": "yesterday"}, "created_at: 'yesterday' "),
        ({"created_at": 1e300}, "created_at: 1e\\+300 "),
        ({"created_at": None, "started_at": None}, "created_at: missing"),
        ({"predictions": []}, "predictions: .*`object`.*`array`"),
        ({"predictions": {"C": {}}}, "predictions.C: .* A or B"),
        ({"predictions": {"A": {"count": -1}}}, "predictions.A.count: .*>= 0"),
        ({"predictions": {"B": {"signals": {"up": 1}}}}, "predictions.B.signals: .*'up'"),
        ({"predictions": {"A": {"count": 2, "total_confidence": 2.5}}}, "predictions.A.total_confidence: 2.5 for 2 "),
        ({"predictions": {"A": {"count": 2, "avg_confidence": 70}}}, "predictions.A.avg_confidence: .* <= 1.0"),
        (
            {"predictions": {"B": {"count": 2, "signals": {"long": 2}}}},
            "predictions.B.total_confidence: missing, and avg_confidence",
        ),
        ({"predictions": {"A": {"count": 2, "avg_confidence": 0.5}}}, "predictions.A.signals: .* 0,.* 2$"),
        ({"predictions": {"A": {"signals": {"long": 1}}}}, "predictions.A.signals: .* 1,.* 0$"),
    ],
)
def test_a_bad_field_is_refused_with_its_file_and_name(put: Put, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(LegacyRefused, match=f"^one.json: {problem}"):
        read_folder(put(**changes))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"name": "\xff"}', b"[" * 5000])
def test_a_file_without_a_json_object_is_refused_by_name(put: Put, content: bytes) -> None:
    (put() / "two.json").write_bytes(content)
    with pytest.raises(LegacyRefused, match=r"^two.json: "):
        read_folder(put())


def test_every_bad_file_is_named(put: Put) -> None:
    put("one.json", active=1)
    put("two.json", variant_a=3)
    with pytest.raises(LegacyRefused) as refused:
        read_folder(put("three.json"))
    assert [line.split(":")[0] for line in str(refused.value).splitlines()] == ["one.json", "two.json"]


def test_two_active_experiments_are_refused_and_both_files_named(put: Put) -> None:
    put("one.json")
    with pytest.raises(LegacyRefused, match=r"^one.json, two.json: .*active"):
        read_folder(put("two.json", experiment_id="other"))


def test_one_id_in_two_files_is_refused(put: Put) -> None:
    put("one.json")
    with pytest.raises(LegacyRefused, match=r"two.json: experiment_id: 'v30_vs_v31' .* one.json"):
        read_folder(put("two.json", active=False))


def test_an_empty_or_missing_folder_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(LegacyRefused, match=rf"^{folder}: .*\*.json"):
            read_folder(folder)


def test_the_active_experiment_resumes(put: Put, store: Store) -> None:
    put("one.json")
    experiments = read_folder(put("two.json", experiment_id="other", active=False))
    assert write(store, experiments) == Imported(new=("v30_vs_v31", "other"), already_there=())
    assert store.experiments() == sorted(experiments, key=lambda each: each.experiment_id)
    running = store.state().experiment
    assert running is not None
    assert (running.experiment_id, running.status) == ("v30_vs_v31", "active")


def test_a_second_import_changes_nothing_even_after_a_stop(put: Put, store: Store) -> None:
    experiments = read_folder(put())
    write(store, experiments)
    state = store.state()
    assert state.experiment is not None
    store.change(state.revision, state.running(None), [state.experiment.stopped(CREATED + 5 * HOUR, "enough")])
    before = (store.state(), store.experiments())
    assert write(store, experiments) == Imported(new=(), already_there=("v30_vs_v31",))
    assert (store.state(), store.experiments()) == before


def test_a_draft_that_was_activated_since_is_the_same(put: Put, store: Store) -> None:
    experiments = read_folder(put(active=False, started_at=None, predictions={}))
    write(store, experiments)
    state = store.state()
    activated = experiments[0].activated(CREATED + HOUR)
    store.change(state.revision, state.running(activated), [activated])
    assert write(store, experiments).already_there == ("v30_vs_v31",)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"name": "another", "traffic_split": 0.7}, "name, traffic_split"),
        ({"predictions": {}}, "imported"),
        ({"active": False}, "status, stop_reason"),
        ({"started_at": "2025-10-16T10:30:00Z"}, "activated_at"),
    ],
)
def test_a_known_id_with_other_contents_is_refused_and_nothing_is_written(
    put: Put, store: Store, changes: dict[str, Any], fields: str
) -> None:
    before = read_folder(put())
    write(store, before)
    put(**changes)
    experiments = read_folder(put("two.json", experiment_id="new", active=False))
    with pytest.raises(LegacyRefused, match=f"^v30_vs_v31: .*: {fields}$"):
        write(store, experiments)
    assert store.experiments() == before


def test_the_id_of_an_experiment_that_was_not_imported_is_refused_and_nothing_is_written(
    put: Put, store: Store
) -> None:
    (experiment,) = read_folder(put(experiment_id="ours", active=False))
    store.create(msgspec.structs.replace(experiment, imported=None, name="ours"))
    put("two.json")
    with pytest.raises(LegacyRefused, match=r"ours: .* not imported"):
        write(store, read_folder(put(experiment_id="ours", active=False)))
    assert [each.name for each in store.experiments()] == ["ours"]
    assert store.state().experiment is None


def test_an_active_experiment_is_refused_while_another_is_active_and_both_are_named(put: Put, store: Store) -> None:
    (running,) = read_folder(put(experiment_id="running"))
    write(store, [running])
    put("two.json", experiment_id="draft", active=False)
    with pytest.raises(LegacyRefused, match=r"v30_vs_v31: .* running "):
        write(store, read_folder(put()))
    assert [each.experiment_id for each in store.experiments()] == ["running"]
