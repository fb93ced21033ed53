"""The lab's own preparation, with trees, for the audit. It calls the functions that the lab trains with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.features.candles import Floats
from lab import calibration, networks, panel, splits, trees
from lab.history import History
from lab.labels import Rule
from lab.leaks.preparation import Learned, Preparation
from lab.panel import Panel, Rows
from lab.splits import Split

_GAIN = 1.05  # how much more often than at random the answers above the threshold are right


def preparation(
    names: Sequence[str],
    rule: Rule,
    settings: trees.TreeSettings,
    *,
    year: int = splits.UNTOUCHED,
    left_out: tuple[str, ...] = (),
) -> Preparation:
    """Features of the catalogue, a rule, trees; tested on a year of all pairs, or of those that are left out."""

    def table(histories: Sequence[History]) -> Panel:
        return panel.build(histories, names, rule)

    def split(panel: Panel) -> Split:
        found, usable = splits.expanding(panel, year), panel.usable(settings.window)
        absent = splits.of_pairs(panel, left_out)
        test = found.test & usable & (absent if left_out else True)
        return Split(found.train & usable & ~absent, found.validation & usable & ~absent, test)

    def inputs(panel: Panel, rows: Rows) -> NDArray[Any]:
        return trees.flat(panel, rows, settings.window)

    def learn(panel: Panel, split: Split) -> Learned:
        rows, later, truth = np.flatnonzero(split.train), np.flatnonzero(split.validation), panel.opportunity
        scaler = networks.fit_scaler(panel, rows, settings.window)
        fitted = trees.fit(panel, rows, truth, settings)
        logistic = trees.fit_logistic(panel, rows, truth)
        rule = trees.fit_rule(panel, rows, truth)
        logits = fitted.logits(panel, later)
        temperature = calibration.temperature(logits, truth[later])
        probability = calibration.sigmoid(logits / temperature)
        return Learned(
            {
                "scaler's means": scaler.mean_,
                "scaler's scales": scaler.scale_,
                "best single feature": f"{rule.sign} {rule.name}",
                "logistic regression": logistic.model.coef_,
                "trees": fitted.booster.model_to_string(),
            },
            {
                "temperature": temperature,
                "threshold": _threshold(probability, truth[later]),
            },
        )

    return Preparation(table, split, inputs, learn, settings.window, left_out)


def _threshold(probability: Floats, truth: NDArray[np.float32]) -> float:
    """The lab's threshold; above all answers if none has the precision, as with the labels that the audit makes up."""
    try:
        return calibration.threshold_for_precision(probability, truth, _GAIN * float(truth.mean()))
    except ValueError:
        return float(probability.max()) + 1.0
