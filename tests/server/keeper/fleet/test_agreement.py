from __future__ import annotations

import pytest

from core.errors import Conflict
from core.experiments.experiment import Experiment
from core.serving.state import Action, Served, State
from server.keeper.fleet.agreement import Agreement, require_equal, versions_loaded_by

OLD = Served({"v1": "a", "v2": "b"}, {}, {"v1": 0, "v2": 0})
REPLACED = Served({"v1": "c", "v2": "b"}, {}, {"v1": 0, "v2": 0})
NEWER = Served({"v1": "c", "v2": "b"}, {}, {"v1": 1, "v2": 0})


@pytest.fixture
def agreement() -> Agreement:
    made = Agreement()
    assert made.follow(1, OLD, by_all=False)
    return made


def test_nothing_differs_before_the_first_worker_has_loaded_something() -> None:
    assert Agreement().differences(OLD) == []


def test_a_worker_that_joins_with_another_bundle_differs(agreement: Agreement) -> None:
    assert not agreement.follow(2, REPLACED, by_all=False)
    assert agreement.differences(REPLACED) == ["v1"]
    assert agreement.differences(Served({"v1": "a"}, {"v2": "broken"}, {})) == ["v2"]
    assert agreement.differences(OLD) == agreement.differences(None) == []


def test_a_worker_that_joins_with_a_newer_state_leads(agreement: Agreement) -> None:
    assert agreement.follow(2, NEWER, by_all=False)
    assert agreement.served == NEWER


def test_the_first_worker_leads_in_a_change_for_all_and_the_others_do_not(agreement: Agreement) -> None:
    assert agreement.follow(2, REPLACED, by_all=True)
    assert not agreement.follow(2, OLD, by_all=True)
    assert agreement.served == REPLACED


def test_a_late_answer_to_an_earlier_change_decides_nothing(agreement: Agreement) -> None:
    assert agreement.follow(3, NEWER, by_all=True)
    assert not agreement.follow(2, OLD, by_all=True)
    assert not agreement.follow(2, OLD, by_all=False)
    assert agreement.served == NEWER


def test_a_change_by_all_replaces_only_the_versions_that_it_loads(agreement: Agreement) -> None:
    differing = Served({"v1": "c", "v2": "e", "v3": "f"}, {}, {"v1": 1, "v2": 0, "v3": 0})
    agreement.changed(2, [differing], ["v1"])
    assert agreement.served == Served({"v1": "c", "v2": "b", "v3": "f"}, {}, differing.generations)
    agreement.changed(3, [], ["v1"])
    assert agreement.served is not None


def test_a_worker_that_could_not_load_a_version_does_not_take_it_from_the_others(agreement: Agreement) -> None:
    lacking = Served({"v1": "c"}, {"v2": "gone"}, {"v1": 1, "v2": 0})
    assert not agreement.follow(2, lacking, by_all=True)
    assert not agreement.follow(2, lacking, by_all=False)
    agreement.changed(3, [lacking, NEWER], ["v1"])
    assert agreement.served == NEWER
    unloaded = Served({"v1": "c"}, {}, {"v1": 1})
    assert agreement.follow(4, unloaded, by_all=True)
    assert agreement.served == unloaded


def test_the_versions_that_an_action_loads() -> None:
    experiment = Experiment(
        experiment_id="e", name="e", variant_a="v1", variant_b="v2", traffic_split=0.5, status="active", created_at=0
    )
    state = State(experiment=experiment)
    assert versions_loaded_by(Action("activate", "e"), state) == ("v1", "v2")
    assert versions_loaded_by(Action("load", "v3"), state) == versions_loaded_by(Action("switch", "v3"), state)
    assert versions_loaded_by(Action("switch", "v3"), state) == ("v3",)
    for action in (None, Action("unload", "v3"), Action("stop", "e")):
        assert versions_loaded_by(action, state) == ()


def test_different_bundles_of_a_version_that_is_loaded_are_a_conflict() -> None:
    require_equal([OLD, REPLACED], ["v2"])
    with pytest.raises(Conflict, match="v1 was replaced"):
        require_equal([OLD, REPLACED], ["v2", "v1"])
