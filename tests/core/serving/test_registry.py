from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.bundles import manifest
from core.bundles.repository import INDEX_NAME, Repository
from core.errors import BundleRefused, Conflict, ModelUnavailable, UnknownVersion
from core.experiments.experiment import Experiment
from core.files import regular_file
from core.inference.detector import Detector
from core.serving.registry import Registry
from core.serving.state import Action, Kind, State
from tests import bundles


class Operated(Registry):
    """A registry with its state; the methods change both as the keeper does."""

    def __init__(self, repository: Repository) -> None:
        super().__init__(repository)
        self.state = State()
        self.order = repository.listing().versions

    def load_all(self) -> None:
        self.apply(self.prepare(self.state, self.order))

    def change(self, kind: Kind, name: str, after: State) -> None:
        self.apply(self.prepare(after, self.order, Action(kind, name)))
        self.state = after

    def load(self, version: str) -> None:
        self.change("load", version, self.state.loading(version))

    def unload(self, version: str) -> None:
        self.change("unload", version, self.state.unloading(version))

    def switch(self, version: str) -> str | None:
        previous = self.snapshot.active
        self.change("switch", version, self.state.switching(version))
        return previous


@pytest.fixture
def registry(tmp_path: Path) -> Operated:
    """Two versions, v2 before v1."""
    bundles.write(tmp_path, "v1")
    bundles.write(tmp_path, "v2")
    bundles.write_order(tmp_path, "v2", "v1")
    loaded = Operated(Repository(tmp_path))
    loaded.load_all()
    return loaded


def test_the_index_orders_versions_and_others_follow_by_name(tmp_path: Path) -> None:
    for version in ("v3", "v10", "v2", "v1"):
        bundles.write(tmp_path, version)
    (tmp_path / "not a version").mkdir()
    (tmp_path / "empty").mkdir()
    bundles.write_order(tmp_path, "v2", "gone", "v1")
    assert Repository(tmp_path).listing().versions == ("v2", "v1", "v10", "v3")


@pytest.mark.parametrize("content", ["", "[]", '{"order": "v1"}', '{"order": ["../v1"]}'])
def test_a_broken_index_is_reported_and_versions_come_by_name(tmp_path: Path, content: str) -> None:
    bundles.write(tmp_path, "v2")
    bundles.write(tmp_path, "v1")
    (tmp_path / INDEX_NAME).write_text(content)
    versions, (problem,) = Repository(tmp_path).listing()
    assert versions == ("v1", "v2")
    assert INDEX_NAME in problem


def test_an_index_that_is_a_named_pipe_does_not_block(tmp_path: Path) -> None:
    bundles.write(tmp_path, "v1")
    os.mkfifo(tmp_path / INDEX_NAME)
    versions, (problem,) = Repository(tmp_path).listing()
    assert versions == ("v1",)
    assert INDEX_NAME in problem
    assert "not a regular file" in problem


def test_a_missing_models_folder_has_no_versions(tmp_path: Path) -> None:
    versions, (problem,) = Repository(tmp_path / "gone").listing()
    assert versions == ()
    assert f"{tmp_path}/gone" in problem
    assert "No such file" in problem


def test_a_folder_without_permission_does_not_hide_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("v1", "v2"):
        bundles.write(tmp_path, version)
    exists, read = Path.exists, regular_file.read

    def check(path: Path) -> Path:  # not real permissions, which do not apply if the tests run as root
        if "v2" in path.parts:
            raise PermissionError(13, "Permission denied")
        return path

    monkeypatch.setattr(Path, "exists", lambda path: exists(check(path)))
    monkeypatch.setattr(regular_file, "read", lambda path, most: read(check(path), most))
    registry = Operated(Repository(tmp_path))
    registry.load_all()
    assert registry.snapshot.active == "v1"
    broken = registry.entry("v2")
    assert broken.error is not None
    assert "manifest.json" in broken.error
    assert "Permission denied" in broken.error


@pytest.mark.parametrize("version", ["..", ".", "v9", "v1/../v1", ""])
def test_a_name_that_is_no_bundle_is_unknown(tmp_path: Path, version: str) -> None:
    bundles.write(tmp_path, "v1")
    with pytest.raises(UnknownVersion, match="v1"):
        Repository(tmp_path).read(version)


def test_the_first_of_the_order_becomes_active(registry: Operated) -> None:
    assert registry.snapshot.active == "v2"
    assert tuple(registry.snapshot.detectors) == ("v2", "v1")


def test_a_broken_bundle_is_logged_listed_and_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bundles.write(tmp_path, "v1")
    (file,) = bundles.write(tmp_path, "v2").glob("stage1-network-*")
    bundles.write_order(tmp_path, "v2", "v1")
    bundles.flip_byte(file)
    registry = Operated(Repository(tmp_path))
    registry.load_all()
    assert registry.snapshot.active == "v1"
    assert f'version_skipped version=v2 error="bundle v2: {file.name}: SHA-256' in caplog.text
    broken = registry.entry("v2")
    assert not broken.loaded
    assert broken.error is not None
    assert file.name in broken.error
    with pytest.raises(ModelUnavailable, match="v2 is not loaded"):
        registry.snapshot.choose("v2")


def test_without_a_bundle_no_version_is_active(tmp_path: Path) -> None:
    registry = Operated(Repository(tmp_path))
    registry.load_all()
    with pytest.raises(ModelUnavailable, match="no version is active"):
        registry.snapshot.choose(None)


def test_a_named_version_is_chosen_and_an_unknown_one_is_reported_with_its_path(registry: Operated) -> None:
    assert registry.snapshot.choose("v1").manifest.version == "v1"
    assert registry.snapshot.choose(None).manifest.version == "v2"
    with pytest.raises(UnknownVersion) as raised:
        registry.snapshot.choose("v9", "versions[3]")
    assert raised.value.details[0].path == "versions[3]"


def test_another_load_keeps_the_detector_of_an_unchanged_bundle_and_replaces_a_changed_one(
    registry: Operated, tmp_path: Path
) -> None:
    before = registry.snapshot.detectors["v1"]
    registry.load("v1")
    assert registry.snapshot.detectors["v1"] is before
    bundles.write(tmp_path, "v1", threshold=0.7)
    registry.load("v1")
    assert registry.snapshot.detectors["v1"].manifest.threshold == 0.7


def test_loading_a_corrupted_bundle_again_changes_nothing(registry: Operated, tmp_path: Path) -> None:
    before = registry.snapshot
    (file,) = (tmp_path / "v1").glob("stage1-network-*")
    bundles.flip_byte(file)
    with pytest.raises(BundleRefused, match=file.name):
        registry.load("v1")
    with pytest.raises(BundleRefused, match=file.name):
        registry.load("v1")
    assert registry.snapshot is before
    entry = registry.entry("v1")
    assert (entry.loaded, entry.error) == (True, None)


def test_load_finds_a_bundle_added_after_startup(registry: Operated, tmp_path: Path) -> None:
    with pytest.raises(UnknownVersion):
        registry.load("v3")
    bundles.write(tmp_path, "v3")
    registry.load("v3")
    assert registry.snapshot.choose("v3").manifest.version == "v3"


def test_a_bundle_added_after_startup_is_listed_and_not_loaded(registry: Operated, tmp_path: Path) -> None:
    bundles.write(tmp_path, "v3", name="Third")
    before = registry.snapshot
    entries = {entry.version: entry for entry in registry.entries()}
    assert list(entries) == ["v2", "v1", "v3"]
    assert not entries["v3"].loaded
    assert entries["v3"].manifest is not None
    assert entries["v3"].manifest.name == "Third"
    assert registry.snapshot is before


def test_listing_reads_no_graph_of_an_unloaded_version(registry: Operated, tmp_path: Path) -> None:
    for graph in bundles.write(tmp_path, "v3").glob("*.onnx"):
        graph.unlink()
    assert registry.entry("v3").manifest is not None


def test_switch_loads_if_needed_and_returns_the_previous_version(registry: Operated, tmp_path: Path) -> None:
    bundles.write(tmp_path, "v3")
    assert registry.switch("v3") == "v2"
    assert registry.snapshot.active == "v3"
    assert registry.switch("v3") == "v3"


def test_a_switch_that_fails_leaves_the_active_version(registry: Operated, tmp_path: Path) -> None:
    folder = bundles.write(tmp_path, "v3")
    (folder / manifest.FILE_NAME).write_text("{}")
    with pytest.raises(BundleRefused, match=r"bundle v3: manifest\.json: format_version"):
        registry.switch("v3")
    assert registry.snapshot.active == "v2"
    with pytest.raises(UnknownVersion):
        registry.switch("v9")
    assert registry.snapshot.active == "v2"


def test_unload_drops_a_version_except_the_active_one(registry: Operated) -> None:
    registry.unload("v1")
    registry.unload("v1")
    assert tuple(registry.snapshot.detectors) == ("v2",)
    with pytest.raises(Conflict, match="v2 is active"):
        registry.unload("v2")
    with pytest.raises(UnknownVersion):
        registry.unload("v9")
    registry.load("v1")
    assert registry.snapshot.choose("v1").manifest.version == "v1"


def test_the_snapshot_of_a_request_does_not_change_later(registry: Operated) -> None:
    taken = registry.snapshot
    registry.unload("v1")
    registry.switch("v2")
    assert tuple(taken.detectors) == ("v2", "v1")


def test_a_loaded_version_without_its_folder_keeps_answering(registry: Operated, tmp_path: Path) -> None:
    (tmp_path / "v1").rename(tmp_path / "elsewhere v1")
    assert [entry.version for entry in registry.entries()] == ["v2", "v1"]
    assert registry.snapshot.choose("v1").manifest.version == "v1"
    with pytest.raises(BundleRefused, match=r"bundle v1 .* models folder"):
        registry.load("v1")
    assert registry.snapshot.choose("v1").manifest.version == "v1"


def test_an_ordered_version_without_a_bundle_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bundles.write(tmp_path, "v1")
    bundles.write_order(tmp_path, "v5", "v1")
    Operated(Repository(tmp_path)).load_all()
    (event,) = caplog.messages
    assert event.startswith("models_folder_invalid error=")
    assert "v5" in event


def test_an_error_is_forgotten_once_the_version_loads_or_is_unloaded(registry: Operated, tmp_path: Path) -> None:
    (file,) = bundles.write(tmp_path, "v3").glob("stage1-network-*")
    good = file.read_bytes()
    for fix in (registry.load, registry.unload):
        bundles.flip_byte(file)
        registry.unload("v3")
        with pytest.raises(BundleRefused):
            registry.load("v3")
        assert registry.entry("v3").error is not None
        with pytest.raises(ModelUnavailable, match="v3 is not loaded"):
            registry.snapshot.choose("v3")
        file.write_bytes(good)
        fix("v3")
        assert registry.entry("v3").error is None


def test_any_error_at_load_is_a_refusal_and_logged_with_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Surprise(Detector):
        def _warm_up(self) -> None:
            if self.manifest.version == "v1":
                raise ZeroDivisionError("a surprise")

    for version in ("v1", "v2"):
        bundles.write(tmp_path, version)
    monkeypatch.setattr("core.serving.loading.Detector", Surprise)
    registry = Operated(Repository(tmp_path))
    registry.load_all()
    assert registry.snapshot.active == "v2"
    assert registry.entry("v1").error == "bundle v1: ZeroDivisionError: a surprise"
    assert caplog.messages[0] == "version_load_failed version=v1"
    assert "Traceback" in caplog.text


def experiment(a: str, b: str) -> Experiment:
    return Experiment(
        experiment_id="e", name="e", variant_a=a, variant_b=b, traffic_split=0.5, status="active", created_at=0
    )


def running(registry: Registry) -> str | None:
    found = registry.snapshot.experiment
    return None if found is None else found.experiment_id


def test_a_prepared_snapshot_is_not_served_before_it_is_applied(registry: Operated, tmp_path: Path) -> None:
    bundles.write(tmp_path, "v3")
    before = registry.snapshot
    prepared = registry.prepare(registry.state.switching("v3"), registry.order, Action("switch", "v3"))
    assert registry.snapshot is before
    assert not registry.entry("v3").loaded
    registry.apply(prepared)
    assert registry.snapshot.active == "v3"


def test_an_experiment_needs_both_its_versions_and_keeps_them_loaded(registry: Operated) -> None:
    registry.unload("v1")
    with pytest.raises(BundleRefused, match="v9"):
        registry.change("activate", "e", registry.state.running(experiment("v1", "v9")))
    assert running(registry) is None
    registry.change("activate", "e", registry.state.running(experiment("v1", "v2")))
    assert running(registry) == "e"
    assert "v1" in registry.snapshot.detectors
    registry.switch("v2")
    with pytest.raises(Conflict, match=r"v1 .* experiment e:"):
        registry.unload("v1")
    registry.change("stop", "e", registry.state.running(None))
    registry.unload("v1")
    assert running(registry) is None


@pytest.mark.usefixtures("registry")
def test_the_stored_active_version_wins_over_the_order(tmp_path: Path) -> None:
    follower = Operated(Repository(tmp_path))
    follower.apply(follower.prepare(State(active="v1"), follower.order))
    assert follower.snapshot.active == "v1"
    assert follower.snapshot.order == ("v2", "v1")


@pytest.mark.usefixtures("registry")
def test_if_the_stored_active_version_cannot_be_loaded_the_order_decides(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "v1" / manifest.FILE_NAME).write_text("{}")
    follower = Operated(Repository(tmp_path))
    follower.apply(follower.prepare(State(active="v1", experiment=experiment("v1", "v2")), follower.order))
    assert follower.snapshot.active == "v2"
    assert follower.snapshot.experiment is not None
    assert "active_version_unavailable version=v1 replacement=v2" in caplog.text


def test_an_unloaded_version_stays_unloaded_in_a_new_process(registry: Operated, tmp_path: Path) -> None:
    registry.unload("v1")
    follower = Operated(Repository(tmp_path))
    follower.apply(follower.prepare(registry.state, follower.order))
    assert tuple(follower.snapshot.detectors) == ("v2",)
