"""From probabilities to a signal: the product's rule, as one pure function."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from core.bundles.manifest import Direction

Signal: TypeAlias = Literal["hold", "long", "short"]

# Exactly 0.5 is the other class, as `output > 0.5` was in training.
_POSITIVE_ABOVE = 0.5
_OPPOSITE: dict[Direction, Direction] = {"long": "short", "short": "long"}


class Decision(NamedTuple):
    """What the product answers. `stage2_prob` is the probability of `direction`; both are null on hold."""

    signal: Signal
    confidence: float
    stage1_prob: float
    stage2_prob: float | None
    reversal_detected: bool
    direction: Direction | None


def gate_opens(p1: float, threshold: float) -> bool:
    """Whether Stage 1 sees a reversal. Compared as float32, as the model computes; equal passes."""
    return p1 >= _least(threshold)


@lru_cache(maxsize=256)
def _least(threshold: float) -> float:
    """The smallest float64 that is not below the threshold once both are rounded to float32."""
    at = np.float32(threshold)
    # Halfway to the float32 below, rounding begins to lead to this one, or just behind that: ties go to even.
    halfway = (float(at) + float(np.nextafter(at, np.float32(-1.0)))) / 2.0
    return halfway if np.float32(halfway) >= at else math.nextafter(halfway, math.inf)


def after_stage1(p1: float, threshold: float, positive: Direction | None) -> Decision | None:
    """The decision where Stage 1's output `p1`, 0 to 1, is enough for it; null where Stage 2 tells the direction.

    `positive` is the direction that p2 = 1 means, null where the version has no Stage 2.
    """
    if not gate_opens(p1, threshold):
        return Decision("hold", 1.0 - p1, p1, None, False, None)
    if positive is None:
        return Decision("hold", p1, p1, None, True, None)
    return None


def after_stage2(p1: float, p2: float, positive: Direction, weights: tuple[float, float]) -> Decision:
    """The decision behind an open gate, on Stage 2's output `p2`, 0 to 1.

    The confidence is weights[0] * p1 + weights[1] * P(direction).
    """
    direction, probability = (positive, p2) if p2 > _POSITIVE_ABOVE else (_OPPOSITE[positive], 1.0 - p2)
    confidence = weights[0] * p1 + weights[1] * probability
    return Decision(direction, confidence, p1, probability, True, direction)


def decide(
    p1: float,
    p2: float | None,
    *,
    threshold: float,
    positive: Direction | None,
    weights: tuple[float, float] = (0.5, 0.5),
) -> Decision:
    """Decide on both outputs at once, as `after_stage1` and `after_stage2` do one after the other.

    `p2` is looked at only where the gate opens and the version has a Stage 2. Raises ValueError where it is null there.
    """
    decision = after_stage1(p1, threshold, positive)
    if decision is not None:
        return decision
    if p2 is None or positive is None:
        raise ValueError("the gate is open: Stage 2's output is needed")
    return after_stage2(p1, p2, positive, weights)
