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

ScalerName: TypeAlias = Literal[
    "StandardScaler",
    "MinMaxScaler",
    "MaxAbsScaler",
    "RobustScaler",
    "QuantileTransformer",
    "PowerTransformer",
    "Normalizer",
    "Binarizer",
    "SimpleImputer",
]
# What stands for an estimator that passes its columns on, or drops them.
Passing: TypeAlias = Literal["passthrough", "drop"]
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


class SliceRecord(msgspec.Struct, frozen=True, tag="slice"):
    """A slice of columns. ends: start, stop and step."""

    ends: list[Plain]


class ScalerRecord(msgspec.Struct, frozen=True, tag="scaler"):
    """A scaler's class and the attributes that its class knows."""

    name: ScalerName
    attributes: dict[str, Value]


Value: TypeAlias = Plain | ArrayRecord | ObjectsRecord | ItemsRecord | ScalerRecord


class PipelineRecord(msgspec.Struct, frozen=True, tag="pipeline"):
    """A Pipeline's steps."""

    steps: list[tuple[Plain | ArrayRecord, EstimatorRecord | Passing]]


class ColumnsRecord(msgspec.Struct, frozen=True, tag="columns"):
    """A fitted ColumnTransformer: the name, estimator and columns of each part, in the order of its outputs.

    width, names: of the columns that it was fitted on.
    """

    parts: list[tuple[Plain | ArrayRecord, EstimatorRecord | Passing, ItemsRecord | SliceRecord]]
    width: int
    names: Value


EstimatorRecord: TypeAlias = ScalerRecord | PipelineRecord | ColumnsRecord


class ScalerFile(msgspec.Struct, frozen=True):
    """The contents of a scaler's file. versions: the releases of scikit-learn that it names."""

    name: str
    scaler: EstimatorRecord
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


class Model(msgspec.Struct, frozen=True, tag="keras"):
    """The checked contents of a Keras file. keras_version: None in files of early releases. config: JSON.

    custom: the names in it of the user's own classes and functions.
    """

    suffix: Literal[".h5", ".keras"]
    keras_version: str | None
    config: str
    groups: list[Group]
    datasets: list[Dataset]
    custom: list[str] = []


class TreesFile(msgspec.Struct, frozen=True, tag="trees"):
    """A checked tree ensemble of LightGBM.

    objective: what the sums of leaves become. steepness: the factor of the sums before a sigmoid. averaged: whether the
    sums are divided by the number of iterations. outputs: the number of sums; tree i counts for sum i % outputs.
    columns: the names of the model's inputs.

    leaves: the number of leaves of each tree. column, threshold, decision, left, right: of the splits of all trees, one
    tree after the other. value: of their leaves. A child of 0 or more is a split of the same tree, and one below 0 is
    leaf -child - 1. Inputs at or below the threshold go to the left.
    """

    objective: Literal["binary", "cross_entropy", "multiclass"]
    steepness: float
    averaged: bool
    outputs: int
    columns: list[str]
    leaves: ArrayRecord
    column: ArrayRecord
    threshold: ArrayRecord
    decision: ArrayRecord
    left: ArrayRecord
    right: ArrayRecord
    value: ArrayRecord
    depth: int

    @property
    def trees(self) -> int:
        """The number of trees."""
        return self.leaves.shape[0]

    @property
    def parameters(self) -> int:
        """The number of thresholds and of values of leaves."""
        return self.threshold.shape[0] + self.value.shape[0]

    @property
    def is_named(self) -> bool:
        """Whether its columns have other names than LightGBM gives to those of an array."""
        return self.columns != [f"Column_{i}" for i in range(len(self.columns))]


class LayerLine(msgspec.Struct, frozen=True):
    """One layer in a description. depth: in inner models and wrappers. known: whether its class can be converted."""

    name: str
    kind: str
    details: str
    depth: int
    known: bool


class Description(msgspec.Struct, frozen=True):
    """What a file of any kind is, in short texts. refusals: why it will not convert; none if it will.

    inputs: shapes with None for open axes, and the batch first. outputs: names, and activations where they are stated.
    columns: the names of a scaler's or an ensemble's columns; empty if it has none. fitted: their number. way: of the
    conversion.
    """

    kind: Literal["model", "scaler", "trees"]
    format: str
    written_by: str = ""
    layers: list[LayerLine] = []
    inputs: list[list[int | None]] = []
    outputs: list[tuple[str, str]] = []
    columns: list[str] = []
    fitted: int | None = None
    weights: int | None = None
    way: str = ""
    refusals: list[str] = []


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
