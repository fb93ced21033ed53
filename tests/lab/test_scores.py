from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lab import scores

RANDOM = np.random.default_rng(8)
TRUTH = (RANDOM.random(3000) < 0.3).astype(np.float32)
# With ties, and better than chance.
SCORE = np.round(RANDOM.normal(TRUTH * 0.6, 1.0), 1)


def test_auc_is_that_of_scikit_learn() -> None:
    assert scores.auc(TRUTH, SCORE) == pytest.approx(roc_auc_score(TRUTH, SCORE), abs=1e-12)
    weights = RANDOM.integers(0, 4, len(TRUTH)).astype(float)
    expected = roc_auc_score(TRUTH, SCORE, sample_weight=weights)
    assert scores.auc(TRUTH, SCORE, weights) == pytest.approx(expected, abs=1e-12)


def test_auc_of_equal_scores_is_that_of_chance() -> None:
    assert scores.auc(TRUTH, np.zeros(len(TRUTH))) == 0.5


def test_weeks_begin_on_monday() -> None:
    times = np.array(["2017-01-01T23:59:59", "2017-01-02T00:00:00", "2017-01-08T23:00:00", "2017-01-09"], "M8[s]")
    found = scores.weeks(times)
    assert (found - found[0]).tolist() == [0, 1, 1, 2]


def test_a_draw_takes_whole_weeks() -> None:
    week = np.repeat(np.arange(20), 30)
    draws = scores.block_weights(week, draws=50, seed=1)
    assert draws.shape == (50, 600)
    assert (draws.sum(axis=1) == 600).all()
    by_week = draws.reshape(50, 20, 30)
    assert (by_week == by_week[:, :, :1]).all()
    assert len(np.unique(by_week[:, 0, 0])) > 2
    assert np.array_equal(draws, scores.block_weights(week, draws=50, seed=1))


def test_draws_have_the_auc_of_the_rows_that_are_drawn() -> None:
    draws = scores.block_weights(np.arange(len(TRUTH)) // 100, draws=3)
    for found, draw in zip(scores.auc_draws(TRUTH, SCORE, draws), draws, strict=True):
        rows = np.repeat(np.arange(len(TRUTH)), draw.astype(int))
        assert found == pytest.approx(roc_auc_score(TRUTH[rows], SCORE[rows]), abs=1e-12)


def test_an_interval_of_dependent_rows_is_wider_than_one_that_takes_them_for_independent() -> None:
    """Thirty copies of each row are worth no more than one."""
    truth, score = np.repeat(TRUTH[:200], 30), np.repeat(SCORE[:200], 30)

    def width(block: int) -> float:
        draws = scores.auc_draws(truth, score, scores.block_weights(np.arange(len(truth)) // block, draws=100))
        found = scores.scored(scores.auc(truth, score), draws)
        assert found.low < found.value < found.high
        return found.high - found.low

    assert width(30) > 3.0 * width(1)


def test_a_paired_difference_is_surer_than_the_two_scores() -> None:
    better = SCORE + 0.2 * TRUTH
    draws = scores.block_weights(np.arange(len(TRUTH)) // 50, draws=100)
    found = scores.paired(TRUTH, better, SCORE, draws)
    one = scores.scored(scores.auc(TRUTH, SCORE), scores.auc_draws(TRUTH, SCORE, draws))
    assert 0.0 < found.low < found.value < found.high
    assert found.high - found.low < (one.high - one.low) / 3.0
    assert scores.paired(TRUTH, SCORE, SCORE, draws) == (0.0, 0.0, 0.0)


def test_groups_without_both_classes_are_left_out() -> None:
    truth = np.array([0, 1, 1, 1, 0, 1], np.float32)
    group = np.array([0, 0, 1, 1, 2, 2], np.int8)
    found = scores.by_group(truth, np.arange(6.0), group, ["a", "b", "c", "d"])
    assert found == {"a": 1.0, "c": 1.0}


def test_calibration_error_of_known_probabilities() -> None:
    said = RANDOM.random(40_000)
    truth = (RANDOM.random(40_000) < said).astype(np.float32)
    assert scores.reliability(truth, said).error < 0.012
    shifted = scores.reliability(truth, np.clip(said * 0.5 + 0.5, 0, 1))
    assert shifted.error == pytest.approx(0.25, abs=0.012)
    assert sum(shifted.counts) == 40_000
    assert shifted.predicted == sorted(shifted.predicted)


def test_precision_and_recall_at_a_threshold() -> None:
    found = scores.at_threshold(np.array([0, 1, 1, 1], np.float32), np.array([0.6, 0.5, 0.4, 0.9]), 0.5)
    assert list(found) == pytest.approx([0.5, 0.75, 2 / 3, 2 / 3, 0.75])
    assert np.isnan(scores.at_threshold(TRUTH, SCORE, 1e9).precision)
