"""Scores of a binary classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from core.features.candles import Floats


def scores(probability: NDArray[np.float32], positive: NDArray[np.bool_], truth: NDArray[np.float32]) -> dict[str, Any]:
    """Scores of shape-(n,) answers: `positive` are those beyond the threshold, `truth` is 0 or 1.

    Precision and F1 are 0 if no answer is positive, as in scikit-learn. `baseline_accuracy` is the accuracy of always
    answering the larger class. Both classes must occur, because recall and AUC are undefined otherwise.
    """
    actual = truth == 1.0
    hits, false_alarms, reversals = int((positive & actual).sum()), int((positive & ~actual).sum()), int(actual.sum())
    share = reversals / len(truth)
    return {
        "recall": _six(hits / reversals),
        "precision": _six(hits / max(hits + false_alarms, 1)),
        "f1": _six(2 * hits / (hits + false_alarms + reversals)),
        "false_positives": false_alarms,
        "detected": f"{hits}/{reversals}",
        "auc": _six(roc_auc_score(truth, probability)),
        "accuracy": _six((positive == actual).mean()),
        "baseline_accuracy": _six(max(share, 1.0 - share)),
        "test_windows": len(truth),
        "test_positives": reversals,
    }


def trend_rule_accuracy(last_close: Floats, last_sma_20: Floats, truth: NDArray[np.float32]) -> float:
    """Share of directions that a fixed rule gets right: short if the close is above its mean, else long.

    At a swing extreme the price is nearly always on the extreme's side of its mean. So a direction network must be
    compared with this rule, not with the larger class.
    """
    return _six(((last_close > last_sma_20) == (truth == 1.0)).mean())


def _six(value: float) -> float:
    """Round to six digits: further digits differ between processors."""
    return round(float(value), 6)
