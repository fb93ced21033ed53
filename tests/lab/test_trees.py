from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from lab import baselines, scores, trees
from lab.panel import Panel
from lab.trees import TreeSettings
from tests.lab import synthetic

SMALL = TreeSettings(window=4, trees=30, min_data_in_leaf=20)


@pytest.fixture(scope="module")
def whole() -> Panel:
    return synthetic.panel(bars=1500)


def scored(whole: Panel, fitted: trees.FittedTrees) -> float:
    _, late = synthetic.halves(whole, 24)
    return scores.auc(whole.opportunity[late], fitted.logits(whole, late))


def test_trees_find_what_is_in_the_window_but_not_what_is_before_it(whole: Panel) -> None:
    early, _ = synthetic.halves(whole, 24)
    assert scored(whole, trees.fit(whole, early, whole.opportunity, SMALL)) > 0.93
    last = scored(whole, trees.fit(whole, early, whole.opportunity, SMALL._replace(window=1)))
    assert 0.65 < last < 0.85


def test_equal_seeds_give_equal_trees(whole: Panel) -> None:
    early, late = synthetic.halves(whole, 24)
    first, second, other = (
        trees.fit(whole, early, whole.opportunity, SMALL._replace(seed=seed)).logits(whole, late) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_trees_can_be_looked_at_while_they_grow(whole: Panel) -> None:
    early, late = synthetic.halves(whole, 24)
    seen: list[tuple[int, float]] = []

    def after(done: int, booster: lightgbm.Booster) -> None:
        if done % 10 == 0:
            now = trees.FittedTrees(SMALL, booster).logits(whole, late)
            seen.append((done, scores.auc(whole.opportunity[late], now)))

    fitted = trees.fit(whole, early, whole.opportunity, SMALL, after)
    assert [done for done, _ in seen] == [10, 20, 30]
    assert seen[0][1] < seen[-1][1] == scores.auc(whole.opportunity[late], fitted.logits(whole, late))


def test_a_window_is_flattened_with_its_oldest_bar_first() -> None:
    whole = synthetic.panel(bars=30, pairs=1)
    found = trees.flat(whole, np.array([12]), 3)
    assert found.tolist() == whole.features[10:13].astype(np.float32).reshape(1, -1).tolist()


def test_the_best_rule_is_one_comparison(whole: Panel) -> None:
    early, late = synthetic.halves(whole, 24)
    truth = whole.opportunity
    rule = trees.fit_rule(whole, early, truth)
    assert (rule.name, rule.sign) == ("signal", 1.0)
    assert trees.fit_rule(whole, early, 1.0 - truth).sign == -1.0
    size = trees.fit_rule(whole, early, (np.abs(np.nan_to_num(whole.features[:, 1])) > 1.0).astype(np.float32))
    assert size.name == "|noise|"
    assert scores.auc(truth[late], rule.logits(whole, late)) > 0.65


def test_logistic_regression_sees_sizes(whole: Panel) -> None:
    early, late = synthetic.halves(whole, 24)
    truth = (np.abs(np.nan_to_num(whole.features[:, 1])) > 1.0).astype(np.float32)
    assert scores.auc(truth[late], trees.fit_logistic(whole, early, truth).logits(whole, late)) > 0.95


def test_baselines_are_ordered_by_what_they_see(whole: Panel) -> None:
    early, late = synthetic.halves(whole, 24)
    truth = whole.opportunity
    found = {
        name: scores.auc(truth[late], fit(whole, early, truth).logits(whole, late))
        for name, fit in baselines.of(4).items()
    }
    assert list(found) == ["best rule", "logistic", "boosting, last bar", "boosting, window"]
    assert max(found[name] for name in list(found)[:3]) < 0.8 < found["boosting, window"]


def test_the_majority_is_the_larger_share() -> None:
    assert baselines.majority(np.array([1, 0, 0, 0], np.float32)) == 0.75
    assert baselines.majority(np.array([1, 1, 1, 0], np.float32)) == 0.75
