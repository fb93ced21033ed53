"""The scores of v3.2 in its metadata: each with an interval, beside what simpler means reach on the same bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.features.candles import Floats
from core.features.indicators import Indicators
from core.features.labels import LONG, SHORT, pip_of
from lab import calibration, scores, splits, trees
from lab.panel import Mask, Panel, Rows
from lab.scores import Truth
from lab.trees import TreeSettings
from training.scale_free.recipe import COST_PIPS, STAGE1, THRESHOLD, Material, ScaleFree

# The second one is the boosting of `lab compare` on the same features (docs/lab-search.md), on more bars.
ON_LAST_BAR = TreeSettings(window=1)
ON_WINDOW = TreeSettings(window=STAGE1.window, feature_fraction=0.15)

Numbers = dict[str, Any]


def stage1(detector: ScaleFree, given: Material, part: Mask, pairs: tuple[str, ...] | None = None) -> Numbers:
    """Ranking, calibration, and the worth of the threshold, on a part; pairs: the only ones that count."""
    panel = given.stage1
    rows = given.rows(part if pairs is None else part & splits.of_pairs(panel, pairs))
    truth, probability = panel.opportunity[rows], calibration.sigmoid(detector.stage1.logits(panel, rows))
    weights = scores.block_weights(scores.weeks(panel.times[rows]))
    found = scores.reliability(truth, probability)
    return {
        "bars": len(rows),
        "auc": _interval(scores.auc(truth, probability), scores.auc_draws(truth, probability, weights)),
        "auc_by_pair": scores.by_group(truth, probability, panel.pair[rows], panel.pairs),
        "expected_calibration_error": round(found.error, 4),
        "reliability": {
            "predicted": [round(each, 4) for each in found.predicted],
            "observed": [round(each, 4) for each in found.observed],
        },
        "threshold": _at_threshold(truth, probability, THRESHOLD, weights),
    }


def baselines(detector: ScaleFree, given: Material, train: Mask, test: Mask) -> Numbers:
    """What simpler models reach with the same features on the same bars, and by how much Stage 1 is better."""
    panel, rows, tested = given.stage1, given.rows(train), given.rows(test)
    truth = panel.opportunity
    weights = scores.block_weights(scores.weeks(panel.times[tested]))
    ours = detector.stage1.logits(panel, tested)
    rule = trees.fit_rule(panel, rows, truth)
    found: Numbers = {"majority": {"auc": 0.5, "accuracy": round(1.0 - float(truth[tested].mean()), 4)}}
    others: Mapping[str, Callable[[], Any]] = {
        "best_single_rule": lambda: rule,
        "logistic_regression": lambda: trees.fit_logistic(panel, rows, truth),
        "boosting_on_last_bar": lambda: trees.fit(panel, rows, truth, ON_LAST_BAR),
        "boosting_on_window": lambda: trees.fit(panel, rows, truth, ON_WINDOW),
    }
    for name, fitted in others.items():
        theirs = fitted().logits(panel, tested)
        found[name] = {
            "auc": _interval(scores.auc(truth[tested], theirs), scores.auc_draws(truth[tested], theirs, weights)),
            "stage1_is_better_by": scores.paired(truth[tested], ours, theirs, weights).rounded(),
        }
    return found | {"best_single_rule": found["best_single_rule"] | {"rule": rule.name}}


def stage2(detector: ScaleFree, given: Material, part: Mask) -> Numbers:
    """Direction, on bars at which exactly one direction pays."""
    panel, rows = given.stage2, given.directions(part)
    truth, logit = panel.short[rows], detector.stage2.logits(panel, rows)
    weights = scores.block_weights(scores.weeks(panel.times[rows]))
    right = np.where(logit > 0.0, truth, 1.0 - truth)
    return {
        "bars": len(rows),
        "auc": _interval(scores.auc(truth, logit), scores.auc_draws(truth, logit, weights)),
        "auc_by_pair": scores.by_group(truth, logit, panel.pair[rows], panel.pairs),
        "share_of_right_directions": _mean(right, weights),
        "share_of_the_larger_class": round(max(float(truth.mean()), 1.0 - float(truth.mean())), 4),
        "measured_on": "bars at which one direction pays",
    }


def signals(detector: ScaleFree, given: Material, part: Mask) -> Numbers:
    """Both stages together: what a trade in the signal's direction brings, closed at the end of the horizon."""
    panel, rows = given.stage1, given.rows(part)
    passed = calibration.sigmoid(detector.stage1.logits(panel, rows)) >= THRESHOLD
    rows = rows[passed]
    short = detector.stage2.logits(given.stage2, rows) > 0.0
    result, atr = (each[rows] for each in _results(given))
    pips = np.where(short, -result, result) - COST_PIPS
    weights = scores.block_weights(scores.weeks(panel.times[rows]))
    hits = panel.labels[rows] == np.where(short, SHORT, LONG)
    return {
        "signals": len(rows),
        "share_of_bars": round(len(rows) / len(passed), 4),
        "direction_that_pays": _mean(hits.astype(np.float64), weights),
        "cost_pips": COST_PIPS,
        "expectancy_pips": _mean(pips, weights),
        "expectancy_atr": _mean(pips / atr, weights),
    }


def _results(given: Material) -> tuple[Floats, Floats]:
    """The move from each close to the one at the end of the horizon, and atr_14, both in pips."""
    moves, units = [], []
    for history in given.histories:
        close, pip, ahead = history.candles.close, pip_of(history.pair), given.stage1.horizon
        moves.append(np.concatenate([close[ahead:] - close[:-ahead], np.full(ahead, np.nan)]) / pip)
        unit = np.full(len(close), np.nan)
        unit[14:] = Indicators(history.candles, len(close) - 14).atr() / pip
        units.append(unit)
    return np.concatenate(moves), np.concatenate(units)


def _interval(value: float, draws: Floats) -> list[float]:
    return scores.scored(value, draws).rounded()


def _mean(values: NDArray[np.floating[Any]], weights: NDArray[np.float64]) -> list[float]:
    """The mean with its interval."""
    return _interval(float(values.mean()), weights @ values / weights.sum(axis=1))


def _at_threshold(truth: Truth, probability: Floats, threshold: float, weights: NDArray[np.float64]) -> Numbers:
    at = scores.at_threshold(truth, probability, threshold)
    above, hits = weights @ (probability >= threshold), weights @ ((probability >= threshold) * truth)
    return {
        "threshold": threshold,
        "share_of_bars": round(at.share, 4),
        "precision": _interval(at.precision, hits / above),
        "recall": _interval(at.recall, hits / (weights @ truth)),
        "base_rate": round(at.base_rate, 4),
    }


def all_scores(detector: ScaleFree, without: ScaleFree, given: Material) -> tuple[Numbers, Numbers]:
    """The metrics of both stages. without: trained as v3.2 without the pairs of splits.LEFT_OUT."""
    split = splits.expanding(given.stage1, splits.UNTOUCHED)
    own, left = str(splits.VALIDATION), splits.LEFT_OUT
    year = str(splits.UNTOUCHED)
    first = {
        own: stage1(detector, given, split.validation),
        year: stage1(detector, given, split.test),
        "baselines": baselines(detector, given, split.train, split.test),
        "left_out_pairs": {
            "pairs": list(left),
            "trained_without_them": stage1(without, given, split.test, left)["auc"],
            "trained_with_them": stage1(detector, given, split.test, left)["auc"],
        },
        "signals": {own: signals(detector, given, split.validation), year: signals(detector, given, split.test)},
    }
    second = {own: stage2(detector, given, split.validation), year: stage2(detector, given, split.test)}
    return first, second


def ranges(panel: Panel, values: NDArray[np.floating[Any]], rows: Rows, window: int) -> dict[str, list[float]]:
    """By feature, the smallest and the largest value in the windows that end at `rows`."""
    inside = np.unique(rows[:, None] + np.arange(-window + 1, 1))
    lows, highs = values[inside].min(axis=0), values[inside].max(axis=0)
    return {
        name: [round(float(low), 6), round(float(high), 6)]
        for name, low, high in zip(panel.names, lows, highs, strict=True)
    }
