"""How good the answers of a binary classifier are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score


def scores(probability: NDArray[np.float32], positive: NDArray[np.bool_], truth: NDArray[np.float32]) -> dict[str, Any]:
    """Scores of shape-(n,) answers: `positive` are those beyond the threshold, `truth` is 0 or 1.

    Precision and F1 are 0 where nothing was answered positive, as scikit-learn has it. `baseline_accuracy` is that of
    always answering the larger class. Both classes must be there, because recall and AUC are undefined otherwise.
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


def _six(value: float) -> float:
    """Six digits: what lies beyond differs between processors."""
    return round(float(value), 6)
