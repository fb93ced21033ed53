"""From scores to probabilities that mean what they say, and the threshold for a stated aim."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.features.candles import Floats

_EDGE = 1e-7


def logits(probability: Floats) -> Floats:
    """The logits of probabilities; those beyond float32's reach of 0 and 1 are moved inside."""
    inside = np.clip(probability.astype(np.float64), _EDGE, 1.0 - _EDGE)
    found: Floats = np.log(inside / (1.0 - inside))
    return found


def sigmoid(logit: Floats) -> Floats:
    """The probabilities of logits."""
    found: Floats = 1.0 / (1.0 + np.exp(-logit))
    return found


def temperature(logit: Floats, truth: NDArray[np.float32]) -> float:
    """The T with the smallest cross-entropy of sigmoid(logit / T); Guo et al. 2017. Found by golden-section search."""

    def loss(inverse: float) -> float:
        scaled = logit * inverse
        return float(np.mean(np.logaddexp(0.0, scaled) - truth * scaled))

    # The loss is convex in 1 / T.
    low, high, ratio = 0.05, 20.0, (5.0**0.5 - 1.0) / 2.0
    a, b = high - ratio * (high - low), low + ratio * (high - low)
    while high - low > 1e-6:  # noqa: PLR2004 - digits that no score shows
        if loss(a) < loss(b):
            high, b, a = b, a, b - ratio * (b - low)
        else:
            low, a, b = a, b, a + ratio * (high - a)
    return 2.0 / (low + high)


def threshold_for_precision(probability: Floats, truth: NDArray[np.float32], precision: float) -> float:
    """The lowest threshold from which on all answers together are right so often; with four digits, to be read.

    Raises ValueError if no threshold reaches the precision on at least one answer in a hundred: fewer say little.
    """
    order = np.argsort(-probability, kind="stable")
    found = np.cumsum(truth[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(found >= precision)
    enough = enough[enough >= len(order) // 100]
    if not len(enough):
        raise ValueError(f"no threshold has a precision of {precision} on this part")
    return round(float(probability[order[enough[-1]]]), 4)
