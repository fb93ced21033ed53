"""Input tensors: which ones there are, and their elements as arrays. Nothing larger than what was sent is allocated."""

from __future__ import annotations

import struct
from collections.abc import Sequence
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
_DTYPES: dict[str, np.dtype[Any]] = {
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

    data: bytes in row-major order, little-endian, or a flat sequence of numbers in row-major order.
    """

    name: str
    datatype: str
    shape: Shape
    data: bytes | memoryview | Sequence[float]


def declared(name: str, datatype: str, shape: Shape, place: str) -> InputTensor:
    """The input of that name. Raises InvalidInput for an unknown name, another datatype, or an impossible shape.

    place: of the tensor in the request, such as `inputs[0]`.
    """
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
    return found


def elements(given: GivenTensor, place: str) -> Elements:
    """The elements of a tensor, as an array of its shape. Raises InvalidInput, which names the tensor.

    The array may share the memory of the given bytes. Whether the elements are finite is checked item by item, with
    `check_finite`, because a tensor may have megabytes.
    """
    name, _, shape, data = given
    kind = declared(*given[:3], place)
    count = prod(shape)
    if isinstance(data, bytes | memoryview):
        check_bytes(kind, shape, memoryview(data).nbytes)
        values = np.frombuffer(data, _DTYPES[kind.datatype])
    else:
        if len(data) != count:
            raise InvalidInput.at(
                name, f"must have {count:,} elements for the shape {_shown(shape)}, has {len(data):,}"
            )
        values = _packed(kind, shape, data)
    return values.reshape(tuple(shape))


def check_bytes(kind: InputTensor, shape: Shape, size: int) -> None:
    """Raise InvalidInput unless a tensor of that shape has so many bytes."""
    needed = prod(shape) * _DTYPES[kind.datatype].itemsize
    if size != needed:
        message = f"must have {needed:,} bytes for the shape {_shown(shape)} of {kind.datatype}, has {size:,}"
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
    if kind.datatype == "INT64":
        data = [int(each) if isinstance(each, float) and each.is_integer() else each for each in data]
    try:
        values = np.frombuffer(struct.pack(f"<{len(data)}{_CODES[kind.datatype]}", *data), f"<{_NUMPY[kind.datatype]}")
    except struct.error:
        wrong = next(i for i, each in enumerate(data) if not _fits(kind, each))
        where = np.unravel_index(wrong, tuple(shape))
        what = "an integer of 64 bits" if kind.datatype == "INT64" else "a number"
        raise InvalidInput.at(element(kind.name, [int(index) for index in where]), f"must be {what}") from None
    if kind.datatype == "FP32":
        with np.errstate(over="ignore"):  # an overflow is infinite, which `check_finite` refuses
            return values.astype(np.float32)
    return values


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
