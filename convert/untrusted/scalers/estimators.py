"""Stand-ins for scalers and their parts, which a pickle builds, and the records that are made of these.

A pickle can reach only the stand-ins of this file. They record their arguments. None calls NumPy, joblib or
scikit-learn before the whole file is read, because these trust their input: for example, NumPy would use a few bytes
that are declared to be an array of objects as addresses.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from convert.errors import Refused
from convert.untrusted import limits, records
from convert.untrusted.limits import in_mib
from convert.untrusted.records import ScalerName

SCALERS: tuple[ScalerName, ...] = get_args(ScalerName)
PIPELINE = "Pipeline"

# Attributes that a fit sets. Others, such as those of users, are ignored.
FITTED = frozenset(
    (
        *("mean_", "var_", "scale_", "min_", "data_min_", "data_max_", "data_range_", "max_abs_", "center_"),
        *("n_samples_seen_", "n_features_in_", "feature_names_in_"),
    )
)
# The parameters of the classes.
PARAMETERS = frozenset(
    (
        *("copy", "with_mean", "with_std", "with_centering", "with_scaling", "quantile_range", "unit_variance"),
        *("feature_range", "clip"),
    )
)
# Limits of nested Pipelines and of all scalers: far more than real files have, and quick to rebuild.
_DEEPEST, _MOST = 10, 100
_HIGHEST_RANK = 8  # the product of many dimensions is a number of any length
_PLAIN = (bool, int, float, str, type(None))
_LAST_CHARACTER = 0x10FFFF
_DTYPE = re.compile(r"([biuf][1-9][0-9]?|[US][1-9][0-9]{0,5})|O[48]?")


class Source(Protocol):
    """The file that is read. Arrays can follow the pickle in it."""

    file: BinaryIO

    def nested(self) -> object:
        """Read the object of the pickle that starts at the present position."""


class StandIn:
    """An object that the reader creates in place of an object of a library."""

    def build(self, state: Any, source: Source) -> None:  # noqa: ANN401, ARG002 - a pickle can hold any value
        """Take the object's state from the pickle. Raises ValueError if the state is not possible."""
        raise ValueError(f"state for a {type(self).__name__}")


class Name(StandIn):
    """A name that a pickle can use. make: creates the stand-in if the pickle calls the name."""

    def __init__(self, make: Callable[..., object] | None = None) -> None:
        self.make = make


class Dtype(StandIn):
    """Stands for numpy.dtype, of numbers, text or plain objects."""

    def __init__(self, code: str, *_: object) -> None:
        if not _DTYPE.fullmatch(code):
            raise ValueError(f"an array of type {code!r}")
        self.value = np.dtype(code.rstrip("48") if code.startswith("O") else code)

    def build(self, state: Any, source: Source) -> None:  # noqa: ANN401, ARG002
        """Take the byte order. Size and flags follow from the code, so those of the file are ignored."""
        version, order, *fields = state[:5]
        if version not in (3, 4) or order not in ("<", ">", "|", "=") or fields != [None, None, None]:
            raise ValueError("an array of a type that is not plain")
        self.value = self.value.newbyteorder(order)


class Latin1(StandIn):
    """Bytes that protocols 0 to 2 write as text. They stay text, because a file can name the same bytes many times."""

    def __init__(self, text: str, encoding: str) -> None:
        if type(text) is not str or encoding not in ("latin1", "latin-1"):
            raise ValueError("bytes that are not written as latin1")
        self.text = text


class Array(StandIn):
    """Stands for numpy.ndarray, and for NumPy's scalars as arrays of shape ()."""

    def __init__(self, shape: Any = None, dtype: Any = None, order: Any = None, data: Any = None) -> None:  # noqa: ANN401
        self.shape, self.dtype, self.order, self.data = shape, dtype, order, data

    def build(self, state: Any, source: Source) -> None:  # noqa: ANN401, ARG002
        """Take NumPy's state: (version, shape, dtype, whether the order is Fortran's, data)."""
        _, self.shape, self.dtype, fortran, self.data = state
        # NumPy writes bytes in the order of memory, but objects always in C order.
        self.order = "F" if fortran and type(self.data) is not list else "C"

    @property
    def count(self) -> int:
        """The number of elements."""
        return self._layout()[0]

    @property
    def size(self) -> int:
        """The size of the data in bytes."""
        count, dtype = self._layout()
        return count * dtype.itemsize

    @property
    def holds_objects(self) -> bool:
        """Whether the elements are objects of the pickle, in a list."""
        return self._layout()[1].hasobject

    def objects(self) -> list[Any]:
        """The elements of an array of objects."""
        count, _ = self._layout()
        if type(self.data) is not list or len(self.data) != count:
            raise ValueError(f"an array of {count} objects with another number of objects")
        return self.data

    def numbers(self) -> NDArray[Any]:
        """A NumPy array in the machine's byte order, of numbers or text."""
        count, dtype = self._layout()
        return self._numbers(count, dtype).reshape(self.shape, order=self.order)

    def _layout(self) -> tuple[int, np.dtype[Any]]:
        shape = self.shape
        if type(shape) is not tuple or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError("an array without a shape")
        if len(shape) > _HIGHEST_RANK:
            raise ValueError(f"an array of {len(shape)} dimensions")
        if type(self.dtype) is not Dtype or self.order not in ("C", "F"):
            raise ValueError("an array without a type and an order")
        return math.prod(shape), self.dtype.value

    def _numbers(self, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        data = self.data.text.encode("latin1") if type(self.data) is Latin1 else self.data
        if type(data) not in (bytes, bytearray) or len(data) != count * dtype.itemsize:
            raise ValueError(f"an array of {count} {dtype} with another number of bytes")
        if not count:
            return np.empty(0, dtype)
        if dtype.kind == "U":
            characters = np.frombuffer(data, np.dtype("u4").newbyteorder(dtype.byteorder))
            if characters.max() > _LAST_CHARACTER:
                raise ValueError("a text with invalid characters")
        array: NDArray[Any] = np.frombuffer(data, dtype).astype(dtype.newbyteorder("="))
        return array


class StoredArray(Array):
    """Stands for joblib's NumpyArrayWrapper: an array whose data follow in the file."""

    def build(self, state: Any, source: Source) -> None:  # noqa: ANN401
        """Take shape, dtype and order, and read the data from the file."""
        self.shape, self.dtype, self.order = state["shape"], state["dtype"], state["order"]
        _, dtype = self._layout()
        if dtype.hasobject:
            inner = source.nested()
            if not isinstance(inner, Array):
                raise ValueError("an array of objects that is not an array")
            self.shape, self.dtype, self.order, self.data = inner.shape, inner.dtype, inner.order, inner.data
            return
        # joblib 1.2 and newer write a count, then that number of padding bytes.
        if state.get("numpy_array_alignment_bytes") is not None:
            source.file.read(source.file.read(1)[0])
        self.data = source.file.read(self.size)


class Estimator(StandIn):
    """Stands for a scaler or a Pipeline: its class, which the pickle never calls, and its attributes."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.attributes: dict[str, Any] = {}

    def build(self, state: Any, source: Source) -> None:  # noqa: ANN401, ARG002
        """Take the attributes."""
        if type(state) is not dict:
            raise ValueError(f"a {self.kind} whose state is not a dict")
        self.attributes = state


class Recording:
    """Makes records of stand-ins, within the limits for one file."""

    def __init__(self) -> None:
        self.versions: set[str] = set()  # of scikit-learn
        self._bytes, self._estimators = limits.SCALER_FILE, _MOST

    def estimator(self, found: object, outer: tuple[object, ...] = ()) -> records.ScalerRecord | records.PipelineRecord:
        """Make the record of a scaler or Pipeline. Raises Refused, or ValueError for damaged values."""
        if not isinstance(found, Estimator):
            kind = "ndarray" if isinstance(found, Array) else type(found).__name__
            raise Refused(f"holds a {kind}, not one of {', '.join(SCALERS)} or a Pipeline")
        if any(found is one for one in outer):
            raise Refused("holds a Pipeline that contains itself")
        self._estimators -= 1
        if len(outer) >= _DEEPEST or self._estimators < 0:
            raise Refused(f"holds Pipelines nested more than {_DEEPEST} deep, or more than {_MOST} scalers")
        version = found.attributes.get("_sklearn_version", "pre-0.18")
        self.versions.add(str(self._text(version)))
        return self._pipeline(found, outer) if found.kind == PIPELINE else self._scaler(found)

    def _pipeline(self, found: Estimator, outer: tuple[object, ...]) -> records.PipelineRecord:
        steps: Any = found.attributes.get("steps")
        if type(steps) not in (list, tuple) or not all(type(step) in (tuple, list) for step in steps):
            raise Refused("holds a Pipeline without steps")
        recorded: list[Any] = []
        for name, step in steps:
            skipped = step is None or (type(step) is str and step == "passthrough")
            self._spend(8)
            recorded.append((self._plain(name), step if skipped else self.estimator(step, (*outer, found))))
        return records.PipelineRecord(recorded)

    def _scaler(self, found: Estimator) -> records.ScalerRecord:
        names = [name for name in found.attributes if name in FITTED | PARAMETERS]
        kind: Any = found.kind
        return records.ScalerRecord(kind, {name: self._value(found.attributes[name]) for name in names})

    def _value(self, found: object) -> records.Value:
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

    def _array(self, found: Array) -> records.ArrayRecord:
        self._check_count(found.count)
        self._spend(found.size)
        array = found.numbers()
        return records.ArrayRecord(array.dtype.str, array.shape, array.tobytes())

    def _plain(self, found: object) -> records.Plain | records.ArrayRecord:
        if isinstance(found, Array) and found.shape == () and not found.holds_objects:  # a scalar
            return self._array(found)
        return self._text(found)

    def _text(self, found: object) -> records.Plain:
        if type(found) not in _PLAIN:
            raise ValueError(f"a {type(found).__name__} where a number or text should be")
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
