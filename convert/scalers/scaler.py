"""Fitted scikit-learn scalers as ONNX graphs, which compute in float64 as scikit-learn does."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import numpy as np
import onnx
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from convert.errors import Refused
from convert.graph import DOUBLE, FLOAT, GraphBuilder
from convert.scalers.affine import Affine, composed
from convert.scalers.names import check_names
from convert.scalers.part import Estimator, Floats, Spread
from convert.scalers.structure import ENDS, Chain, part
from convert.untrusted.records import ScalerFile
from convert.untrusted.scalers import rebuilding
from core.bundles.limits import Limits

INPUT, OUTPUT = "raw", "scaled"
_WAYS = {"own graph": "a graph of our own", "skl2onnx": "skl2onnx"}


class Scaler:
    """A fitted scaler, a Pipeline or a ColumnTransformer. Errors name its file."""

    def __init__(self, file: ScalerFile) -> None:
        estimator, self.notes = rebuilding.rebuilt(file)
        self._place = file.name
        self._estimators = list(_flat(estimator))
        self._parts: dict[int, Chain] = {}

    def check_features(self, features: tuple[str, ...], column_names: tuple[str, ...] | None = None) -> None:
        """Raise Refused if the scaler was fitted on another number of features, or on features with other names.

        column_names: the user's names of the features, if the feature list maps them.
        """
        columns = column_names or features
        with self._placing():
            for estimator in self._estimators:
                fitted = int(getattr(estimator, "n_features_in_", len(columns)))
                names = [str(name) for name in getattr(estimator, "feature_names_in_", columns)]
                if not fitted == len(names) == len(columns):
                    raise Refused(f"fitted on {fitted} features, the stage has {len(columns)}")
                check_names(names, columns)
                if isinstance(estimator, ColumnTransformer):
                    break  # behind it, the columns have another order and other names

    def part(self, features: int) -> Chain:
        """What the scaler does to a row. Raises Refused for what is not converted, and constants that no fit gives."""
        if features not in self._parts:
            with self._placing():
                found = Chain([part(estimator, features) for estimator in self._estimators], features)
            self._parts[features] = found
            # The table is the usual way, so only the others are worth a note.
            ways = sorted(_WAYS[way] for way in found.ways & _WAYS.keys())
            if ways:
                self.notes.append(f"{self._place} was converted by {' and '.join(ways)}")
        return self._parts[features]

    def transform(self, rows: Floats) -> Floats:
        """The result of scikit-learn's transform, float64 (rows, features)."""
        rows = rows.copy()  # scalers with copy=False work in place
        with self._placing(), _arrays(), np.errstate(over="ignore"):
            for estimator in self._estimators:
                rows = estimator.transform(rows)
        return rows

    @contextmanager
    def _placing(self) -> Iterator[None]:
        """Name the file in errors, also of damaged attributes: numbers and texts in it need not come from a fit."""
        try:
            yield
        except Refused as error:
            raise Refused.at(self._place, error) from None
        except AttributeError as error:
            if isinstance(error.obj, BaseEstimator):
                missing = f"the {type(error.obj).__name__} has no {error.name}; save it after its fit"
                raise Refused.at(self._place, f"not fitted, or damaged: {missing}") from None
            raise Refused.at(self._place, f"not fitted, or damaged: {' '.join(str(error).split())}") from None
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise Refused.at(self._place, f"not fitted, or damaged: {' '.join(str(error).split())}") from None

    def centre_and_scale(self, features: int) -> tuple[Floats, Floats]:
        """Raw values in the middle of the fitted ones, and raw differences that are usual there: each (features,).

        Of a scaler of the table, the values that are scaled to 0 and the differences that are scaled to 1.
        """
        found = self.part(features)
        affine = [each for each in found.leaves() if isinstance(each, Affine)]
        if found.ways <= {"table"}:
            factor, term = composed([step for each in affine for step in each.steps], features)
            return -term / factor, np.abs(1.0 / factor)
        return found.origin(Spread(np.zeros(features), np.ones(features)))

    def taken(self, raw: Floats) -> Floats:
        """Raw values (…, features), with the centre in place of values that scikit-learn refuses (docs/scalers.md)."""
        found = self.part(raw.shape[-1])
        if found.ways <= {"table"}:
            return raw
        with self._placing(), _arrays(), np.errstate(all="ignore"):
            valid = found.valid(raw.reshape(-1, raw.shape[-1])).reshape(raw.shape)
        return np.where(valid, raw, self.centre_and_scale(raw.shape[-1])[0])

    def order(self, features: int) -> list[int]:
        """The place among the raw features of each scaled one: a ColumnTransformer can change the order."""
        return self.part(features).order()

    def limits(self, features: int, training: Limits | None) -> Limits | None:
        """Limits of the scaled values: those of training if known, else those that follow from the last scaler.

        training: in the order of the features. The result is in the order of the scaled values.
        """
        found = self.part(features)
        if training is not None:
            order = found.order()
            ends = {name: getattr(training, name) for name in ENDS}
            moved = {n: None if values is None else tuple(values[i] for i in order) for n, values in ends.items()}
            training = msgspec.structs.replace(training, **moved)
        with self._placing():
            return found.limits(training)

    def build(self, window: tuple[int, int]) -> onnx.ModelProto:
        """The graph from float64 (batch, steps, features) to float32 of the same shape.

        The cast comes last, because large volumes would lose digits before scaling.
        """
        graph, scopes = GraphBuilder(), map(str, itertools.count())
        found = self.part(window[1])
        with self._placing():
            x = found.write(graph, scopes, INPUT)
        x = graph.value("Cast", "output", x, to=FLOAT)
        return graph.finish((INPUT, DOUBLE, window), (OUTPUT, FLOAT, window), x)


@contextmanager
def _arrays() -> Iterator[None]:
    """Let scalers that were fitted on a DataFrame take arrays; check_features has compared the names of the columns."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        yield


def _flat(estimator: Estimator) -> Iterator[Estimator]:
    """The scalers in the order in which they run."""
    if type(estimator) is not Pipeline:
        yield estimator
        return
    for _, step in estimator.steps:
        if step == "drop":
            raise Refused("a Pipeline with a step that drops everything")
        if step is not None and step != "passthrough":
            yield from _flat(step)
