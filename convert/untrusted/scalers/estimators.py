"""Stand-ins for scalers and their parts, which a pickle builds.

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
from convert.untrusted import limits
from convert.untrusted.limits import in_mib
from convert.untrusted.records import ScalerName

PIPELINE, COLUMNS, FUNCTION = "Pipeline", "ColumnTransformer", "FunctionTransformer"
SCALERS: tuple[ScalerName, ...] = get_args(ScalerName)
# The classes of the estimators, with the modules that they are in, also in old releases. Behind a dot: of sklearn.
MODULES = dict.fromkeys(SCALERS, ("preprocessing._data", "preprocessing.data", "preprocessing")) | {
    "SimpleImputer": ("impute._base", "impute"),
    FUNCTION: ("preprocessing._function_transformer", "preprocessing"),
    COLUMNS: ("compose._column_transformer", "compose"),
    PIPELINE: ("pipeline",),
}

_HIGHEST_RANK = 8  # the product of many dimensions is a number of any length
_LAST_CHARACTER = 0x10FFFF
_DTYPE = re.compile(r"([biuf][1-9][0-9]?|[US][1-9][0-9]{0,5})|O[48]?")


class Damaged(ValueError):
    """A pickle or a part of it is not possible. The message says what it holds."""


class Source(Protocol):
    """The file that is read. Arrays can follow the pickle in it."""

    file: BinaryIO

    def nested(self) -> object:
        """Read the object of the pickle that starts at the present position."""


class StandIn:
    """An object that the reader creates in place of an object of a library."""

    def build(self, state: Any, source: Source) -> None:  # noqa: ANN401, ARG002 - a pickle can hold any value
        """Take the object's state from the pickle. Raises Damaged if the state is not possible."""
        raise Damaged(f"state for a {type(self).__name__}")


class Name(StandIn):
    """A name that a pickle can use. make: creates the stand-in if the pickle calls the name."""

    def __init__(self, make: Callable[..., object] | None = None) -> None:
        self.make = make


class Dtype(StandIn):
    """Stands for numpy.dtype, of numbers, text or plain objects."""

    def __init__(self, code: str, *_: object) -> None:
        if not _DTYPE.fullmatch(code):
            raise Damaged(f"an array of type {code!r}")
        self.value = np.dtype(code.rstrip("48") if code.startswith("O") else code)

    def build(self, state: Any, source: Source) -> None:  # noqa: ANN401, ARG002
        """Take the byte order. Size and flags follow from the code, so those of the file are ignored."""
        version, order, *fields = state[:5]
        if version not in (3, 4) or order not in ("<", ">", "|", "=") or fields != [None, None, None]:
            raise Damaged("an array of a type that is not plain")
        self.value = self.value.newbyteorder(order)


class Latin1(StandIn):
    """Bytes that protocols 0 to 2 write as text. They stay text, because a file can name the same bytes many times."""

    def __init__(self, text: str, encoding: str) -> None:
        if type(text) is not str or encoding not in ("latin1", "latin-1"):
            raise Damaged("bytes that are not written as latin1")
        self.text = text


class Array(StandIn):
    """Stands for numpy.ndarray, and for NumPy's scalars as arrays of shape ()."""

    def __init__(self, shape: Any = None, dtype: Any = None, order: Any = None, data: Any = None) -> None:  # noqa: ANN401
        self.shape, self.dtype, self.order, self.data = shape, dtype, order, data

    def build(self, state: Any, source: Source) -> None:  # noqa: ANN401, ARG002
        """Take NumPy's state: (version, shape, dtype, whether the order is Fortran's, data)."""
        if type(state) is not tuple or len(state) != 5:  # noqa: PLR2004 - as NumPy writes it
            raise Damaged("an array without its state")
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
            raise Damaged(f"an array of {count} objects with another number of objects")
        return self.data

    def numbers(self) -> NDArray[Any]:
        """A NumPy array in the machine's byte order, of numbers or text."""
        count, dtype = self._layout()
        return self._numbers(count, dtype).reshape(self.shape, order=self.order)

    def _layout(self) -> tuple[int, np.dtype[Any]]:
        shape = self.shape
        if type(shape) is not tuple or not all(type(n) is int and n >= 0 for n in shape):
            raise Damaged("an array without a shape")
        if len(shape) > _HIGHEST_RANK:
            raise Damaged(f"an array of {len(shape)} dimensions")
        if type(self.dtype) is not Dtype or self.order not in ("C", "F"):
            raise Damaged("an array without a type and an order")
        # NumPy computes with the other dimensions also where one of them is 0.
        size = math.prod(max(n, 1) for n in shape) * max(self.dtype.value.itemsize, 1)
        if size > limits.SCALER_FILE:
            raise Refused(f"holds an array of more than {in_mib(limits.SCALER_FILE)}, far more than a scaler")
        return math.prod(shape), self.dtype.value

    def _numbers(self, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        data = self.data.text.encode("latin1") if type(self.data) is Latin1 else self.data
        if type(data) not in (bytes, bytearray) or len(data) != count * dtype.itemsize:
            raise Damaged(f"an array of {count} {dtype} with another number of bytes")
        if not count:
            return np.empty(0, dtype)
        if dtype.kind == "U":
            characters = np.frombuffer(data, np.dtype("u4").newbyteorder(dtype.byteorder))
            if characters.max() > _LAST_CHARACTER:
                raise Damaged("a text with invalid characters")
        array: NDArray[Any] = np.frombuffer(data, dtype).astype(dtype.newbyteorder("="))
        return array


class StoredArray(Array):
    """Stands for joblib's NumpyArrayWrapper: an array whose data follow in the file."""

    def build(self, state: Any, source: Source) -> None:  # noqa: ANN401
        """Take shape, dtype and order, and read the data from the file."""
        if type(state) is not dict or not state.keys() >= {"shape", "dtype", "order"}:
            raise Damaged("an array without a shape, a type and an order")
        self.shape, self.dtype, self.order = state["shape"], state["dtype"], state["order"]
        _, dtype = self._layout()
        if dtype.hasobject:
            inner = source.nested()
            if not isinstance(inner, Array):
                raise Damaged("an array of objects that is not an array")
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
            raise Damaged(f"a {self.kind} whose state is not a dict")
        self.attributes = state


class Slice(StandIn):
    """Stands for slice: the columns of a ColumnTransformer."""

    def __init__(self, *ends: object) -> None:
        if len(ends) != 3 or not all(type(end) in (int, str, type(None)) for end in ends):  # noqa: PLR2004
            raise Damaged("a slice whose ends are not numbers or names")
        self.ends = ends


class ColumnList(StandIn):
    """Stands for the list of columns that ColumnTransformer of scikit-learn 1.5 to 1.8 keeps as its remainder."""

    def __init__(self) -> None:
        self.columns: Any = None

    def build(self, state: Any, source: Source) -> None:  # noqa: ANN401, ARG002
        """Take the list."""
        self.columns = state.get("data") if type(state) is dict else None


class Unused(StandIn):
    """Stands for a part of an estimator that its transform does not use."""

    def build(self, state: Any, source: Source) -> None:  # noqa: ANN401
        """Take nothing."""
