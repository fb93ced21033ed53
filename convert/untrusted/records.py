"""The contents of users' files as plain values: the form in which the reading process passes them on.

Every type can be written and read as MessagePack, which creates nothing but these types.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

Plain: TypeAlias = bool | int | float | str | None
Buffer: TypeAlias = bytes | memoryview

ScalerName: TypeAlias = Literal["StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"]
# Numbers and text; no objects, no records.
_DTYPE = re.compile(r"[<>=|]?[biufSU][1-9][0-9]{0,5}")


class ArrayRecord(msgspec.Struct, frozen=True, tag="array"):
    """A NumPy array of numbers or text, or a scalar of shape (). data: in C order."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes

    def value(self) -> Any:  # noqa: ANN401 - an array, or a scalar of its type
        """A NumPy array that can be written to, or the scalar."""
        return array(self.dtype, self.shape, self.data).copy()[()]


class ObjectsRecord(msgspec.Struct, frozen=True, tag="objects"):
    """A NumPy array of Python's objects."""

    shape: tuple[int, ...]
    items: list[Plain | ArrayRecord]


class ItemsRecord(msgspec.Struct, frozen=True, tag="items"):
    """A list or a tuple."""

    kind: Literal["list", "tuple"]
    items: list[Plain | ArrayRecord]


Value: TypeAlias = Plain | ArrayRecord | ObjectsRecord | ItemsRecord


class ScalerRecord(msgspec.Struct, frozen=True, tag="scaler"):
    """A scaler's class and the attributes that its class knows."""

    name: ScalerName
    attributes: dict[str, Value]


class PipelineRecord(msgspec.Struct, frozen=True, tag="pipeline"):
    """A Pipeline's steps. A step of None or "passthrough" does nothing."""

    steps: list[tuple[Plain | ArrayRecord, ScalerRecord | PipelineRecord | Literal["passthrough"] | None]]


class ScalerFile(msgspec.Struct, frozen=True):
    """The contents of a scaler's file. versions: the releases of scikit-learn that it names."""

    name: str
    scaler: ScalerRecord | PipelineRecord
    versions: list[str]


class Group(msgspec.Struct, frozen=True):
    """A group of an HDF5 file and its attributes; None stands for an empty one."""

    path: str
    attributes: dict[str, str | list[str] | ArrayRecord | None]


class Dataset(msgspec.Struct, frozen=True):
    """A dataset of numbers."""

    path: str
    dtype: str
    shape: tuple[int, ...]


class Model(msgspec.Struct, frozen=True):
    """The checked contents of a Keras file. keras_version: None in files of early releases. config: JSON.

    custom: the names in it of the user's own classes and functions.
    """

    suffix: Literal[".h5", ".keras"]
    keras_version: str | None
    config: str
    groups: list[Group]
    datasets: list[Dataset]
    custom: list[str] = []


class KerasFile(NamedTuple):
    """A checked Keras file. values: those of each dataset, in C order."""

    model: Model
    values: Sequence[Buffer]

    @property
    def keras_version(self) -> str | None:
        """The release that wrote the file."""
        return self.model.keras_version

    @property
    def framework(self) -> Literal["keras", "tf_keras"]:
        """The framework for this file. Keras 3 refuses files of Keras 2, or computes other numbers from them."""
        version = self.model.keras_version
        return "keras" if version and int(version.partition(".")[0]) >= 3 else "tf_keras"  # noqa: PLR2004


def array(dtype: str, shape: tuple[int, ...], data: Buffer) -> NDArray[Any]:
    """A view of the data as an array. Raises ValueError unless type, shape and size agree."""
    if not _DTYPE.fullmatch(dtype) or any(n < 0 for n in shape):
        raise ValueError(f"an array of type {dtype!r} and shape {shape}")
    kind = np.dtype(dtype)
    if math.prod(shape) * kind.itemsize != len(data):
        raise ValueError(f"an array of {dtype} {shape} with {len(data)} bytes")
    return np.frombuffer(data, kind).reshape(shape)
