"""Read the groups and numbers of an HDF5 file within limits that follow from what the file declares.

Nothing is copied as it is. What has no place among weights is refused: links, values in other files, types that are not
numbers, unknown filters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, TypeAlias

import h5py
import numpy as np

from convert.errors import Refused
from convert.untrusted import limits
from convert.untrusted.limits import in_mib
from convert.untrusted.records import ArrayRecord, Dataset, Group

_PIECE = 4 * limits.MIB
_NUMBERS = "biuf"
_WEIGHTS = "iuf"  # of a dataset: weights are no truth values
_LARGEST_NUMBER = 8
_PLACE = 120  # characters of a place in a message
# deflate, shuffle, fletcher32, lzf. HDF5 would look for a library that knows another one.
_FILTERS = {1, 2, 3, 32000}

Piece: TypeAlias = memoryview


class Sink(Protocol):
    """Takes the values of each dataset, in the order of the records."""

    def put(self, size: int, pieces: Iterable[Piece]) -> None:
        """Take `size` bytes, in pieces."""


class Reader:
    """Reads one file. size: of the file, from which the limit of all its values follows."""

    def __init__(self, size: int, sink: Sink) -> None:
        self.groups: list[Group] = []
        self.datasets: list[Dataset] = []
        self.elements = 0
        self._size, self._sink = size, sink
        self._seen: set[int] = set()
        self._objects, self._attributes, self._bytes = 0, 0, 0

    def read(self, root: h5py.Group, place: str) -> None:
        """Read everything below `root`, which is at `place`. Raises Refused, or h5py's errors for a damaged file."""
        waiting: list[tuple[str, h5py.Group]] = [(place, root)]
        while waiting:
            path, group = waiting.pop()
            self.groups.append(Group(path, self._read_attributes(path, group)))
            self._objects += len(group)
            if self._objects > limits.HDF5_OBJECTS:
                raise Refused(f"it has more than {limits.HDF5_OBJECTS:,} groups and datasets; save the model again")
            for name in group:
                place = f"{path}/{name}" if path else name
                shown = place[:_PLACE]
                if len(name) > limits.HDF5_NAME:
                    raise Refused(f"{shown}… has a name of {len(name):,} characters; save the model again")
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise Refused(f"{shown} is a link, possibly to another file; save the model again")
                found = group[name]
                # Many names of one object would be many times its values, and a group inside itself has no end.
                if (address := h5py.h5o.get_info(found.id).addr) in self._seen:
                    raise Refused(f"{shown} is another name of the same values; save the model again")
                self._seen.add(address)
                if isinstance(found, h5py.Dataset):
                    self._read_dataset(place, found)
                elif not isinstance(found, h5py.Group):
                    raise Refused(f"{shown} is neither a group nor a dataset; save the model again")
                elif place.count("/") >= limits.HDF5_DEPTH:
                    raise Refused(f"{shown} lies more than {limits.HDF5_DEPTH} groups deep; save the model again")
                else:
                    waiting.append((place, found))

    def _read_dataset(self, place: str, found: h5py.Dataset) -> None:
        kind, shape, filters = found.dtype, found.shape, _filters(found)
        shown = place[:_PLACE]
        if found.external or found.is_virtual:
            raise Refused(f"{shown} has its values in another file; save the model again")
        plain = kind.kind in _WEIGHTS and kind.itemsize <= _LARGEST_NUMBER and h5py.check_enum_dtype(kind) is None
        if shape is None or not plain:
            raise Refused(f"{shown} has values of type {str(kind)[:80]}, not numbers; save the model again")
        if not filters <= _FILTERS or len(shape) > limits.HDF5_RANK:
            raise Refused(f"{shown} has filters {sorted(filters)} and rank {len(shape)}; save the model again")
        most = limits.unpacked(self._size)
        size = math.prod(shape) * kind.itemsize
        self._bytes += size
        chunk = math.prod(found.chunks or ()) * kind.itemsize
        if max(self._bytes, chunk) > most:
            what = f"declares {in_mib(size)} of {kind}, with the datasets before it {in_mib(self._bytes)}"
            raise Refused(
                f"{shown} {what if self._bytes > most else f'is stored in chunks of {in_mib(chunk)}'}, but a file of "
                f"{in_mib(self._size)} may stand for at most {in_mib(most)}; save the model again"
            )
        self.datasets.append(Dataset(place, kind.str, shape))
        self.elements += math.prod(shape)
        try:
            self._sink.put(size, _pieces(found))
        except (MemoryError, OSError) as error:
            if not filters:
                raise
            raise Refused(f"{shown} cannot be unpacked within the memory that its size allows: {error}") from None

    def _read_attributes(self, place: str, group: h5py.Group) -> dict[str, Any]:
        self._attributes += len(group.attrs)
        if self._attributes > limits.HDF5_ATTRIBUTES:
            raise Refused(f"it has more than {limits.HDF5_ATTRIBUTES:,} attributes; save the model again")
        for name in group.attrs:
            if len(name) > limits.HDF5_NAME:
                raise Refused(f"{place[:_PLACE]} has an attribute whose name has {len(name):,} characters")
        return {name: self._attribute(f"{place}@{name}", group, name) for name in group.attrs}

    def _attribute(self, place: str, group: h5py.Group, name: str) -> str | list[str] | ArrayRecord | None:
        check_attribute(place, group, name)
        value = group.attrs[name]
        if isinstance(value, h5py.Empty):
            return None
        if isinstance(value, bytes | str):
            return _text(value)
        found = np.asarray(value)
        if found.dtype.kind == "O":
            return [_text(each) for each in found.ravel().tolist()]
        if found.dtype.kind not in f"{_NUMBERS}S":
            raise Refused(f"the attribute {place[:_PLACE]} has values of type {found.dtype}; save the model again")
        return ArrayRecord(found.dtype.str, found.shape, found.tobytes())


def check_attribute(place: str, group: h5py.Group, name: str, most: int = limits.HDF5_ATTRIBUTE) -> None:
    """Raise Refused if an attribute declares too much to be read, or has values that are neither numbers nor text."""
    attribute = group.attrs.get_id(name)
    count, kind = math.prod(attribute.shape or ()), attribute.dtype
    if kind.kind not in f"{_NUMBERS}SO" or (kind.kind == "O" and h5py.check_string_dtype(kind) is None):
        raise Refused(f"the attribute {place[:_PLACE]} has values of type {str(kind)[:80]}; save the model again")
    # The length of texts is not declared here, and all can be the same bytes: the reading process has a limit for them.
    if count > limits.HDF5_ELEMENTS or count * kind.itemsize > most:
        raise Refused(
            f"the attribute {place[:_PLACE]} declares {count:,} values and {in_mib(count * kind.itemsize)}, but at "
            f"most {limits.HDF5_ELEMENTS:,} and {in_mib(most)} are read; save the model again"
        )


def _filters(found: h5py.Dataset) -> set[int]:
    properties = found.id.get_create_plist()
    return {properties.get_filter(i)[0] for i in range(properties.get_nfilters())}


def _pieces(found: h5py.Dataset) -> Iterator[Piece]:
    """The values in C order, a few megabytes at a time."""
    if found.size == 0:
        return
    if found.ndim == 0 or found.nbytes <= _PIECE:
        yield _bytes(found[()])
        return
    rows = max(1, _PIECE * found.shape[0] // found.nbytes)
    for start in range(0, found.shape[0], rows):
        yield _bytes(found[start : start + rows])


def _bytes(values: Any) -> Piece:  # noqa: ANN401 - an array or a scalar
    view: Piece = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
    return view


def _text(value: object) -> str:
    text = value.decode() if isinstance(value, bytes) else value
    if not isinstance(text, str):
        raise TypeError(f"a {type(text).__name__} where a text should be")
    return text
