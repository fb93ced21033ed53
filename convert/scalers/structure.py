"""Pipelines and ColumnTransformers, and the choice of a way for each estimator in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from convert.errors import Refused
from convert.graph import GraphBuilder
from convert.scalers import affine, by_skl2onnx
from convert.scalers.affine import Affine
from convert.scalers.normalizer import Rows
from convert.scalers.other import Converted, Imputer
from convert.scalers.part import Estimator, Floats, Part, Spread, Way
from convert.scalers.power import Power
from convert.scalers.quantiles import Quantiles
from core.bundles.limits import LARGEST, Limits


def part(estimator: Estimator, width: int) -> Part:
    """The part for an estimator, a Pipeline, or what stands for no estimator. Raises Refused."""
    name = type(estimator).__name__
    if estimator is None or isinstance(estimator, str) or name == "FunctionTransformer":
        return Part(width)
    fitted = int(getattr(estimator, "n_features_in_", width)) if name != "Pipeline" else width
    if fitted != width:
        raise Refused(f"{name}: fitted on {fitted} features, but gets {width}")
    if isinstance(estimator, Pipeline):
        return Chain([part(step, width) for _, step in estimator.steps], width)
    if isinstance(estimator, ColumnTransformer):
        return Columns(estimator, width)
    if name in affine.NAMES:
        return Affine(estimator, width)
    if name == "PowerTransformer":
        power: Part = Power(estimator, width)
        return Chain([power, Affine(estimator._scaler, width)], width) if estimator.standardize else power  # noqa: SLF001
    own = {"QuantileTransformer": Quantiles, "SimpleImputer": Imputer, "Normalizer": Rows}.get(name)
    return Converted(estimator, width) if own is None else own(estimator, width)


class Chain(Part):
    """Parts, one behind another."""

    def __init__(self, parts: Sequence[Part], width: int) -> None:
        super().__init__(width)
        self.parts = list(parts)
        self.ways = _ways(self.parts)

    def leaves(self) -> Iterator[Part]:
        """The parts in the order in which they run, with those of chains in it."""
        for each in self.parts:
            yield from each.leaves() if isinstance(each, Chain) else (each,)

    def write(self, graph: GraphBuilder, scopes: Iterator[str], x: str) -> str:
        """See Part."""
        return reduce(lambda value, each: each.write(graph, scopes, value), self.parts, x)

    def origin(self, spread: Spread) -> Spread:
        """See Part."""
        return reduce(lambda value, each: each.origin(value), reversed(self.parts), spread)

    def limits(self, training: Limits | None) -> Limits | None:
        """See Part."""
        changing = [each for each in self.parts if each.changes]
        return changing[-1].limits(training) if changing else training

    def order(self) -> list[int]:
        """See Part."""
        return reduce(lambda found, each: [found[i] for i in each.order()], self.parts, list(range(self.width)))

    @property
    def changes(self) -> bool:
        """See Part."""
        return any(each.changes for each in self.parts)

    def valid(self, rows: Floats) -> NDArray[np.bool_]:
        """See Part."""
        found, order = np.ones(rows.shape, np.bool_), np.arange(self.width)
        for each in self.parts:
            valid = each.valid(rows)
            for column, source in enumerate(order):
                found[:, source] &= valid[:, column]
            rows, order = each.transform(np.where(valid, rows, 1.0)), order[each.order()]
        return found

    def transform(self, rows: Floats) -> Floats:
        """See Part."""
        return reduce(lambda value, each: each.transform(value), self.parts, rows)


class Columns(Part):
    """A ColumnTransformer: each part gets its columns, and the results stand side by side in the order of the parts."""

    def __init__(self, estimator: Estimator, width: int) -> None:
        super().__init__(width)
        self._estimator = estimator
        kept = [
            (fitted, list(columns))
            for _, fitted, columns in estimator.transformers_
            if not (isinstance(fitted, str) and fitted == "drop") and list(columns)
        ]
        self.parts = [(part(fitted, len(columns)), columns) for fitted, columns in kept]
        outputs = [column for _, columns in self.parts for column in columns]
        if sorted(outputs) != list(range(width)):
            raise Refused(
                f"ColumnTransformer makes {len(outputs)} columns of {len(set(outputs))} of its {width}; fit it on just "
                "the columns that it keeps, each once, and name only these in the feature list"
            )
        self._converted = by_skl2onnx.converts(estimator, width)
        inner = _ways([each for each, _ in self.parts])
        self.ways = frozenset({"skl2onnx"}) if self._converted else inner | {"own graph"}

    def write(self, graph: GraphBuilder, scopes: Iterator[str], x: str) -> str:
        """See Part."""
        if self._converted:
            return by_skl2onnx.write(self._estimator, self.width, graph, next(scopes), x)
        scope = next(scopes)
        results = []
        for i, (each, columns) in enumerate(self.parts):
            chosen = graph.constant(f"{scope}/columns{i}", np.asarray(columns))
            results.append(each.write(graph, scopes, graph.value("Gather", scope, x, chosen, axis=-1)))
        return graph.value("Concat", scope, *results, axis=-1)

    def origin(self, spread: Spread) -> Spread:
        """See Part."""
        centre, scale, start = np.zeros(self.width), np.ones(self.width), 0
        for each, columns in self.parts:
            end = start + len(columns)
            centre[columns], scale[columns] = each.origin(Spread(spread.centre[start:end], spread.scale[start:end]))
            start = end
        return Spread(centre, scale)

    def limits(self, training: Limits | None) -> Limits | None:
        """See Part."""
        found, start = [], 0
        for each, columns in self.parts:
            end = start + len(columns)
            inner = None if training is None else _cut(training, start, end)
            found.append((len(columns), each.limits(inner) if each.changes else inner))
            start = end
        return _joined(found)

    def order(self) -> list[int]:
        """See Part."""
        return [columns[i] for each, columns in self.parts for i in each.order()]

    @property
    def changes(self) -> bool:
        """See Part."""
        return True

    def valid(self, rows: Floats) -> NDArray[np.bool_]:
        """See Part."""
        found = np.ones(rows.shape, np.bool_)
        for each, columns in self.parts:
            found[:, columns] &= each.valid(rows[:, columns])
        return found

    def transform(self, rows: Floats) -> Floats:
        """See Part."""
        return np.concatenate([each.transform(rows[:, columns]) for each, columns in self.parts], axis=1)


def _ways(parts: Sequence[Part]) -> frozenset[Way]:
    return frozenset(way for each in parts for way in each.ways)


ENDS = ("low", "high", "mean_low", "mean_high")


def _cut(limits: Limits, start: int, end: int) -> Limits:
    """The limits of some of the columns."""
    ends = {name: getattr(limits, name) for name in ENDS}
    return msgspec.structs.replace(
        limits, **{name: None if values is None else values[start:end] for name, values in ends.items()}
    )


def _joined(parts: Sequence[tuple[int, Limits | None]]) -> Limits | None:
    """The limits of parts side by side; columns without limits get the widest. None if no part has limits."""
    known = [limits for _, limits in parts if limits is not None]
    if not known:
        return None
    means = any(limits.mean_low is not None for limits in known)
    ends: dict[str, tuple[float, ...] | None] = {}
    for name in ENDS:
        widest = -LARGEST if name.endswith("low") else LARGEST
        values: list[float] = []
        for width, limits in parts:
            values += (getattr(limits, name) if limits is not None else None) or (widest,) * width
        ends[name] = tuple(values) if means or not name.startswith("mean") else None
    return msgspec.structs.replace(known[0], **ends)
