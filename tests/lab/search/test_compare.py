from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from lab import scores
from lab.networks import NetworkSettings
from lab.panel import Fitted, Panel, Rows
from lab.search import candidates, compare, references
from lab.search.candidates import Candidate
from lab.search.compare import Contest
from lab.search.trial import Arena
from lab.trees import TreeSettings
from tests.lab import synthetic
from tests.lab.search import known_scores


@pytest.fixture(scope="module")
def arena() -> Arena:
    return Arena(synthetic.histories(known_scores.YEARS, known_scores.PAIRS), known_scores.PAIRS, every=(8, 4))


def trial(kind: str, value: float | None, window: int = 24) -> dict[str, object]:
    network = NetworkSettings(kind, window)
    candidate = Candidate("bar_clock", None, TreeSettings()) if kind == "trees" else Candidate("bar", network)
    state = "pruned" if value is None else "complete"
    return {"kind": kind, "state": state, "value": value, "candidate": candidate.values()}


TRIALS = [trial("tcn", 0.6), trial("tcn", 0.7, 40), trial("tcn", None, 60), trial("trees", 0.6), trial("gru", None)]


def test_the_best_complete_trial_of_each_kind_is_chosen() -> None:
    found = compare.chosen(TRIALS)
    assert list(found) == ["tcn", "trees", "tcn, bar", "trees, bar", "tcn, bar_clock", "trees, bar_clock"]
    assert found["tcn"].window == 40
    # What v3.2 can have: the candles that are sent are exactly enough.
    assert [found[name].required_candles for name in list(found)[2:]] == [100] * 4
    assert compare.members(list(found)) == {
        "tcn + trees": ("tcn", "trees"),
        "tcn + trees, bar": ("tcn, bar", "trees, bar"),
        "tcn + trees, bar_clock": ("tcn, bar_clock", "trees, bar_clock"),
    }


def test_a_mean_over_folds_has_the_interval_of_its_draws(arena: Arena) -> None:
    contest = Contest.of(arena)
    random = np.random.default_rng(2)
    good = tuple(truth * 0.8 + random.normal(size=len(truth)) for truth in contest.truth)
    bad = tuple(random.normal(size=len(truth)) for truth in contest.truth)
    better, worse = contest.ranked(good), contest.ranked(bad)
    assert better.auc.value == pytest.approx(np.mean(better.folds))
    assert better.auc.low < better.auc.value < better.auc.high
    by = better.above(worse)
    assert by.value == pytest.approx(better.auc.value - worse.auc.value)
    assert 0.0 < by.low < by.value < by.high
    assert set(contest.by_pair(good)) == set(arena.pairs)
    assert better.folds[0] == scores.auc(contest.truth[0], good[0])


def test_all_are_compared_once_and_answers_are_kept(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[str] = []
    original = candidates.fit

    def fit(panel: Panel, rows: Rows, truth: scores.Truth, candidate: Candidate) -> Fitted:
        """Trees of few bars in place of every model."""
        fitted.append(candidate.kind)
        return original(panel, rows, truth, Candidate("bar", None, TreeSettings(1, trees=len(fitted) + 5)))

    monkeypatch.setattr(candidates, "fit", fit)
    monkeypatch.setattr(scores, "block_weights", partial(scores.block_weights, draws=40))
    for features in ("bar", "bar_clock"):
        monkeypatch.setitem(references.WINDOWS, features, 2)
    said: list[str] = []
    found = compare.compare(arena, TRIALS, tmp_path, said.append)
    assert len(fitted) == 6 * 2
    names = list(compare.chosen(TRIALS))
    assert [each["name"] for each in found["detectors"]] == [*names, *compare.members(names)]
    by_name = {each["name"]: each for each in found["detectors"]}
    mean = by_name["tcn + trees, bar"]
    for name, (value, low, high) in mean["members"].items():
        assert value == pytest.approx(mean["auc"][0] - by_name[name]["auc"][0], abs=2e-4)
        assert low <= value <= high
    against = by_name["trees"]["auc"][0] - by_name["tcn"]["auc"][0]
    assert by_name["trees"]["against_tcn"][0] == pytest.approx(against, abs=2e-4)
    assert {each["features"] for each in found["baselines"]} == {"bar", "bar_clock"}
    assert len(found["baselines"]) == 8
    assert compare.compare(arena, TRIALS, tmp_path, said.append) == found
    assert len(fitted) == 6 * 2
