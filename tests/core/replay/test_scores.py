from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from core.replay.scores import BINS, WeeklyReliability, auc
from core.replay.weeks import Draws


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    score = np.round(rng.random(600), 2)  # many are equal
    return score, rng.random(600) < 0.2 + 0.3 * score, rng.integers(15, size=600)


def test_the_auc_is_that_of_scikit_learn_in_each_draw(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    score, positive, week = data
    draws = Draws.of(15, 40, 2)
    found = auc(score, positive, week, draws)
    assert found.value == pytest.approx(roc_auc_score(positive, score), abs=1e-12)
    for order, drawn in zip(draws.order, found.draws, strict=True):
        rows = np.concatenate([np.flatnonzero(week == each) for each in order])
        assert drawn == pytest.approx(roc_auc_score(positive[rows], score[rows]), abs=1e-12)


def test_the_auc_of_one_class_is_unknown() -> None:
    found = auc(np.array([0.1, 0.2]), np.array([True, True]), np.array([0, 1]), Draws.of(2, 5, 1))
    assert np.isnan(found.value)
    assert np.isnan(auc(np.empty(0), np.empty(0, bool), np.empty(0, int), Draws.of(0, 5, 1)).value)


def test_reliability_and_ece(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    score, positive, week = data
    draws = Draws.of(15, 30, 3)
    found = WeeklyReliability(score, positive, week, draws)

    def expected(rows: np.ndarray) -> float:
        error = 0.0
        for low in range(BINS):
            of = rows[np.minimum((score[rows] * BINS).astype(int), BINS - 1) == low]
            error += abs(score[of].sum() - positive[of].sum())
        return error / len(rows)

    ece = found.ece()
    assert ece.value == pytest.approx(expected(np.arange(600)))
    for order, drawn in zip(draws.order, ece.draws, strict=True):
        assert drawn == pytest.approx(expected(np.concatenate([np.flatnonzero(week == each) for each in order])))
    bins = found.bins()
    assert sum(count for count, *_ in bins) == 600
    in_first = score < 0.1
    assert bins[0][0] == in_first.sum()
    assert bins[0][1] == pytest.approx(score[in_first].mean())
    assert bins[0][2].value == pytest.approx(positive[in_first].mean())


def test_true_probabilities_have_a_small_ece() -> None:
    rng = np.random.default_rng(4)
    score = rng.random(20_000)
    week = rng.integers(50, size=20_000)
    assert WeeklyReliability(score, rng.random(20_000) < score, week, Draws.of(50, 10, 1)).ece().value < 0.02
    assert WeeklyReliability(score, rng.random(20_000) < score**3, week, Draws.of(50, 10, 1)).ece().value > 0.1
