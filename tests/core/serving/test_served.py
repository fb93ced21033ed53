"""A worker that joins others serves the bundles that they serve, whatever the models folder has by then."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.bundles import manifest
from core.bundles.kept import KeptBundles
from core.bundles.repository import Repository
from core.serving.loading import Loader
from core.serving.registry import Prepared, Registry
from core.serving.state import Action, Served, State
from tests import bundles

ORDER = ("v1", "v2")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for version in ORDER:
        bundles.write(tmp_path / "models", version)
    return tmp_path / "models"


def process(models: Path) -> Registry:
    """A worker's registry. All workers of a test share the copies."""
    repository = Repository(models)
    return Registry(repository, Loader(repository, kept=KeptBundles(models.parent / "copies")))


def follow(registry: Registry, state: State, action: Action | None = None, served: Served | None = None) -> Prepared:
    prepared = registry.prepare(state, ORDER, action, served)
    registry.apply(prepared)
    return prepared


def digests(registry: Registry) -> dict[str, str]:
    return {version: detector.digest for version, detector in registry.snapshot.detectors.items()}


def test_a_worker_loads_what_the_others_serve_after_the_folder_has_changed(models: Path) -> None:
    first, second = process(models), process(models)
    served = follow(first, State()).served
    bundles.write(models, "v1", threshold=0.7)
    shutil.rmtree(models / "v2")
    bundles.write(models, "v3")  # only a load or a switch finds it
    assert follow(second, State(), served=served).served == served
    assert digests(second) == digests(first) == served.digests
    assert second.snapshot == first.snapshot._replace(detectors=second.snapshot.detectors)


def test_a_load_by_an_operator_reads_the_folder_in_a_worker_that_joined(models: Path) -> None:
    second = process(models)
    served = follow(process(models), State()).served
    bundles.write(models, "v1", threshold=0.7)
    follow(second, State(), served=served)
    follow(second, State().loading("v1"), Action("load", "v1"))
    assert second.snapshot.detectors["v1"].manifest.threshold == 0.7


def test_what_a_newer_state_adds_is_read_from_the_folder(models: Path) -> None:
    second = process(models)
    served = follow(process(models), State()).served
    for version in (*ORDER, "v3"):
        bundles.write(models, version, threshold=0.7)
    follow(second, State(active="v3").loading("v2"), served=served)
    thresholds = {version: each.manifest.threshold for version, each in second.snapshot.detectors.items()}
    assert thresholds == {"v1": 0.5, "v2": 0.7, "v3": 0.7}


def test_a_worker_does_not_load_what_the_others_could_not_load_or_have_unloaded(models: Path) -> None:
    good = (models / "v2" / manifest.FILE_NAME).read_bytes()
    (models / "v2" / manifest.FILE_NAME).write_text("{}")
    first, second = process(models), process(models)
    served = follow(first, State()).served
    (models / "v2" / manifest.FILE_NAME).write_bytes(good)
    follow(second, State(), served=served)
    assert list(second.snapshot.detectors) == ["v1"]
    assert second.entry("v2").error == first.entry("v2").error
    third = process(models)
    follow(third, State().unloading("v1"), served=served)
    assert not third.snapshot.detectors


def test_without_a_copy_the_worker_loads_the_bundle_in_the_folder_and_says_so(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    served = follow(process(models), State()).served
    shutil.rmtree(models.parent / "copies")
    follow(process(models), State(), served=served)  # the folder has the same bundles
    assert "bundle_copy_missing" not in caplog.text
    bundles.write(models, "v1", threshold=0.7)
    shutil.rmtree(models.parent / "copies")
    second = process(models)
    follow(second, State(), served=served)
    assert second.snapshot.detectors["v1"].manifest.threshold == 0.7
    assert f"bundle_copy_missing version=v1 served={served.digests['v1']} found={digests(second)['v1']}" in caplog.text


def test_a_version_without_copy_and_bundle_is_skipped(models: Path, caplog: pytest.LogCaptureFixture) -> None:
    served = follow(process(models), State()).served
    shutil.rmtree(models.parent / "copies")
    shutil.rmtree(models / "v1")
    second = process(models)
    follow(second, State(), served=served)
    assert list(second.snapshot.detectors) == ["v2"]
    assert "version_skipped version=v1" in caplog.text
    assert second.snapshot.known == ("v2", "v1")


def test_a_load_that_is_taken_back_serves_the_bundle_before(models: Path) -> None:
    registry = process(models)
    served = follow(registry, State()).served
    detector = registry.snapshot.detectors["v2"]
    bundles.write(models, "v1", threshold=0.7)
    follow(registry, State().loading("v1"), Action("load", "v1"))
    follow(registry, State(), served=served)
    assert digests(registry) == served.digests
    assert registry.snapshot.detectors["v2"] is detector
