"""The table of scalers that subtract, divide, multiply, add and clip."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from convert.errors import Refused
from convert.graph import GraphBuilder
from convert.scalers.part import Estimator, Floats, Part, Spread
from core.bundles.limits import Limits, clipped, of_deviations, of_range


class Step(NamedTuple):
    """One operation on all features. values: its constants, each (features,); those of Clip are ()."""

    op: str
    values: tuple[Floats, ...]


class Affine(Part):
    """A scaler of the table, as the same steps that scikit-learn takes. Raises Refused for impossible constants."""

    ways = frozenset({"table"})

    def __init__(self, estimator: Estimator, width: int) -> None:
        super().__init__(width)
        self._estimator = estimator
        self.steps = _STEPS[type(estimator).__name__](estimator)
        for op, values in self.steps:
            for value in values:
                _check(op, value, width)

    def write(self, graph: GraphBuilder, scopes: Iterator[str], x: str) -> str:
        """See Part."""
        for op, values in self.steps:
            scope = next(scopes)
            x = graph.value(op, scope, x, *(graph.constant(f"{scope}/{op}/{j}", v) for j, v in enumerate(values)))
        return x

    def origin(self, spread: Spread) -> Spread:
        """See Part."""
        factor, term = composed(self.steps, self.width)
        return Spread((spread.centre - term) / factor, np.abs(spread.scale / factor))

    def limits(self, training: Limits | None) -> Limits | None:
        """See Part."""
        name, scaler = type(self._estimator).__name__, self._estimator
        found = _LIMITS[name](scaler, self.width) if training is None else training
        # MaxAbsScaler does not record which of its features had only one value.
        if found is not None and name == "MinMaxScaler" and scaler.clip:
            low, high = map(float, scaler.feature_range)
            found = clipped(found, low, high, (scaler.data_range_ == 0.0).tolist())
        return found

    def transform(self, rows: Floats) -> Floats:
        """See Part."""
        found: Floats = self._estimator.transform(rows)
        return found


def composed(steps: Sequence[Step], width: int) -> tuple[Floats, Floats]:
    """The factor and the term that the steps amount to, clipping left aside: each (width,)."""
    factor, term = np.ones(width), np.zeros(width)
    for op, values in steps:
        if op in {"Sub", "Add"}:
            term = term + (values[0] if op == "Add" else -values[0])
        elif op in {"Mul", "Div"}:
            by = values[0] if op == "Mul" else 1.0 / values[0]
            factor, term = factor * by, term * by
    return factor, term


def _check(op: str, value: Floats, width: int) -> None:
    if value.shape not in ((), (width,)):
        raise Refused(f"{op} with values of shape {value.shape} is not the result of a fit on {width} features")
    wrong = ~np.isfinite(value) | ((op == "Div") & (value == 0.0))
    for at in np.flatnonzero(wrong)[:1]:
        raise Refused(
            f"{op} by {np.ravel(value)[at]:g} at feature {at} is not the result of a fit on {width} features "
            "with finite values"
        )


def _step(op: str, *values: Estimator) -> Iterator[Step]:
    """One step, or none if the scaler was configured without it."""
    if all(value is not None for value in values):
        yield Step(op, tuple(np.asarray(value, dtype=np.float64) for value in values))


def _standard(s: Estimator) -> list[Step]:
    return [*_step("Sub", s.mean_ if s.with_mean else None), *_step("Div", s.scale_ if s.with_std else None)]


def _robust(s: Estimator) -> list[Step]:
    return [*_step("Sub", s.center_ if s.with_centering else None), *_step("Div", s.scale_ if s.with_scaling else None)]


def _min_max(s: Estimator) -> list[Step]:
    return [*_step("Mul", s.scale_), *_step("Add", s.min_), *(_step("Clip", *s.feature_range) if s.clip else ())]


def _max_abs(s: Estimator) -> list[Step]:
    return [*_step("Div", s.scale_), *(_step("Clip", -1.0, 1.0) if s.clip else ())]


_STEPS: dict[str, Callable[[Estimator], list[Step]]] = {
    "StandardScaler": _standard,
    "MinMaxScaler": _min_max,
    "MaxAbsScaler": _max_abs,
    "RobustScaler": _robust,
}
NAMES = frozenset(_STEPS)


def _standard_limits(s: Estimator, features: int) -> Limits | None:
    if not s.with_std:  # without it, the spread of the values is unknown
        return None
    centres = np.zeros(features) if s.with_mean or s.mean_ is None else s.mean_ / s.scale_
    return of_deviations(centres.tolist())


def _robust_limits(s: Estimator, features: int) -> Limits | None:
    if not s.with_centering or not s.with_scaling:
        return None
    low, high = (NormalDist().inv_cdf(percent / 100.0) for percent in s.quantile_range)
    # The scaler divides by the distance of two quantiles; unit_variance rescales it to a standard deviation.
    return of_deviations((0.0,) * features, 1.0 if s.unit_variance else 1.0 / (high - low))


_LIMITS: dict[str, Callable[[Estimator, int], Limits | None]] = {
    "StandardScaler": _standard_limits,
    "MinMaxScaler": lambda s, features: of_range(features, *map(float, s.feature_range)),
    "MaxAbsScaler": lambda _, features: of_range(features, -1.0, 1.0),
    "RobustScaler": _robust_limits,
}
