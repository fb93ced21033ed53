"""From probabilities to a signal: the rule of the product, as pure functions."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal, TypeAlias

import msgspec
import numpy as np

from core.bundles.manifest import Direction

Signal: TypeAlias = Literal["hold", "long", "short"]

# Exactly 0.5 is the opposite direction, because training used `output > 0.5`.
_POSITIVE_ABOVE = 0.5
_OPPOSITE: dict[Direction, Direction] = {"long": "short", "short": "long"}


class Decision(msgspec.Struct, frozen=True, gc=False):
    """A signal and its reasons. `stage2_prob` is the probability of `direction`; both are null on hold."""

    signal: Signal
    confidence: float
    stage1_prob: float
    stage2_prob: float | None
    reversal_detected: bool
    direction: Direction | None


def gate_opens(p1: float, threshold: float) -> bool:
    """Whether Stage 1 detects a reversal: p1 >= threshold. Both are compared as float32, as the model computes."""
    return p1 >= _least(threshold)


@lru_cache(maxsize=256)
def _least(threshold: float) -> float:
    """The smallest float64 that is not below the threshold after both are rounded to float32."""
    at = np.float32(threshold)
    # Numbers above the midpoint to the next lower float32 round to `at`. The midpoint itself rounds to the even one.
    halfway = (float(at) + float(np.nextafter(at, np.float32(-1.0)))) / 2.0
    return halfway if np.float32(halfway) >= at else math.nextafter(halfway, math.inf)


def after_stage1(p1: float, threshold: float, positive: Direction | None) -> Decision | None:
    """Decide on Stage 1's output `p1`, 0 to 1. Returns None if Stage 2 is needed for the direction.

    `positive` is the direction that p2 = 1 means; None if the version has no Stage 2.
    """
    if not gate_opens(p1, threshold):
        return Decision("hold", 1.0 - p1, p1, None, False, None)
    if positive is None:
        return Decision("hold", p1, p1, None, True, None)
    return None


def after_stage2(p1: float, p2: float, positive: Direction, weights: tuple[float, float]) -> Decision:
    """Decide on Stage 2's output `p2`, 0 to 1, after the gate has opened.

    The confidence is weights[0] * p1 + weights[1] * P(direction).
    """
    direction, probability = (positive, p2) if p2 > _POSITIVE_ABOVE else (_OPPOSITE[positive], 1.0 - p2)
    confidence = weights[0] * p1 + weights[1] * probability
    return Decision(direction, confidence, p1, probability, True, direction)


def of_classes(hold: float, first: float, second: float) -> tuple[float, float]:
    """Turn the probabilities of classes into p1 and p2, as two stages would have answered.

    first, second: of the directions, in the order in which the version names them. p1 = 1 - P(hold). p2 is the share of
    `second` in both directions, so it is exactly 0.5 for equal probabilities: the direction is then the one named
    first, as in NumPy's argmax. If both are 0, p2 is 0.5 too.
    """
    both = first + second
    return 1.0 - hold, second / both if both > 0.0 else _POSITIVE_ABOVE


def decide(
    p1: float,
    p2: float | None,
    *,
    threshold: float,
    positive: Direction | None,
    weights: tuple[float, float] = (0.5, 0.5),
) -> Decision:
    """Decide on both outputs at once: `after_stage1`, then `after_stage2`.

    `p2` is used only if the gate opens and the version has a Stage 2. Raises ValueError if it is None then.
    """
    decision = after_stage1(p1, threshold, positive)
    if decision is not None:
        return decision
    if p2 is None or positive is None:
        raise ValueError("p2: missing, the gate is open and Stage 2's output is needed")
    return after_stage2(p1, p2, positive, weights)
