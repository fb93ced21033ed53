"""The product's decision on what one stage answers, for the proof that a graph decides as the framework does."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.inference.decision import gate_opens

Floats32: TypeAlias = NDArray[np.float32]
Floats: TypeAlias = NDArray[np.float64]


class Rule(Protocol):
    """The product's decision on one stage's answers."""

    def decision(self, answer: Floats32) -> str:
        """The decision on one answer (n,)."""
        ...

    def distances(self, answers: Floats32) -> Floats:
        """How far each of the answers (batch, n) is from one with another decision, at least, in its largest value."""
        ...


class DecisionRule(NamedTuple):
    """The decision on one probability, and the probability at which the decision changes."""

    decide: Callable[[float], str]
    border: float

    def decision(self, answer: Floats32) -> str:
        """The decision on one answer (1,)."""
        return self.decide(float(answer[0]))

    def distances(self, answers: Floats32) -> Floats:
        """The distance of each of the answers (batch, 1) from the border."""
        return np.abs(answers[:, 0] - np.float64(self.border))


class ClassesRule(NamedTuple):
    """The decision on the probabilities of hold, long and short. classes: their order. threshold: of a reversal."""

    classes: tuple[str, ...]
    threshold: float

    def decision(self, answer: Floats32) -> str:
        """The signal for one answer (3,): hold if 1 - P(hold) is below the threshold, else the likelier direction."""
        hold, long, short = (float(answer[self.classes.index(name)]) for name in ("hold", "long", "short"))
        if not gate_opens(1.0 - hold, self.threshold):
            return "hold"
        return "short" if short > long else "long"

    def distances(self, answers: Floats32) -> Floats:
        """The smaller of the distances from the threshold and, above it, from equal directions."""
        hold, long, short = (
            answers[:, self.classes.index(name)].astype(np.float64) for name in ("hold", "long", "short")
        )
        from_gate = 1.0 - hold - self.threshold
        # Two values move towards each other, each by half of what is between them.
        return np.where(from_gate < 0.0, -from_gate, np.minimum(from_gate, np.abs(long - short) / 2.0))
