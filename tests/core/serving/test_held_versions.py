"""The versions of an experiment stay those of its activation, or the experiment does not run."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.bundles.manifest import FILE_NAME
from core.bundles.repository import Repository
from core.errors import Conflict
from core.experiments.experiment import Experiment
from core.serving.registry import Registry
from core.serving.state import Action, Replaced, State
from tests import bundles

ORDER = ("v1", "v2")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for version in ORDER:
        bundles.write(tmp_path, version)
    return tmp_path


def digest(models: Path, version: str) -> str:
    return hashlib.sha256((models / version / FILE_NAME).read_bytes()).hexdigest()


def running(models: Path, **changes: Any) -> State:  # noqa: ANN401 - any field of an experiment
    """A state with an experiment of v1 and v2, as their bundles are now."""
    fields = {
        "digests": {"A": digest(models, "v1"), "B": digest(models, "v2")},
        "experiment_id": "e",
        "name": "e",
        "variant_a": "v1",
        "variant_b": "v2",
    }
    experiment = Experiment(traffic_split=0.5, status="active", created_at=0, **(fields | changes))
    return State(revision=1, experiment=experiment)


def follow(registry: Registry, state: State, action: Action | None = None) -> None:
    registry.apply(registry.prepare(state, ORDER, action))


def started(models: Path, state: State) -> Registry:
    registry = Registry(Repository(models))
    follow(registry, state)
    return registry


def replace(models: Path, version: str = "v2") -> str:
    """Replace the bundle; returns the new digest."""
    bundles.write(models, version, threshold=0.7)
    return digest(models, version)


def threshold(registry: Registry, version: str = "v2") -> float:
    return registry.snapshot.detectors[version].manifest.threshold


def test_the_digest_of_the_folder_is_that_of_the_loaded_version(models: Path) -> None:
    registry = started(models, State())
    for version in ORDER:
        found = Repository(models).digest(version)
        assert found == registry.snapshot.detectors[version].digest == digest(models, version)


def test_an_activation_reads_a_bundle_again_that_is_not_the_loaded_one(models: Path) -> None:
    registry = started(models, State())
    replace(models)
    state = running(models)
    assert threshold(registry) == 0.5
    follow(registry, state, Action("activate", "e"))
    assert threshold(registry) == 0.7
    assert registry.snapshot.experiment == state.experiment


def test_an_activation_reads_no_bundle_again_that_is_the_loaded_one(models: Path) -> None:
    registry = started(models, State())
    before, state = registry.snapshot.detectors["v2"], running(models)
    replace(models)
    follow(registry, state, Action("activate", "e"))
    assert registry.snapshot.detectors["v2"] is before
    assert registry.snapshot.experiment == state.experiment


def test_a_bundle_that_is_replaced_during_the_activation_is_a_conflict(models: Path) -> None:
    state = running(models)
    replace(models)
    registry = started(models, State())  # has loaded neither what the keeper has read
    replaced = bundles.write(models, "v2", threshold=0.8)
    before = registry.snapshot
    with pytest.raises(Conflict, match=replaced.name):
        registry.prepare(state, ORDER, Action("activate", "e"))
    assert registry.snapshot is before


@pytest.mark.parametrize("digests", [True, False])
def test_a_changed_bundle_cannot_be_loaded_while_the_experiment_compares_it(models: Path, *, digests: bool) -> None:
    state = running(models) if digests else running(models, digests=None)
    registry = started(models, state)
    load, again = Action("load", "v2"), state.loading("v2")
    before = registry.snapshot.detectors["v2"]
    follow(registry, again, load)  # it has not changed
    assert registry.snapshot.detectors["v2"] is before
    replace(models)
    with pytest.raises(Conflict, match=r"v2 .* experiment e:"):
        registry.prepare(again.loading("v2"), ORDER, load)
    assert registry.snapshot.detectors["v2"] is before
    assert registry.snapshot.experiment == state.experiment
    bundles.write(models, "v3")
    follow(registry, again.loading("v3"), Action("load", "v3"))  # not of the experiment
    stopped = msgspec.structs.replace(again.loading("v2"), experiment=None)
    follow(registry, stopped, load)
    assert threshold(registry) == 0.7


def test_a_restart_that_finds_another_bundle_serves_without_the_experiment(models: Path) -> None:
    state = running(models)
    found = replace(models)
    registry = started(models, state)
    assert registry.snapshot.experiment is None
    assert list(registry.snapshot.replaced) == [Replaced("e", "v2", found)]
    assert (registry.snapshot.active, threshold(registry)) == ("v1", 0.7)
    follow(registry, msgspec.structs.replace(state, experiment=None))
    assert not registry.snapshot.replaced


def test_a_restart_that_finds_the_same_bundles_resumes_the_experiment(models: Path) -> None:
    state = running(models)
    registry = started(models, state)
    assert (registry.snapshot.experiment, registry.snapshot.replaced) == (state.experiment, ())


@pytest.mark.parametrize("digests", [None, {"A": "00"}, {}])
def test_a_version_without_a_digest_may_be_any(models: Path, digests: dict[str, str] | None) -> None:
    known = None if digests is None else {name: digest(models, "v1") for name in digests}
    state = running(models, digests=known)
    replace(models)
    registry = started(models, state)
    assert registry.snapshot.experiment == state.experiment


def test_a_missing_bundle_does_not_stop_the_experiment(models: Path) -> None:
    state = running(models)
    shutil.rmtree(models / "v2")
    registry = started(models, state)
    assert registry.snapshot.experiment == state.experiment
    assert "v2" not in registry.snapshot.detectors


def test_a_replica_reads_the_bundle_again_and_keeps_its_own_if_that_does_not_help(models: Path) -> None:
    registry, other = started(models, State()), running(models, digests={"B": "another machine's"})
    loaded = digest(models, "v2")
    replace(models)
    follow(registry, other)  # the other machine has a bundle that this one has not
    assert list(registry.snapshot.replaced) == [Replaced("e", "v2", loaded)]
    assert (registry.snapshot.experiment, threshold(registry)) == (None, 0.5)
    follow(registry, running(models))  # the other machine has what is in the folder here
    assert not registry.snapshot.replaced
    assert threshold(registry) == 0.7
