"""Rebuild scikit-learn's estimators from records."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import sklearn
from sklearn import impute, preprocessing
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from convert.errors import Refused, line
from convert.untrusted import records
from convert.untrusted.records import ScalerFile
from convert.untrusted.scalers.recording import FITTED

Estimator: TypeAlias = Any  # of scikit-learn, which has no types


def rebuilt(file: ScalerFile) -> tuple[Estimator, list[str]]:
    """Return the scaler, Pipeline or ColumnTransformer, and notes for the user on how it was read. Raises Refused."""
    versions = sorted({*file.versions} - {sklearn.__version__})
    try:
        estimator = _estimator(file.scaler)
    except Refused as error:
        raise Refused.at(file.name, error) from None
    return estimator, [f"{file.name} was written by scikit-learn {version}" for version in versions]


def _estimator(found: records.EstimatorRecord) -> Estimator:
    if isinstance(found, records.PipelineRecord):
        return Pipeline([(_plain(name), _part(step)) for name, step in found.steps])
    if isinstance(found, records.ColumnsRecord):
        return _columns(found)
    scaler = getattr(impute if found.name == "SimpleImputer" else preprocessing, found.name)()
    # Defaults of parameters that the file does not have are the behaviour of older releases.
    for name in FITTED | vars(scaler).keys():
        if name in found.attributes:
            setattr(scaler, name, _value(found.attributes[name]))
    if found.name == "SimpleImputer":  # what releases keep beside the statistics follows from float64
        scaler.indicator_, scaler._fit_dtype, scaler._fill_dtype = None, np.dtype(np.float64), np.dtype(np.float64)  # noqa: SLF001
    return scaler


def _part(part: records.EstimatorRecord | records.Passing) -> Estimator:
    return part if isinstance(part, str) else _estimator(part)


def _columns(found: records.ColumnsRecord) -> Estimator:
    """A ColumnTransformer that is fitted on arrays, with the columns of each part as numbers."""
    width, names = found.width, _value(found.names)
    listed = None if names is None else [str(name) for name in np.ravel(names)]
    parts = [(str(_plain(n)), _part(part), _chosen(chosen, width, listed)) for n, part, chosen in found.parts]
    # scikit-learn fits it itself, with nothing for a part to learn; then the fitted parts take their places.
    places = [(f"{i}", "drop" if part == "drop" else "passthrough", cols) for i, (_, part, cols) in enumerate(parts)]
    estimator = ColumnTransformer(places or [("0", "drop", [0])], remainder="drop").fit(np.zeros((1, width)))
    estimator.transformers_ = [
        (place, part if isinstance(part, str) and part == "drop" else _transformer(part, fitted), columns)
        for (_, part, columns), (place, fitted, _) in zip(parts, estimator.transformers_, strict=False)
    ]
    if listed is not None:
        estimator.feature_names_in_ = np.array(listed, dtype=object)
    return estimator


def _transformer(part: Estimator, passing: Estimator) -> Estimator:
    return passing if isinstance(part, str) else part


def _chosen(found: records.ItemsRecord | records.SliceRecord, width: int, names: list[str] | None) -> list[int]:
    """The numbers of the columns that are meant."""
    if isinstance(found, records.SliceRecord):
        start, stop, step = found.ends
        if isinstance(start, str) or isinstance(stop, str):  # a slice of names has its end too, as in pandas
            first = 0 if start is None else _number(start, width, names)
            last = width - 1 if stop is None else _number(stop, width, names)
            return list(range(first, last + 1))
        ends: Any = [end for end in (start, stop, step) if end is None or type(end) is int]
        if len(ends) != 3 or step == 0:  # noqa: PLR2004
            raise Refused("holds a ColumnTransformer with a slice of columns that is not possible")
        return list(range(width))[slice(*ends)]
    items = [_plain(item) for item in found.items]
    if items and all(isinstance(item, bool | np.bool_) for item in items):
        if len(items) != width:
            raise Refused(f"holds a ColumnTransformer with a mask of {len(items)} columns for {width}")
        return [i for i, item in enumerate(items) if item]
    return [_number(item, width, names) for item in items]


def _number(column: Any, width: int, names: list[str] | None) -> int:  # noqa: ANN401
    if isinstance(column, str):
        if names is None or column not in names:
            known = "no names of columns" if names is None else ", ".join(names)
            raise Refused(line(f"holds a ColumnTransformer of the column {column!r}, but was fitted on {known}", 300))
        return names.index(column)
    if isinstance(column, int | np.integer) and -width <= column < width:
        return int(column) % width
    raise Refused(line(f"holds a ColumnTransformer of the column {column!r}, but was fitted on {width} columns", 300))


def _value(found: records.Value) -> Any:  # noqa: ANN401 - any attribute of a scaler
    if isinstance(found, records.ScalerRecord):
        return _estimator(found)
    if isinstance(found, records.ItemsRecord):
        items = [_plain(each) for each in found.items]
        return items if found.kind == "list" else tuple(items)
    if isinstance(found, records.ObjectsRecord):
        array = np.empty(len(found.items), dtype=object)
        for i, each in enumerate(found.items):
            array[i] = _plain(each)
        return array.reshape(found.shape)[()]
    return _plain(found)


def _plain(found: records.Value) -> Any:  # noqa: ANN401
    return found.value() if isinstance(found, records.ArrayRecord) else found
