"""The simpler detectors beside every score: what a network must beat on the same features and bars."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lab import trees
from lab.panel import Fit
from lab.trees import TreeSettings

RULE, LOGISTIC, LAST, WHOLE = "best rule", "logistic", "boosting, last bar", "boosting, window"


def of(window: int) -> dict[str, Fit]:
    """The baselines by name. The last one sees the whole window, a column for each bar and feature."""
    return {
        RULE: trees.fit_rule,
        LOGISTIC: trees.fit_logistic,
        LAST: lambda panel, rows, truth: trees.fit(panel, rows, truth, TreeSettings()),
        WHOLE: lambda panel, rows, truth: trees.fit(
            panel, rows, truth, TreeSettings(window=window, feature_fraction=0.15)
        ),
    }


def majority(truth: NDArray[np.float32]) -> float:
    """The accuracy of always giving the more frequent answer. Its AUC is 0.5."""
    share = float(truth.mean())
    return max(share, 1.0 - share)
