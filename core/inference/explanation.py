"""Shapley values: how much each feature moved an answer away from the answer for reference windows.

A feature is its whole column of the window. In a coalition, the features that are in it have the window's columns, and
the others have those of a reference window. A feature's value is the mean, over all orders in which features can join,
of the change in the answer when it joins: L. S. Shapley, "A value for n-person games", 1953; for models and reference
windows S. M. Lundberg and S.-I. Lee, "A unified approach to interpreting model predictions", 2017.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

# Windows in, (windows, steps, features) of float32; answers out, (windows, answers) of float64.
Model: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float64]]

# Up to here all coalitions are asked: 16,384 for each reference window. Beyond, orders are drawn.
EXACT_FEATURES = 14
# The coalitions that are asked about all reference windows together, if orders are drawn.
SAMPLED_COALITIONS = 1 << EXACT_FEATURES
# The fewest orders for each reference window: fewer have no standard error.
LEAST_PAIRS = 2
# Coalitions of one run, which takes less than a millisecond for the reference detectors: predictions may have to wait
# for its end. Larger runs take no less time for each window; LSTMs take a third more of it from 512 on.
AT_ONCE = 48
# Equal requests must have equal answers, so orders are always the same ones.
_SEED = 1


class Shapley(NamedTuple):
    """The values of a model's answers.

    base: the mean answer for the reference windows, (answers,). value: the answer for the window, (answers,).
    features: (answers, features); they sum to value - base. errors: the standard error of each, or None if the values
    are exact.
    """

    base: NDArray[np.float64]
    value: NDArray[np.float64]
    features: NDArray[np.float64]
    errors: NDArray[np.float64] | None


def shapley(
    model: Model,
    window: NDArray[np.float32],
    references: NDArray[np.float32],
    between: Callable[[], None] = lambda: None,
) -> Shapley:
    """The Shapley values of the answer for `window`, (steps, features).

    references: (windows, steps, features). between: called after each run of the model; what it raises ends the work.
    """
    value = model(window[None])[0]  # alone, as a prediction is, because the last bit can depend on the batch
    base = np.mean([model(reference[None])[0] for reference in references], axis=0)
    ask = _Asked(model, window, between)
    if window.shape[1] <= EXACT_FEATURES:
        return Shapley(base, value, _exact(ask, references, base, value), None)
    return _sampled(ask, references, base, value)


class _Asked(NamedTuple):
    model: Model
    window: NDArray[np.float32]
    between: Callable[[], None]

    def answers(self, coalitions: NDArray[np.bool_], reference: NDArray[np.float32]) -> NDArray[np.float64]:
        """The answer for each coalition, (coalitions, features) to (coalitions, answers)."""
        found = []
        for start in range(0, len(coalitions), AT_ONCE):
            some = coalitions[start : start + AT_ONCE, None, :]
            found.append(self.model(np.where(some, self.window, reference)))
            self.between()
        return np.concatenate(found)


def _exact(
    ask: _Asked, references: NDArray[np.float32], base: NDArray[np.float64], value: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The values by their definition. Bit i of a coalition's index says whether feature i is in it."""
    count = ask.window.shape[1]
    indices = np.arange(1 << count)
    coalitions = (indices[:, None] >> np.arange(count)) & 1 == 1
    answers = np.zeros((len(indices), len(base)))
    for reference in references:
        answers[1:-1] += ask.answers(coalitions[1:-1], reference) / len(references) if count > 1 else 0.0
    answers[0], answers[-1] = base, value
    sizes = coalitions.sum(axis=1)
    # The share of all orders in which exactly these features come before a given other one, by their number.
    shares = np.array([1.0 / (count * math.comb(count - 1, size)) for size in range(count)])
    found = []
    for i in range(count):
        without = indices[~coalitions[:, i]]
        found.append(shares[sizes[without]] @ (answers[without | (1 << i)] - answers[without]))
    return np.stack(found, axis=1)


def _sampled(
    ask: _Asked, references: NDArray[np.float32], base: NDArray[np.float64], value: NDArray[np.float64]
) -> Shapley:
    """The mean over drawn orders, each with its reverse, which cancels much of the error; with its standard error.

    Each reference window has the same number of pairs, so the values sum exactly as the exact ones do.
    """
    count = ask.window.shape[1]
    pairs = max(LEAST_PAIRS, SAMPLED_COALITIONS // (2 * (count - 1) * len(references)))
    draw = np.random.default_rng(_SEED)
    means, variances = [], []
    for reference in references:
        first = ask.model(reference[None])[0]
        some = np.stack([_pair(ask, reference, draw.permutation(count), (first, value)) for _ in range(pairs)])
        means.append(some.mean(axis=0))
        variances.append(some.var(axis=0, ddof=1) / pairs)
    errors = np.sqrt(np.sum(variances, axis=0)) / len(references)
    return Shapley(base, value, np.mean(means, axis=0).T, errors.T)


def _pair(
    ask: _Asked,
    reference: NDArray[np.float32],
    places: NDArray[np.intp],
    ends: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """The changes, (features, answers), when features join in the order of their `places`, and in its reverse.

    ends: the answers for the reference window and for the window.
    """
    count = len(places)
    both: Sequence[NDArray[np.intp]] = (places, count - 1 - places)
    sizes = np.arange(1, count)[:, None]
    answers = ask.answers(np.concatenate([each < sizes for each in both]), reference)
    changes = []
    for each, middle in zip(both, np.split(answers, 2), strict=True):
        changes.append(np.diff(np.concatenate([ends[:1], middle, ends[1:]]), axis=0)[each])
    mean: NDArray[np.float64] = np.mean(changes, axis=0)
    return mean
