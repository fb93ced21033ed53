"""One file of the old service: every field, every spelling, and what its life cycle becomes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest

from core.errors import InvalidInput
from core.experiments.experiment import Experiment, ImportedCounts
from migration import old_file
from migration.old_fields import BadFile
from migration.old_file import STOP_REASON, STOPPED_SOMETIME, OldExperiment

Read: TypeAlias = Callable[..., OldExperiment]

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
def read(tmp_path: Path) -> Read:
    """Write RUNNING with other values (`...` removes a field) and read it."""

    def read(**changes: object) -> OldExperiment:
        file = tmp_path / "one.json"
        file.write_text(json.dumps({name: value for name, value in (RUNNING | changes).items() if value is not ...}))
        return old_file.read(file)

    return read


def test_a_running_experiment_in_full(read: Read) -> None:
    old = read()
    assert (old.says_active, old.changes) == (True, ())
    assert old.experiment == Experiment(
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
def test_other_spellings_are_the_same_experiment(read: Read, changes: dict[str, Any]) -> None:
    for counts in changes.get("predictions", {}).values():
        for name in [name for name, value in counts.items() if value is ...]:
            del counts[name]
    assert read(**changes) == read()


def test_an_experiment_that_ran_and_is_not_active_is_stopped(read: Read) -> None:
    experiment = read(active=False, ended_at="2025-10-16T11:00:00Z").experiment
    assert (experiment.status, experiment.stop_reason) == ("stopped", STOP_REASON)
    assert (experiment.activated_at, experiment.stopped_at) == (CREATED + HOUR, CREATED + 2 * HOUR)


def test_the_time_of_the_stop_is_null_if_the_file_does_not_have_it(read: Read) -> None:
    experiment = read(active=False).experiment
    assert (experiment.status, experiment.stop_reason) == ("stopped", STOPPED_SOMETIME)
    assert (experiment.activated_at, experiment.stopped_at) == (CREATED + HOUR, None)


def test_an_experiment_that_never_ran_is_a_draft(read: Read) -> None:
    experiment = read(active=False, started_at=None, predictions={}).experiment
    assert (experiment.status, experiment.activated_at, experiment.stopped_at) == ("draft", None, None)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"experiment_id": ...}, "experiment_id: missing"),
        ({"experiment_id": 7}, "experiment_id: .*`str`.*`int`"),
        ({"name": "half \ud83d"}, "a text .* position 5; "),
        ({"variant_b": None}, "variant_b: missing"),
        ({"variant_b": 3.1}, "variant_b: .*`str`.*`float`"),
        ({"variants": {"A": {}}, "variant_a": ...}, "variants.A.model_version: missing"),
        ({"traffic_split": 50}, "traffic_split: .* 0 to 1"),
        ({"traffic_split": "0.5"}, "traffic_split: .* 0 to 1"),
        ({"active": "yes"}, "active: .*`bool`.*`str`"),
        ({"active": ...}, "active: missing"),
        ({"created_at": "yesterday"}, "created_at: 'yesterday' "),
        ({"created_at": 1e300}, "created_at: 1e\\+300 "),
        ({"created_at": None, "started_at": None}, "created_at: missing"),
        ({"predictions": []}, "predictions: .*`object`.*`array`"),
        ({"predictions": {"C": {}}}, "predictions.C: .* A or B"),
        ({"predictions": {"A": {"count": -1}}}, "predictions.A.count: .*>= 0"),
        ({"predictions": {"A": {"count": 10**30}}}, "predictions.A.count: "),
        ({"predictions": {"A": {"count": 2, "total_confidence": float("nan")}}}, "predictions.A.total_confidence: "),
        ({"predictions": {"A": {"count": 2, "total_confidence": float("inf")}}}, "predictions.A.total_confidence: "),
        ({"predictions": {"B": {"signals": {"up": 1}}}}, "predictions.B.signals: .*'up'"),
        ({"predictions": {"A": {"count": 2, "total_confidence": 2.5}}}, "predictions.A.total_confidence: 2.5 for 2 "),
        ({"predictions": {"A": {"count": 2, "avg_confidence": 70}}}, "predictions.A.avg_confidence: .* 0 to 1"),
        (
            {"predictions": {"B": {"count": 2, "signals": {"long": 2}}}},
            "predictions.B.total_confidence: missing, and avg_confidence",
        ),
        ({"predictions": {"A": {"count": 2, "avg_confidence": 0.5}}}, "predictions.A.signals: .* 0,.* 2$"),
        ({"predictions": {"A": {"signals": {"long": 1}}}}, "predictions.A.signals: .* 1,.* 0$"),
    ],
)
def test_a_bad_field_is_refused_by_its_name(read: Read, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadFile, match=f"^{problem}"):
        read(**changes)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"name": "\xff"}', b"[" * 100_000, b" " * (1 << 20) + b"{}"])
def test_a_file_without_a_json_object_is_refused(read: Read, tmp_path: Path, content: bytes) -> None:
    read()
    (tmp_path / "one.json").write_bytes(content)
    with pytest.raises(BadFile, match=r"^cannot be read: "):
        old_file.read(tmp_path / "one.json")


def test_a_folder_a_pipe_and_a_broken_link_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    os.mkfifo(tmp_path / "b.json")
    (tmp_path / "c.json").symlink_to("nowhere")
    for name in "abc":
        with pytest.raises(BadFile, match=r"^cannot be read: "):
            old_file.read(tmp_path / f"{name}.json")


def test_a_byte_order_mark_is_read_over(read: Read, tmp_path: Path) -> None:
    expected, file = read(), tmp_path / "one.json"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert old_file.read(file) == expected


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "active"),
        ({"predictions": {}}, "active"),  # it has a start of its own
        ({"created_at": ...}, "active"),
        ({"created_at": ..., "predictions": {}}, "active"),
        ({"started_at": ...}, "active"),  # it has predictions
        ({"created_at": ..., "started_at": ..., "start_time": "2025-10-16T10:00:00Z"}, "active"),
        ({"started_at": ..., "predictions": {}}, "draft"),
        ({"started_at": RUNNING["created_at"], "predictions": {}}, "draft"),
        ({"created_at": ..., "started_at": ..., "start_time": "2025-10-16T10:00:00Z", "predictions": {}}, "draft"),
    ],
)
def test_an_experiment_that_says_active_is_so_if_it_was_activated(
    read: Read, changes: dict[str, Any], status: str
) -> None:
    old = read(**changes)
    assert old.experiment.status == status
    assert old.says_active
    assert (old.experiment.activated_at is None, len(old.changes)) == ((status == "draft"), int(status == "draft"))


def test_an_experiment_with_an_end_does_not_resume(read: Read) -> None:
    old = read(ended_at="2025-10-16T11:00:00Z")
    assert (old.experiment.status, old.experiment.stopped_at) == ("stopped", CREATED + 2 * HOUR)
    assert (old.says_active, len(old.changes)) == (False, 1)


@pytest.mark.parametrize("more", [{}, {"active": False, "started_at": None, "predictions": {}}])
def test_a_version_against_itself_is_stopped_and_keeps_its_counts(read: Read, more: dict[str, Any]) -> None:
    old = read(variant_b="v3.0", **more)
    assert (old.experiment.status, old.experiment.versions) == ("stopped", ("v3.0", "v3.0"))
    assert old.experiment.imported == read(**more).experiment.imported
    assert len(old.changes) == 1
    with pytest.raises(InvalidInput):
        msgspec.structs.replace(old.experiment, status="draft")


def test_a_version_against_itself_that_was_stopped_is_as_the_file_says(read: Read) -> None:
    old = read(variant_b="v3.0", active=False, ended_at="2025-10-16T11:00:00Z")
    assert (old.experiment.status, old.experiment.stop_reason, old.changes) == ("stopped", STOP_REASON, ())


def test_a_changed_id_does_not_resume_because_its_users_would_move(read: Read) -> None:
    old = read(experiment_id="my test")
    assert (old.experiment.experiment_id, old.experiment.status) == ("my_test-1c3bc041", "draft")
    assert [change.split()[0] for change in old.changes] == ["experiment_id", "a"]
    assert "2025-10-16T10:00:00Z" in old.changes[1]  # when it was activated, which a draft does not keep
    stopped = read(experiment_id="my test", active=False)
    assert (stopped.experiment.status, len(stopped.changes)) == ("stopped", 1)


def test_a_missing_name_is_the_old_id(read: Read) -> None:
    assert read(experiment_id="my test", name=...).experiment.name == "my test"


def test_two_odd_versions_stay_two(read: Read) -> None:
    a, b = read(variant_a="v 1", variant_b="v_1 ").experiment.versions
    assert a != b
    assert [a[:4], b[:4]] == ["v_1-", "v_1-"]
