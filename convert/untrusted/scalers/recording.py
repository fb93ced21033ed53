"""Records of the stand-ins that a pickle has built, within the limits for one file."""

from __future__ import annotations

from typing import Any

from convert.errors import Refused, line
from convert.untrusted import limits, records
from convert.untrusted.limits import in_mib
from convert.untrusted.scalers.estimators import (
    COLUMNS,
    FUNCTION,
    MODULES,
    PIPELINE,
    Array,
    ColumnList,
    Damaged,
    Estimator,
    Slice,
)

# Attributes that a fit sets. Others, such as those of users, are ignored.
FITTED = frozenset(
    (
        *("mean_", "var_", "scale_", "min_", "data_min_", "data_max_", "data_range_", "max_abs_", "center_"),
        *("quantiles_", "references_", "n_quantiles_", "lambdas_", "_scaler", "statistics_"),
        *("n_samples_seen_", "n_features_in_", "feature_names_in_"),
    )
)
# The parameters of the classes.
PARAMETERS = frozenset(
    (
        *("copy", "with_mean", "with_std", "with_centering", "with_scaling", "quantile_range", "unit_variance"),
        *("feature_range", "clip", "output_distribution", "method", "standardize", "norm", "threshold"),
        *("missing_values", "strategy", "fill_value", "add_indicator", "keep_empty_features"),
    )
)
# Limits of nested estimators and of all scalers: far more than real files have, and quick to rebuild.
_DEEPEST, _MOST = 10, 100
_PLAIN = (bool, int, float, str, type(None))
_PASSING: tuple[records.Passing, ...] = ("passthrough", "drop")
_NUMBER = 8  # the bytes that a number takes in a scaler, whatever it takes in the file
# Arrays with another last axis than the features.
_LONG = frozenset({"references_"})
_SHOWN = 5  # of the contents of a dict or list


class Recording:
    """Makes records of stand-ins, within the limits for one file."""

    def __init__(self) -> None:
        self.versions: set[str] = set()  # of scikit-learn
        self._bytes, self._estimators = limits.SCALER_FILE, _MOST

    def estimator(self, found: object, outer: tuple[object, ...] = ()) -> records.EstimatorRecord:
        """Make the record of an estimator. Raises Refused, or Damaged for values that are not possible."""
        if not isinstance(found, Estimator):
            raise Refused(_another(found))
        if any(found is one for one in outer):
            raise Refused(f"holds a {found.kind} that contains itself")
        self._estimators -= 1
        if len(outer) >= _DEEPEST or self._estimators < 0:
            raise Refused(f"holds Pipelines nested more than {_DEEPEST} deep, or more than {_MOST} scalers")
        version = found.attributes.get("_sklearn_version", "pre-0.18")
        self.versions.add(str(self._text(version)))
        if found.kind == PIPELINE:
            return self._pipeline(found, outer)
        if found.kind == COLUMNS:
            return self._columns(found, outer)
        if found.kind == FUNCTION:
            return self._function(found)
        return self._scaler(found, outer)

    def _pipeline(self, found: Estimator, outer: tuple[object, ...]) -> records.PipelineRecord:
        steps: Any = found.attributes.get("steps")
        if type(steps) not in (list, tuple) or not all(type(step) in (tuple, list) for step in steps):
            raise Refused("holds a Pipeline without steps")
        recorded: list[Any] = []
        for step in steps:
            if len(step) != 2:  # noqa: PLR2004 - name and estimator
                raise Refused("holds a Pipeline with a step that is not a name and an estimator")
            self._spend(8)
            part = "passthrough" if step[1] is None else self._part(step[1], (*outer, found))
            recorded.append((self._plain(step[0]), part))
        return records.PipelineRecord(recorded)

    def _columns(self, found: Estimator, outer: tuple[object, ...]) -> records.ColumnsRecord:
        parts: Any = found.attributes.get("transformers_")
        if type(parts) is not list or not all(type(part) is tuple and len(part) == 3 for part in parts):  # noqa: PLR2004
            raise Refused("holds a ColumnTransformer that is not fitted")
        if found.attributes.get("transformer_weights") is not None:
            raise Refused("holds a ColumnTransformer with transformer_weights; fit it without them")
        recorded: list[Any] = []
        for name, part, columns in parts:
            self._spend(8)
            # Old releases list a remainder of no columns as None.
            chosen = records.ItemsRecord("list", []) if columns is None else self._chosen(columns)
            recorded.append((self._plain(name), self._part(part, (*outer, found)), chosen))
        # 0.22 and 0.23 have the number under another name.
        width: Any = found.attributes.get("n_features_in_", found.attributes.get("_n_features"))
        if isinstance(width, Array) and width.shape == ():
            width = None if width.holds_objects else width.numbers().item()
        if type(width) is not int or not 0 < width <= limits.FEATURES:
            raise Refused("holds a ColumnTransformer that does not say how many columns it was fitted on")
        names = found.attributes.get("feature_names_in_")
        return records.ColumnsRecord(recorded, width, self._value(names, outer))

    def _chosen(self, columns: object) -> records.ItemsRecord | records.SliceRecord:
        if isinstance(columns, Slice):
            return records.SliceRecord([self._text(end) for end in columns.ends])
        listed: Any = columns.columns if isinstance(columns, ColumnList) else columns
        if isinstance(listed, Array):
            self._check_count(listed.count)
            listed = listed.objects() if listed.holds_objects else listed.numbers().ravel().tolist()
        if type(listed) not in (list, tuple):
            raise Refused(
                "holds a ColumnTransformer with columns that are not a list, a slice or a mask; give it a list and fit"
            )
        self._check_count(len(listed))
        self._spend(8 * len(listed))
        return records.ItemsRecord("list", [self._plain(each) for each in listed])

    def _part(self, part: object, outer: tuple[object, ...]) -> records.EstimatorRecord | records.Passing:
        for passing in _PASSING:
            if type(part) is str and part == passing:
                return passing
        if isinstance(part, Estimator) and part.kind == FUNCTION:
            self._function(part)
            return "passthrough"
        return self.estimator(part, outer)

    def _function(self, found: Estimator) -> records.PipelineRecord:
        if found.attributes.get("func") is not None:
            raise Refused(f"holds a {FUNCTION} with a function, which is code; compute its result before the scaler")
        return records.PipelineRecord([("function", "passthrough")])

    def _scaler(self, found: Estimator, outer: tuple[object, ...]) -> records.ScalerRecord:
        names = [name for name in found.attributes if name in FITTED | PARAMETERS]
        kind: Any = found.kind
        inner = (*outer, found)
        return records.ScalerRecord(
            kind, {name: self._attribute(name, found.attributes[name], inner) for name in names}
        )

    def _attribute(self, name: str, found: object, outer: tuple[object, ...]) -> records.Value:
        if name in _LONG and isinstance(found, Array) and not found.holds_objects:
            return self._array(found, columns=False)
        return self._value(found, outer)

    def _value(self, found: object, outer: tuple[object, ...]) -> records.Value:
        if isinstance(found, Estimator):  # of a PowerTransformer
            inner = self.estimator(found, outer)
            if not isinstance(inner, records.ScalerRecord):
                raise Damaged(f"a {found.kind} within a scaler")
            return inner
        if isinstance(found, Array) and found.holds_objects:
            self._check_count(len(found.objects()))
            self._spend(found.size)
            return records.ObjectsRecord(found.shape, [self._plain(each) for each in found.objects()])
        if type(found) is tuple or type(found) is list:
            self._check_count(len(found))
            self._spend(8 * len(found))
            kind: Any = type(found).__name__
            return records.ItemsRecord(kind, [self._plain(value) for value in found])
        return self._array(found) if isinstance(found, Array) else self._plain(found)

    def _array(self, found: Array, *, columns: bool = True) -> records.ArrayRecord:
        if columns and found.shape != ():
            self._check_count(found.shape[-1])
        if max((*found.shape, 0)) > limits.QUANTILES:
            raise Refused(f"has an array of shape {found.shape}; at most {limits.QUANTILES:,} quantiles are read")
        self._spend(max(found.size, _NUMBER * found.count))
        array = found.numbers()
        return records.ArrayRecord(array.dtype.str, array.shape, array.tobytes())

    def _plain(self, found: object) -> records.Plain | records.ArrayRecord:
        if isinstance(found, Array) and found.shape == () and not found.holds_objects:  # a scalar
            return self._array(found)
        return self._text(found)

    def _text(self, found: object) -> records.Plain:
        if type(found) not in _PLAIN:
            raise Damaged(f"a {type(found).__name__} where a number or text should be")
        # A file can name one text many times.
        self._spend(4 * len(found) if type(found) is str else 0)
        plain: records.Plain = found  # type: ignore[assignment] # checked by its type above
        return plain

    def _check_count(self, count: int) -> None:
        if count > limits.FEATURES:
            raise Refused(f"has an array of {count:,} values, but a stage has at most {limits.FEATURES:,} features")

    def _spend(self, size: int) -> None:
        # A file can name one array many times, so all arrays together are limited.
        self._bytes -= size
        if self._bytes < 0:
            raise Refused(f"holds arrays of more than {in_mib(limits.SCALER_FILE)}, far more than a scaler")


def _another(found: object) -> str:
    """The sentence about an object that is not an estimator."""
    kind = "ndarray" if isinstance(found, Array) else type(found).__name__
    known = ", ".join(MODULES)
    if isinstance(found, dict | list | tuple):
        pairs = list(found.items()) if isinstance(found, dict) else list(enumerate(found))
        inner = [(key, each.kind) for key, each in pairs if isinstance(each, Estimator)]
        if inner:
            listed = ", ".join(f"{line(repr(key), 40)}: {name}" for key, name in inner[:_SHOWN])
            key = line(repr(inner[0][0]), 40)
            return (
                f"holds a {kind} with scalers ({listed}); which one belongs to the stage is not guessed: dump that one"
                f" alone, as in joblib.dump(scalers[{key}], 'scaler.pkl')"
            )
    return f"holds a {kind}, not one of {known}"
