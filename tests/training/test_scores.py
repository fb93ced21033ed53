from __future__ import annotations

import numpy as np
import pytest

from training import recipes
from training.scores import scores, trend_rule_accuracy

TRUTH = np.array([1, 1, 1, 0, 0, 0, 0, 0], dtype=np.float32)


def test_scores_of_answers_counted_by_hand() -> None:
    probability = np.array([0.9, 0.8, 0.1, 0.7, 0.6, 0.3, 0.2, 0.05], dtype=np.float32)
    assert scores(probability, probability >= 0.5, TRUTH) == {
        "recall": 0.666667,
        "precision": 0.5,
        "f1": 0.571429,
        "false_positives": 2,
        "detected": "2/3",
        "auc": 0.733333,  # 11 of 15 pairs are in order
        "accuracy": 0.625,
        "baseline_accuracy": 0.625,
        "test_windows": 8,
        "test_positives": 3,
    }


def test_answers_that_are_never_positive_have_no_precision() -> None:
    silent = scores(np.zeros(8, np.float32), np.zeros(8, np.bool_), TRUTH)
    assert (silent["precision"], silent["f1"], silent["recall"], silent["detected"]) == (0.0, 0.0, 0.0, "0/3")


@pytest.mark.parametrize(("recipe", "passes"), [(recipes.SWING, True), (recipes.DIRECTION, False)])
def test_threshold_itself_passes_stage1_but_is_not_short(recipe: recipes.Recipe, passes: bool) -> None:  # noqa: FBT001
    at = np.float32(recipe.threshold)
    probability = np.array([np.nextafter(at, np.float32(0)), at, np.nextafter(at, np.float32(1))], dtype=np.float32)
    assert recipe.positive(probability).tolist() == [False, passes, True]


def test_the_trend_rule_gives_short_above_the_mean() -> None:
    close, mean = np.array([1.2, 1.2, 1.0, 1.0]), np.full(4, 1.1)
    assert trend_rule_accuracy(close, mean, np.array([1, 0, 0, 0], dtype=np.float32)) == 0.75
