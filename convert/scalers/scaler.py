"""Fitted scikit-learn scalers as ONNX graphs, which compute in float64 with the same steps as scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import NormalDist
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from convert.errors import Refused
from convert.graph import DOUBLE, FLOAT, GraphBuilder
from convert.untrusted.records import ScalerFile
from convert.untrusted.scalers import rebuilding
from core.bundles.limits import Limits, clipped, of_deviations, of_range

INPUT, OUTPUT = "raw", "scaled"

Floats: TypeAlias = NDArray[np.float64]
Estimator: TypeAlias = Any  # of scikit-learn, which has no types


class Step(NamedTuple):
    """One operation on all features. values: its constants, each (features,); those of Clip are ()."""

    op: str
    values: tuple[Floats, ...]


class Scaler:
    """A fitted scaler, or a Pipeline of them. Errors name its file."""

    def __init__(self, file: ScalerFile) -> None:
        estimator, self.notes = rebuilding.rebuilt(file)
        self._place = file.name
        self._parts = list(_parts(estimator))

    def check_features(self, features: tuple[str, ...], column_names: tuple[str, ...] | None = None) -> None:
        """Raise Refused if the scaler was fitted on another number of features, or on features with other names.

        column_names: the user's names of the features, if the feature list maps them.
        """
        columns = features if column_names is None else column_names
        for part in self._parts:
            with self._refusing_damage():
                fitted = int(getattr(part, "n_features_in_", len(columns)))
                names = [str(name) for name in getattr(part, "feature_names_in_", columns)]
            if fitted != len(columns):
                raise Refused.at(self._place, f"fitted on {fitted} features, the stage has {len(columns)}")
            if names != list(columns):
                raise Refused.at(self._place, f"fitted on the features {names}, the stage has {list(columns)}")

    def steps(self, features: int) -> list[Step]:
        """The operations of scikit-learn on a row, in its order. Raises Refused for constants that no fit produces."""
        with self._refusing_damage():
            steps = [step for part in self._parts for step in _STEPS[type(part).__name__](part)]
        for op, values in steps:
            for value in values:
                fits = value.shape in ((), (features,)) and np.isfinite(value).all() and (op != "Div" or value.all())
                if not fits:
                    message = f"{op} {value.tolist()} is not the result of a fit on {features} features"
                    raise Refused.at(self._place, message)
        return steps

    def transform(self, rows: Floats) -> Floats:
        """The result of scikit-learn's transform, float64 (rows, features)."""
        rows = rows.copy()  # scalers with copy=False work in place
        with warnings.catch_warnings(), self._refusing_damage():
            # The scaler may have been fitted on a DataFrame; check_features has compared the names of the columns.
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            for part in self._parts:
                rows = part.transform(rows)
        return rows

    @contextmanager
    def _refusing_damage(self) -> Iterator[None]:
        """Turn errors of damaged attributes into Refused: numbers and texts in the file need not come from a fit."""
        try:
            yield
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise Refused.at(self._place, f"not fitted, or damaged: {' '.join(str(error).split())}") from None

    def centre_and_scale(self, features: int) -> tuple[Floats, Floats]:
        """The raw values that are scaled to 0, and the raw differences that are scaled to 1: each (features,)."""
        factor, term = np.ones(features), np.zeros(features)
        for op, values in self.steps(features):
            if op in {"Sub", "Add"}:
                term = term + (values[0] if op == "Add" else -values[0])
            elif op in {"Mul", "Div"}:
                by = values[0] if op == "Mul" else 1.0 / values[0]
                factor, term = factor * by, term * by
        return -term / factor, np.abs(1.0 / factor)

    def limits(self, features: int, training: Limits | None) -> Limits | None:
        """Limits of the scaled values: those of training if known, else those that follow from the last scaler."""
        if not self._parts:
            return training
        last = self._parts[-1]
        with self._refusing_damage():
            found = _LIMITS[type(last).__name__](last, features) if training is None else training
            # MaxAbsScaler does not record which of its features had only one value.
            if found is not None and isinstance(last, MinMaxScaler) and last.clip:
                low, high = map(float, last.feature_range)
                found = clipped(found, low, high, (last.data_range_ == 0.0).tolist())
        return found

    def build(self, window: tuple[int, int]) -> onnx.ModelProto:
        """The graph from float64 (batch, steps, features) to float32 of the same shape.

        The cast comes last, because large volumes would lose digits before scaling.
        """
        graph = GraphBuilder()
        x = INPUT
        for i, (op, values) in enumerate(self.steps(window[1])):
            constants = [graph.constant(f"{i}/{op}/{j}", value) for j, value in enumerate(values)]
            x = graph.value(op, str(i), x, *constants)
        x = graph.value("Cast", "output", x, to=FLOAT)
        return graph.finish((INPUT, DOUBLE, window), (OUTPUT, FLOAT, window), x)


def _parts(estimator: Estimator) -> Iterator[Estimator]:
    """The scalers in the order in which they run."""
    if type(estimator) is not Pipeline:
        yield estimator
        return
    for _, step in estimator.steps:
        if step is not None and step != "passthrough":
            yield from _parts(step)


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
