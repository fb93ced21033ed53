from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import msgspec
import pytest

from core.bundles import bundle
from core.errors import ModelUnavailable, UnknownVersion
from core.experiments.assignment import assign
from core.experiments.experiment import Experiment, Mode
from core.inference.detector import Detector
from core.serving.routing import Assigned, Route, route
from core.serving.snapshot import Snapshot
from tests import bundles

NOTHING_LOADED = Snapshot("v3.1", MappingProxyType({}), ("v3.1",))


def experiment(mode: Mode = "split") -> Experiment:
    """An experiment that assigns user123 to A and alice to B."""
    return Experiment(
        experiment_id="v30_vs_v31",
        name="",
        variant_a="v3.0",
        variant_b="v3.1",
        traffic_split=0.5,
        mode=mode,
        status="active",
        created_at=0,
    )


class TestRoute:
    def test_without_name_and_experiment_the_active_version_answers(self) -> None:
        assert route(NOTHING_LOADED, None, "user123") == Route("v3.1")
        assert route(NOTHING_LOADED._replace(active=None), None, None) == Route(None)
        assert route(NOTHING_LOADED._replace(experiment=experiment()), None, None) == Route("v3.1")

    @pytest.mark.parametrize("mode", ["split", "shadow"])
    def test_a_named_version_wins_over_the_experiment(self, mode: Mode) -> None:
        assert route(NOTHING_LOADED._replace(experiment=experiment(mode)), "v9", "user123") == Route("v9", named=True)

    def test_split_mode_assigns_by_user(self) -> None:
        running = experiment()
        serving = NOTHING_LOADED._replace(experiment=running)
        assert route(serving, None, "user123") == Route("v3.0", assigned=Assigned(running, "A"))
        assert route(serving, None, "alice") == Route("v3.1", assigned=Assigned(running, "B"))

    def test_each_snapshot_has_the_routes_of_its_own_experiment(self) -> None:
        """The routes of the last experiment are kept. Equal experiments, and others with its id, must not get them."""
        first = experiment()
        others = [experiment(), experiment("shadow"), msgspec.structs.replace(first, variant_a="v2", variant_b="v1")]
        for running in (first, *others, first, *others[::-1]):
            serving = NOTHING_LOADED._replace(experiment=running)
            for user in ("user123", "alice"):
                found = route(serving, None, user)
                assert found.assigned is not None
                assert found.assigned.experiment is running
                variant = "A" if running.mode == "shadow" else assign(user, running)
                assert found == Route(running.version_of(variant), assigned=Assigned(running, variant))

    @pytest.mark.parametrize("user", ["user123", "alice", None])
    def test_shadow_mode_answers_with_a(self, user: str | None) -> None:
        running = experiment("shadow")
        serving = NOTHING_LOADED._replace(experiment=running)
        assert route(serving, None, user) == Route("v3.0", assigned=Assigned(running, "A"))


class TestDetectors:
    @pytest.fixture
    def serving(self, tmp_path: Path) -> Snapshot:
        """Three versions. `broken` gives NaN for windows above 0.9, and `wide` needs four features."""
        for version, fields in {
            "broken": {"kind": "root"},
            "wide": {"features": ("open", "high", "low", "close"), "stage2_features": None},
            "good": {},
        }.items():
            bundles.write(tmp_path, version, **fields)  # type: ignore[arg-type]
        order = ("broken", "wide", "good")
        detectors = {version: Detector(bundle.read(tmp_path / version)) for version in order}
        return Snapshot("broken", MappingProxyType(detectors), (*order, "gone"), order)

    def test_an_unknown_version_is_a_bad_request_only_if_the_body_names_it(self, serving: Snapshot) -> None:
        with pytest.raises(UnknownVersion) as raised:
            serving.choose("v9", "version")
        assert raised.value.details[0].path == "version"
        for version in ("v9", "gone"):
            with pytest.raises(ModelUnavailable, match=f"version {version} is not loaded"):
                serving.choose(version)
        with pytest.raises(ModelUnavailable, match="no version is active"):
            serving._replace(active=None).choose(None)
        assert serving.choose("good") is serving.detectors["good"]
