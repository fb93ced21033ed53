"""The search goes on after a kill, prunes, ends with its budget, and is repeated by its seed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from lab.search import studies
from lab.search.candidates import KINDS, PARTS, Candidate
from lab.search.studies import FolderRefused, Search
from lab.search.trial import AfterScore, Arena, TrialScore
from tests.lab.search import known_scores
from tests.market import ROOT


@pytest.fixture(autouse=True)
def _without_references(monkeypatch: pytest.MonkeyPatch) -> None:
    known_scores.without_references(monkeypatch.setattr)


@pytest.fixture
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """For searches that are not opened again: a file that is written a hundred times a trial takes seconds."""
    monkeypatch.setattr(studies, "storage", lambda _: optuna.storages.InMemoryStorage())


@pytest.mark.usefixtures("_in_memory")
def test_kinds_take_turns_and_references_come_between(tmp_path: Path) -> None:
    seen: list[str] = []
    search = Search(tmp_path, known_scores.arena(), scoring=known_scores.score)
    search.run(60.0, lambda what, _: seen.append(what), known_scores.nothing, 2)
    trials = [each for each in seen if each.split()[0] in KINDS]
    assert trials == [f"{kind} {number}" for number in (1, 2) for kind in KINDS]
    a_round = [True] * len(KINDS) + [False] * 2
    assert [each.split()[0] in KINDS for each in seen] == a_round * 2


def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as in_memory:
        in_memory.setattr(studies, "storage", lambda _: optuna.storages.InMemoryStorage())
        whole = known_scores.run(tmp_path / "whole", 2)
    command = [sys.executable, "-m", "tests.lab.search.known_scores", str(tmp_path / "killed"), "8"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "stopped\n"
        with pytest.raises(FolderRefused, match="another search is running"):
            known_scores.run(tmp_path / "killed", 2)
        process.kill()
    before = Search(tmp_path / "killed", known_scores.arena())
    assert sum(len(before.ended(kind)) for kind in KINDS) == 7
    running = before.studies["gru"].get_trials(states=(TrialState.RUNNING,))
    assert len(running) == 1
    resumed = known_scores.run(tmp_path / "killed", 2)
    assert known_scores.parameters(resumed) == known_scores.parameters(whole)
    (failed,) = resumed.studies["gru"].get_trials(states=(TrialState.FAIL,))
    assert failed.params == resumed.ended("gru")[1].params


@pytest.mark.usefixtures("_in_memory")
def test_equal_seeds_give_equal_parameters_and_others_give_others(tmp_path: Path) -> None:
    first, second, other = (
        known_scores.parameters(known_scores.run(tmp_path / name, 1, seed=seed))
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == second
    assert first != other


@pytest.mark.usefixtures("_in_memory")
def test_a_trial_behind_the_median_is_pruned_and_counts(tmp_path: Path) -> None:
    calls = 0

    def falling(arena: Arena, _: Candidate, after: AfterScore) -> TrialScore:
        nonlocal calls
        calls += 1
        value = 0.9 - calls / 1000.0
        for part in range(PARTS * len(arena.folds)):
            after(part, value)
        return TrialScore((value, value))

    search = known_scores.run(tmp_path, 6, falling)
    for kind in KINDS:
        states = [trial.state for trial in search.ended(kind)]
        assert states == [TrialState.COMPLETE] * 3 + [TrialState.PRUNED] * 3
        pruned = search.ended(kind)[-1]
        assert pruned.user_attrs["why"] == "median"
        assert 2 <= len(pruned.intermediate_values) < PARTS * 2
        assert search.best(kind) == search.ended(kind)[0].value


@pytest.mark.usefixtures("_in_memory")
def test_a_trial_that_takes_too_long_is_pruned(tmp_path: Path) -> None:
    search = Search(tmp_path, known_scores.arena(), scoring=known_scores.score, seconds_a_trial=0.0)
    search.run(60.0, known_scores.nothing, known_scores.nothing, 1)
    for kind in KINDS:
        (trial,) = search.ended(kind)
        assert (trial.state, trial.user_attrs["why"]) == (TrialState.PRUNED, "time")


@pytest.mark.usefixtures("_in_memory")
def test_the_budget_ends_a_trial_which_the_next_run_repeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("lab.search.studies.time.monotonic", lambda: now)

    def slow(arena: Arena, candidate: Candidate, after: AfterScore) -> TrialScore:
        nonlocal now
        now += 40.0
        return known_scores.score(arena, candidate, after)

    search = Search(tmp_path, known_scores.arena(), scoring=slow)
    search.run(1.0, known_scores.nothing, known_scores.nothing)
    assert [len(search.ended(kind)) for kind in KINDS] == [1, 0, 0, 0, 0, 0]
    (failed,) = search.studies["gru"].get_trials(states=(TrialState.FAIL,))
    search.run(0.0, known_scores.nothing, known_scores.nothing)
    assert len(search.ended("gru")) == 0
    search.run(9.0, known_scores.nothing, known_scores.nothing, 1)
    assert search.ended("gru")[0].params == failed.params


def test_an_error_of_a_trial_is_not_hidden(tmp_path: Path) -> None:
    def broken(*_: object) -> TrialScore:
        raise ValueError("of the trial")

    with pytest.raises(ValueError, match="of the trial"):
        known_scores.run(tmp_path, 1, broken)
    assert known_scores.run(tmp_path, 1).ended("lstm")[0].state == TrialState.COMPLETE


def test_a_folder_with_other_settings_is_refused(tmp_path: Path) -> None:
    known_scores.run(tmp_path, 1)
    with pytest.raises(FolderRefused, match=r"its trials were made with .*'seed': 1.*; use another folder"):
        known_scores.run(tmp_path, 1, seed=2)


def test_records_have_all_that_repeats_a_trial(tmp_path: Path) -> None:
    known_scores.run(tmp_path, 1)
    found = studies.finished(tmp_path, ["trees"])["trees"]
    (record,) = [studies.record(each) for each in found]
    candidate = Candidate.of(record["candidate"])
    assert record["value"] == pytest.approx(known_scores.quality(candidate), abs=1e-5)
    assert record["folds"] == pytest.approx([record["value"]] * 2, abs=1e-5)
    assert record["state"] == "complete"
    assert len(record["parts"]) == PARTS * 2
    assert isinstance(found[0], optuna.trial.FrozenTrial)
