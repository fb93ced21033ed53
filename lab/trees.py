"""Gradient-boosted trees by LightGBM, on the last bar of a window or on all of them, and the simpler baselines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from core.features.candles import Floats
from lab.networks import windows
from lab.panel import Panel, Rows
from lab.scores import auc


class TreeSettings(NamedTuple):
    """window: how many bars the trees see; 1 is the last one only. The rest as in LightGBM's documentation."""

    window: int = 1
    trees: int = 200
    leaves: int = 15
    learning_rate: float = 0.05
    min_data_in_leaf: int = 400
    feature_fraction: float = 0.5
    l2: float = 10.0
    seed: int = 1


class FittedTrees(NamedTuple):
    """A fitted ensemble."""

    settings: TreeSettings
    booster: lightgbm.Booster

    def logits(self, panel: Panel, rows: Rows) -> Floats:
        """The ensemble's answers for the windows that end at these rows."""
        found = self.booster.predict(flat(panel, rows, self.settings.window), raw_score=True)
        return np.asarray(found, np.float64)


def fit(
    panel: Panel,
    rows: Rows,
    truth: NDArray[np.float32],
    settings: TreeSettings,
    after_trees: Callable[[int, Any], None] | None = None,
) -> FittedTrees:
    """Fit trees on the windows that end at `rows`; truth: 0 or 1 by row of the panel.

    after_trees: called after each tree.
    """
    parameters = {
        "objective": "binary",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": settings.min_data_in_leaf,
        "feature_fraction": settings.feature_fraction,
        "bagging_fraction": 0.6,
        "bagging_freq": 1,
        "lambda_l2": settings.l2,
        "max_bin": 127,
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 2,
        "verbose": -1,
    }
    data = lightgbm.Dataset(flat(panel, rows, settings.window), truth[rows], params={"max_bin": 127, "verbose": -1})
    callbacks = []
    if after_trees is not None:
        callbacks.append(lambda state: after_trees(state.iteration + 1, state.model))
    return FittedTrees(settings, lightgbm.train(parameters, data, settings.trees, callbacks=callbacks))


def flat(panel: Panel, rows: Rows, window: int) -> NDArray[np.float32]:
    """The windows that end at these rows, a row each: (len(rows), window * features), oldest bar first."""
    return windows(panel.features.astype(np.float32), rows, window).reshape(len(rows), -1)


class FittedLogistic(NamedTuple):
    """Logistic regression on the last bar's features and their squares: a direction-free feature acts by its size."""

    scaler: StandardScaler
    model: LogisticRegression

    def logits(self, panel: Panel, rows: Rows) -> Floats:
        """The answers for these rows."""
        found: Floats = self.model.decision_function(self.scaler.transform(_with_squares(panel, rows)))
        return found


def fit_logistic(panel: Panel, rows: Rows, truth: NDArray[np.float32]) -> FittedLogistic:
    """Fit the regression on these rows."""
    x = _with_squares(panel, rows)
    scaler = StandardScaler().fit(x)
    return FittedLogistic(scaler, LogisticRegression(max_iter=500).fit(scaler.transform(x), truth[rows]))


def _with_squares(panel: Panel, rows: Rows) -> Floats:
    x = panel.features[rows]
    return np.concatenate([x, x**2], axis=1)


class BestRule(NamedTuple):
    """One feature as the score, the other way round if sign is -1: the best that a single comparison can do."""

    name: str
    sign: float

    def logits(self, panel: Panel, rows: Rows) -> Floats:
        """The feature of these rows, with the sign."""
        found: Floats = self.sign * _sizes(panel, rows)[self.name]
        return found


def fit_rule(panel: Panel, rows: Rows, truth: NDArray[np.float32]) -> BestRule:
    """Choose the feature, or the size of one, that ranks these rows best."""
    ranked = {name: auc(truth[rows], values) for name, values in _sizes(panel, rows).items()}
    name = max(ranked, key=lambda each: abs(ranked[each] - 0.5))
    return BestRule(name, 1.0 if ranked[name] >= 0.5 else -1.0)  # noqa: PLR2004 - the AUC of chance


def _sizes(panel: Panel, rows: Rows) -> dict[str, Floats]:
    values = dict(zip(panel.names, panel.features[rows].T, strict=True))
    return values | {f"|{name}|": np.abs(each) for name, each in values.items()}
