"""Small Keras files that unpack, or compute, without end: cases of benchmarks/hostile_cases.py.

Each function makes one file; `real` is the file that it takes the place of.
"""

from __future__ import annotations

import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import h5py
import numpy as np

MIB, GIB = 1 << 20, 1 << 30
Make: TypeAlias = Callable[[Path, Path], Path]
# Name, function, and the suffix of the file.
Named: TypeAlias = tuple[str, Make, str]


def _zipped(members: Callable[[zipfile.ZipFile], object]) -> Make:
    def make(folder: Path, _real: Path) -> Path:
        path = folder / "case.keras"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": "3.5.0"}))
            members(archive)
        return path

    return make


def _zeros(archive: zipfile.ZipFile, name: str) -> None:
    with archive.open(name, "w", force_zip64=True) as member:
        for _ in range(GIB // MIB):
            member.write(b" " * MIB)


def _huge_config(archive: zipfile.ZipFile) -> None:
    _zeros(archive, "config.json")
    archive.writestr("model.weights.h5", b"")


def _huge_weights(archive: zipfile.ZipFile) -> None:
    archive.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {"layers": []}}))
    _zeros(archive, "model.weights.h5")


def _many_members(archive: zipfile.ZipFile) -> None:
    for i in range(60_000):
        archive.writestr(zipfile.ZipInfo(f"{i}"), b"")


def _ninety_members(archive: zipfile.ZipFile) -> None:
    for i in range(90):
        archive.writestr(f"{i:011}", b"x" * 999)


def _nested(archive: zipfile.ZipFile) -> None:
    config = json.dumps({"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "config": {}}]}})
    archive.writestr("config.json", config)
    archive.writestr("model.weights.h5", b"")
    _zeros(archive, "inner.keras")


def _lying_config(folder: Path, real: Path) -> Path:
    """A member that declares 100 bytes and unpacks to a gigabyte."""
    path = _zipped(_huge_config)(folder, real)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"config.json") - 46  # its entry in the directory
    struct.pack_into("<L", data, at + 24, 100)
    path.write_bytes(data)
    return path


def _overlapping(folder: Path, real: Path) -> Path:
    """A hundred entries of the directory that share one member."""
    path = _zipped(_ninety_members)(folder, real)
    with zipfile.ZipFile(path) as archive:
        first = archive.infolist()[1]
    data = bytearray(path.read_bytes())
    at = -1
    while (at := data.find(b"PK\x01\x02", at + 1)) >= 0:
        struct.pack_into("<L", data, at + 42, first.header_offset)
    path.write_bytes(data)
    return path


# HDF5


def changed(change: Callable[[h5py.File], None]) -> Make:
    """Make a file by a change to the real one."""

    def make(folder: Path, real: Path) -> Path:
        path = folder / "case.h5"
        path.write_bytes(real.read_bytes())
        with h5py.File(path, "r+") as file:
            change(file)
        return path

    return make


def _last_bias(file: h5py.File) -> str:
    found: list[str] = []
    file["model_weights"].visit(lambda name: found.append(f"model_weights/{name}") if "bias" in name else None)
    return found[-1]


def _huge_shape(file: h5py.File) -> None:
    name = _last_bias(file)
    del file[name]
    file.create_dataset(name, shape=(750_000_000,), dtype="f4", chunks=(MIB,), compression="gzip")


def _never_written(file: h5py.File) -> None:
    name = _last_bias(file)
    del file[name]
    file.create_dataset(name, shape=(1 << 40,), dtype="f8", chunks=(MIB,))


def packed_zeros() -> bytes:
    """A gigabyte of zeros."""
    packing = zlib.compressobj(9)
    return b"".join(packing.compress(bytes(MIB)) for _ in range(GIB // MIB)) + packing.flush()


def _huge_chunk(file: h5py.File) -> None:
    """One value, in a chunk of a gigabyte."""
    name = _last_bias(file)
    del file[name]
    made = file.create_dataset(name, (1,), "f4", maxshape=(None,), chunks=(GIB // 4,), compression="gzip", fillvalue=1)
    made.id.write_direct_chunk((0,), packed_zeros())


def _swelling_chunk(file: h5py.File) -> None:
    """A chunk of 16 KiB whose stream unpacks to a gigabyte: HDF5 makes room for all of it."""
    name = _last_bias(file)
    del file[name]
    made = file.create_dataset(name, (4096,), "f4", chunks=(4096,), compression="gzip")
    made.id.write_direct_chunk((0,), packed_zeros())


def _tiny_chunks(file: h5py.File) -> None:
    """A bias of 200,000 bytes in chunks of one byte."""
    name = _last_bias(file)
    del file[name]
    file.create_dataset(name, data=np.zeros(200_000, "u1"), chunks=(1,))


def _one_dataset_often(file: h5py.File) -> None:
    """One megabyte under 9,000 names."""
    group = file.create_group("model_weights/often")
    one = group.create_dataset("0", data=np.zeros(MIB, "u1"))
    for i in range(1, 9_000):
        group[str(i)] = one


def _paths_without_end(file: h5py.File) -> None:
    """Thirty groups, each with two links to the next one: 2^30 paths."""
    group = file.create_group("model_weights/paths")
    for _ in range(30):
        inner = group.create_group("a")
        group["b"] = inner
        group = inner


def _cycle_of_groups(file: h5py.File) -> None:
    group = file.create_group("model_weights/cycle")
    group["again"] = group


def _many_groups(file: h5py.File) -> None:
    for i in range(20_000):
        file.create_group(f"model_weights/groups/{i}", track_order=False)


def _one_text_often(folder: Path, real: Path) -> Path:
    """An attribute of 4,000 texts that are all the same megabyte of the file."""

    def change(file: h5py.File) -> None:
        texts = ["x" * MIB, *("y" * 5 for _ in range(3_999))]
        attribute = h5py.h5a.create(
            file["model_weights"].id,
            b"often",
            h5py.h5t.py_create(h5py.string_dtype(), logical=True),
            h5py.h5s.create_simple((4_000,)),
        )
        attribute.write(np.array(texts, dtype=h5py.string_dtype()))

    path = changed(change)(folder, real)
    data = path.read_bytes()
    first = data.index(struct.pack("<L", 5)) - 16
    while data[first : first + 4] != struct.pack("<L", MIB) or data[first + 32 : first + 36] != struct.pack("<L", 5):
        first = data.index(struct.pack("<L", 5), first + 17) - 16
    reference = data[first : first + 16]  # length, address of the heap, number in it
    at = first + 16
    while data[at : at + 4] == struct.pack("<L", 5):
        data = data[:at] + reference + data[at + 16 :]
        at += 16
    path.write_bytes(data)
    return path


def _hole(file: h5py.File) -> None:
    """A dataset of 900 MiB that the file has room for, but that no disk holds."""
    name = _last_bias(file)
    del file[name]
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    space, kind = h5py.h5s.create_simple((900 * MIB // 4,)), h5py.h5t.IEEE_F32LE
    h5py.h5d.create(file.id, name.encode(), kind, space, properties)


def _sparse(folder: Path, real: Path) -> Path:
    path = folder / "case.h5"
    path.write_bytes(real.read_bytes())
    os.truncate(path, 10 * GIB)
    return path


WEIGHTS: tuple[Named, ...] = (
    ("zip: config.json unpacks to 1 GiB", _zipped(_huge_config), ".keras"),
    ("HDF5: a bias declares 2.8 GiB", changed(_huge_shape), ".h5"),
    ("zip: config.json declares 100 bytes, unpacks to 1 GiB", _lying_config, ".keras"),
    ("zip: model.weights.h5 unpacks to 1 GiB", _zipped(_huge_weights), ".keras"),
    ("zip: 60,000 members", _zipped(_many_members), ".keras"),
    ("zip: 90 entries that share one member", _overlapping, ".keras"),
    ("zip: an archive of 1 GiB inside", _zipped(_nested), ".keras"),
    ("HDF5: a dataset of 8 TiB that was never written", changed(_never_written), ".h5"),
    ("HDF5: one value in a chunk of 1 GiB", changed(_huge_chunk), ".h5"),
    ("HDF5: a chunk of 16 KiB unpacks to 1 GiB", changed(_swelling_chunk), ".h5"),
    ("HDF5: 200,000 chunks of one byte", changed(_tiny_chunks), ".h5"),
    ("HDF5: 1 MiB under 9,000 names", changed(_one_dataset_often), ".h5"),
    ("HDF5: 2^30 paths", changed(_paths_without_end), ".h5"),
    ("HDF5: a group that contains itself", changed(_cycle_of_groups), ".h5"),
    ("HDF5: 20,000 groups", changed(_many_groups), ".h5"),
    ("HDF5: 4,000 texts that are the same megabyte", _one_text_often, ".h5"),
    ("HDF5: a sparse file of 10 GiB", _sparse, ".h5"),
    ("HDF5: a hole of 900 MiB", changed(_hole), ".h5"),
)
