"""Input tensors: which ones there are, and their elements as arrays. Nothing larger than what was sent is allocated."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput, quoted
from core.features.candles import MAX_CANDLES
from server.api.schemas.open_inference import MOST_ITEMS, Datatype, InputName

Elements: TypeAlias = NDArray[np.float64] | NDArray[np.float32] | NDArray[np.int64]
Shape: TypeAlias = Sequence[int]

# No detector has so many features. Without a bound, an empty tensor could have any number of columns.
MOST_FEATURES = 10_000
CANDLE_FIELDS = ("open", "high", "low", "close", "volume")

# NumPy's and struct's names of the datatypes. Binary data are little-endian.
DTYPES: dict[str, np.dtype[Any]] = {
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "INT64": np.dtype("<i8"),
}
_CODES = {"FP32": "d", "FP64": "d", "INT64": "q"}
_LONGEST_SHOWN = 10**18


class InputTensor(NamedTuple):
    """An input of the model. dimensions: the name of each, and the most that it may have; exact if it has no name."""

    name: InputName
    datatype: Datatype
    dimensions: tuple[tuple[str, int], ...]

    @property
    def form(self) -> str:
        """The shape in words, such as `[batch, candles, 5]`."""
        return f"[{', '.join(name or str(most) for name, most in self.dimensions)}]"


_CANDLES = (("batch", MOST_ITEMS), ("candles", MAX_CANDLES))
_WINDOWS = (("batch", MOST_ITEMS), ("rows", MAX_CANDLES), ("features", MOST_FEATURES))

# All inputs by name. A request has candles, with or without timestamps, or windows of one kind.
INPUTS: dict[str, InputTensor] = {
    each.name: each
    for each in (
        InputTensor("candles", "FP64", (*_CANDLES, ("", len(CANDLE_FIELDS)))),
        InputTensor("timestamps", "INT64", _CANDLES),
        InputTensor("features", "FP32", _WINDOWS),
        InputTensor("raw_features", "FP64", _WINDOWS),
        InputTensor("features_stage1", "FP32", _WINDOWS),
        InputTensor("features_stage2", "FP32", _WINDOWS),
        InputTensor("raw_features_stage1", "FP64", _WINDOWS),
        InputTensor("raw_features_stage2", "FP64", _WINDOWS),
    )
}


class GivenTensor(NamedTuple):
    """An input tensor as it was sent.

    data: bytes in row-major order, little-endian, or a flat sequence of numbers in row-major order. A slice tells where
    in the body these bytes are.
    """

    name: str
    datatype: str
    shape: Shape
    data: bytes | memoryview | Sequence[float] | slice


class DeclaredTensor(NamedTuple):
    """An input tensor without its elements: so many of them, and so many bytes if they are sent as binary data."""

    kind: InputTensor
    elements: int
    size: int


def declared(name: str, datatype: str, shape: Shape, place: str) -> DeclaredTensor:
    """The tensor of that name. Raises InvalidInput for an unknown name, another datatype, or an impossible shape.

    place: of the tensor in the request, such as `inputs[0]`.
    """
    return _declared(name, datatype, tuple(shape), place)


# Nearly all requests of a client have the same tensors.
@lru_cache(maxsize=256)
def _declared(name: str, datatype: str, shape: tuple[int, ...], place: str) -> DeclaredTensor:
    found = INPUTS.get(name)
    if found is None:
        raise InvalidInput.at(f"{place}.name", f"there is no input {quoted(name)}; the inputs are {', '.join(INPUTS)}")
    if datatype != found.datatype:
        raise InvalidInput.at(f"{name}.datatype", f"must be {found.datatype}, not {quoted(datatype)}")
    if len(shape) != len(found.dimensions):
        raise InvalidInput.at(f"{name}.shape", f"must be {found.form}, not {_shown(shape)}")
    for size, (of, most) in zip(shape, found.dimensions, strict=True):
        if size < 0:
            raise InvalidInput.at(f"{name}.shape", f"must be {found.form} without negative sizes, not {_shown(shape)}")
        if not of and size != most:
            raise InvalidInput.at(f"{name}.shape", f"must be {found.form}, not {_shown(shape)}")
        if size > most:
            raise InvalidInput.at(f"{name}.shape", f"must have at most {most:,} in {of}, not {_shown(shape)}")
    if shape[0] < 1:
        raise InvalidInput.at(f"{name}.shape", f"must have at least 1 in batch, not {_shown(shape)}")
    count = prod(shape)
    return DeclaredTensor(found, count, count * DTYPES[datatype].itemsize)


def elements(given: GivenTensor, place: str) -> Elements:
    """The elements of a tensor, as an array of its shape. Raises InvalidInput, which names the tensor.

    The array may share the memory of the given bytes. Whether the elements are finite is checked item by item, with
    `check_finite`, because a tensor may have megabytes.
    """
    name, datatype, shape, data = given
    if isinstance(data, slice):
        raise TypeError("the elements are in the body")
    tensor = declared(name, datatype, shape, place)
    if isinstance(data, bytes | memoryview):
        check_bytes(tensor, shape, len(data))
        values = np.frombuffer(data, DTYPES[datatype])
    else:
        if len(data) != tensor.elements:
            message = f"must have {tensor.elements:,} elements for the shape {_shown(shape)}, has {len(data):,}"
            raise InvalidInput.at(name, message)
        values = _packed(tensor.kind, shape, data)
    return values.reshape(shape)


def check_bytes(tensor: DeclaredTensor, shape: Shape, size: int) -> None:
    """Raise InvalidInput unless a tensor of that shape has so many bytes."""
    if size != tensor.size:
        kind = tensor.kind
        message = f"must have {tensor.size:,} bytes for the shape {_shown(shape)} of {kind.datatype}, has {size:,}"
        raise InvalidInput.at(kind.name, message)


def check_finite(name: str, item: int, values: Elements) -> None:
    """Raise InvalidInput if one item of a tensor has an element that is NaN or infinite."""
    finite = np.isfinite(values)
    if not finite.all():
        where = np.argwhere(~finite)[0].tolist()
        kind = INPUTS[name].datatype
        raise InvalidInput.at(
            element(name, [item, *where]), f"must be a finite number that fits {kind}, not {values[tuple(where)]}"
        )


def element(name: str, where: Sequence[int]) -> str:
    """The place of an element, such as `candles[0][17][1]`."""
    return name + "".join(f"[{index}]" for index in where)


def _packed(kind: InputTensor, shape: Shape, data: Sequence[float]) -> Elements:
    """The elements of a flat sequence. By struct, which takes half the time of np.array."""
    code = _CODES[kind.datatype]
    try:
        try:
            packed = struct.pack(f"<{len(data)}{code}", *data)
        except struct.error:  # some clients write 1.0 for 1
            data = [_integer(each) for each in data]
            packed = struct.pack(f"<{len(data)}{code}", *data)
        values = np.frombuffer(packed, f"<{_NUMPY[kind.datatype]}")
    except struct.error:
        wrong = next(i for i, each in enumerate(data) if not _fits(kind, each))
        where = np.unravel_index(wrong, tuple(shape))
        what = "an integer of 64 bits" if kind.datatype == "INT64" else "a number"
        raise InvalidInput.at(element(kind.name, [int(index) for index in where]), f"must be {what}") from None
    if kind.datatype == "FP32":
        with np.errstate(over="ignore"):  # an overflow is infinite, which `check_finite` refuses
            return values.astype(np.float32)
    return values


def _integer(value: float) -> float:
    """The same number, as an integer if it is one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_NUMPY = {"FP32": "f8", "FP64": "f8", "INT64": "i8"}


def _fits(kind: InputTensor, value: object) -> bool:
    try:
        struct.pack(f"<{_CODES[kind.datatype]}", value)
    except struct.error:
        return False
    return True


def _shown(shape: Shape) -> str:
    """A shape for a message: its first dimensions, none of them with more than 18 digits."""
    few = [str(size) if abs(size) < _LONGEST_SHOWN else "…" for size in shape[:8]]
    return f"[{', '.join(few)}{', …' if len(shape) > len(few) else ''}]"
