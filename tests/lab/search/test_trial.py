from __future__ import annotations

import numpy as np
import pytest

from core.features.labels import UNKNOWN
from lab import splits
from lab.networks import NetworkSettings
from lab.search import references, trial
from lab.search.candidates import KINDS, PARTS, Candidate
from lab.search.trial import LABEL, Arena
from lab.trees import TreeSettings
from tests.lab import synthetic
from tests.lab.search import known_scores

TREES = Candidate("bar_clock", None, TreeSettings(trees=12, min_data_in_leaf=20))


@pytest.fixture(scope="module")
def arena() -> Arena:
    return known_scores.arena()


def test_the_years_that_the_search_must_not_see_are_not_there() -> None:
    """Not even a label reaches into them."""
    histories = synthetic.histories((2017, 2020), known_scores.PAIRS)
    found = Arena(histories, known_scores.PAIRS)
    panel = found.panel("bar")
    assert panel.times.max() < np.datetime64(f"{splits.VALIDATION}-01-01")
    for pair in range(3):
        assert (panel.labels[panel.pair == pair][-panel.horizon :] == UNKNOWN).all()


def test_trials_have_three_pairs_and_two_folds() -> None:
    assert len(trial.PAIRS) >= 3
    assert len(splits.FOLDS) >= 2
    assert KINDS == ("lstm", "gru", "tcn", "transformer", "trees", "mean")


def test_all_features_are_scored_on_the_same_bars(arena: Arena) -> None:
    for fold in arena.folds:
        first, second = (arena.panel(name) for name in ("bar", "engineered_clock"))
        assert np.array_equal(arena.rows(first, fold)[1], arena.rows(second, fold)[1])
        train, test = arena.rows(first, fold)
        assert first.times[train].max() < np.datetime64(f"{fold}-01-01") <= first.times[test].min()
        assert first.times[test].max() < np.datetime64(f"{fold + 1}-01-01")


def test_a_trial_is_scored_by_fold_and_reported_by_part(arena: Arena) -> None:
    seen: list[tuple[int, float]] = []
    found = trial.score(arena, TREES, lambda part, value: seen.append((part, value)))
    assert [part for part, _ in seen] == list(range(PARTS * 2))
    assert found.value == pytest.approx(np.mean(found.folds)) == seen[-1][1]
    assert seen[PARTS - 1][1] == found.folds[0]
    # The days on which bars are large are found.
    assert min(found.folds) > 0.6
    assert trial.score(arena, TREES) == found


def test_a_label_can_be_chosen(arena: Arena) -> None:
    other = trial.score(arena, TREES, label="triple_barrier")
    assert other != trial.score(arena, TREES)


def test_baselines_and_labels_are_references(monkeypatch: pytest.MonkeyPatch) -> None:
    arena = Arena(synthetic.histories(known_scores.YEARS, known_scores.PAIRS), known_scores.PAIRS, every=(8, 4))
    small = NetworkSettings("tcn", 24, width=4, depth=1, epochs=1)
    monkeypatch.setattr(references, "NETWORK", small)
    monkeypatch.setitem(references.WINDOWS, "engineered", 1)
    margin, found = references.STUDIES["labels"].compute(arena, "trades_1.5_atr", 1)
    assert margin == pytest.approx(found["auc"] - max(found["scores"].values()))
    assert set(found["scores"]) == set(references.AGAINST)
    best, found = references.STUDIES["baselines"].compute(arena, "engineered", 1)
    assert best == max(found["scores"].values())
    assert len(found["scores"]) == 4
    assert 0.5 <= found["accuracy_of_majority"] < 1.0
    assert LABEL == "trades_3_atr"
