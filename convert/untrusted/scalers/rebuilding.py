"""Rebuild scikit-learn's estimators from records."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import sklearn
from sklearn import preprocessing
from sklearn.pipeline import Pipeline

from convert.untrusted import records
from convert.untrusted.records import ScalerFile
from convert.untrusted.scalers.estimators import FITTED

Estimator: TypeAlias = Any  # of scikit-learn, which has no types


def rebuilt(file: ScalerFile) -> tuple[Estimator, list[str]]:
    """Return the scaler or Pipeline, and notes for the user on how it was read."""
    versions = sorted({*file.versions} - {sklearn.__version__})
    return _estimator(file.scaler), [f"{file.name} was written by scikit-learn {version}" for version in versions]


def _estimator(found: records.ScalerRecord | records.PipelineRecord) -> Estimator:
    if isinstance(found, records.PipelineRecord):
        return Pipeline([(_plain(name), _step(step)) for name, step in found.steps])
    scaler = getattr(preprocessing, found.name)()
    # Defaults of parameters that the file does not have are the behaviour of older releases.
    for name in FITTED | vars(scaler).keys():
        if name in found.attributes:
            setattr(scaler, name, _value(found.attributes[name]))
    return scaler


def _step(step: records.ScalerRecord | records.PipelineRecord | str | None) -> Estimator:
    return step if step is None or isinstance(step, str) else _estimator(step)


def _value(found: records.Value) -> Any:  # noqa: ANN401 - any attribute of a scaler
    if isinstance(found, records.ItemsRecord):
        items = [_plain(each) for each in found.items]
        return items if found.kind == "list" else tuple(items)
    if isinstance(found, records.ObjectsRecord):
        array = np.empty(len(found.items), dtype=object)
        for i, each in enumerate(found.items):
            array[i] = _plain(each)
        return array.reshape(found.shape)[()]
    return _plain(found)


def _plain(found: records.Plain | records.ArrayRecord) -> Any:  # noqa: ANN401
    return found.value() if isinstance(found, records.ArrayRecord) else found
