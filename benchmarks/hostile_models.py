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
from typing import Any, TypeAlias

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


def _changed(change: Callable[[h5py.File], None]) -> Make:
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


def _huge_chunk(file: h5py.File) -> None:
    """One value, in a chunk of a gigabyte."""
    name = _last_bias(file)
    del file[name]
    made = file.create_dataset(name, (1,), "f4", maxshape=(None,), chunks=(GIB // 4,), compression="gzip", fillvalue=1)
    packing = zlib.compressobj(9)
    data = b"".join(packing.compress(bytes(MIB)) for _ in range(GIB // MIB)) + packing.flush()
    made.id.write_direct_chunk((0,), data)


def _swelling_chunk(file: h5py.File) -> None:
    """A chunk of 16 KiB whose stream unpacks to a gigabyte: HDF5 makes room for all of it."""
    name = _last_bias(file)
    del file[name]
    made = file.create_dataset(name, (4096,), "f4", chunks=(4096,), compression="gzip")
    packing = zlib.compressobj(9)
    data = b"".join(packing.compress(bytes(MIB)) for _ in range(GIB // MIB)) + packing.flush()
    made.id.write_direct_chunk((0,), data)


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

    path = _changed(change)(folder, real)
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


# Configurations


def _configured(change: Callable[[dict[str, Any]], None]) -> Make:
    def edit(file: h5py.File) -> None:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)

    return _changed(edit)


def _layer(config: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(x for x in config["config"]["layers"] if x["class_name"] == kind)
    return found


def _wide(config: dict[str, Any]) -> None:
    _layer(config, "Dense")["config"]["units"] = 1_000_000_000


def _wide_in_steps(config: dict[str, Any]) -> None:
    """Layers that are each no wider than the limit of a shape, and together have 10^10 parameters."""
    for layer in config["config"]["layers"]:
        if "units" in layer["config"]:
            layer["config"]["units"] = 30_000


def _wide_input(config: dict[str, Any]) -> None:
    for layer in config["config"]["layers"]:
        for key in ("batch_input_shape", "batch_shape"):
            if key in layer["config"]:
                layer["config"][key] = [None, 20, 1_000_000_000]


def _wide_by_build_config(config: dict[str, Any]) -> None:
    """Keras 3 builds a layer for the shape that it says itself."""
    _layer(config, "Dense")["build_config"] = {"input_shape": [None, 99_000]}
    _layer(config, "Dense")["config"]["units"] = 99_000


def _waiting_layers(config: dict[str, Any]) -> None:
    """Two layers that take each other's output: Keras tries them in turns for ever."""
    layers = config["config"]["layers"]
    for layer, other in ((layers[-2], layers[-1]), (layers[-1], layers[-2])):
        layer["name"] = layer["config"]["name"]
        layer["inbound_nodes"] = [[[other["config"]["name"], 0, 0, {}]]]
    config["class_name"] = "Functional"


def _text_of_config(text: str) -> Make:
    def edit(file: h5py.File) -> None:
        file.attrs["model_config"] = text

    return _changed(edit)


MODELS: tuple[Named, ...] = (
    ("zip: config.json unpacks to 1 GiB", _zipped(_huge_config), ".keras"),
    ("HDF5: a bias declares 2.8 GiB", _changed(_huge_shape), ".h5"),
    ("zip: config.json declares 100 bytes, unpacks to 1 GiB", _lying_config, ".keras"),
    ("zip: model.weights.h5 unpacks to 1 GiB", _zipped(_huge_weights), ".keras"),
    ("zip: 60,000 members", _zipped(_many_members), ".keras"),
    ("zip: 90 entries that share one member", _overlapping, ".keras"),
    ("zip: an archive of 1 GiB inside", _zipped(_nested), ".keras"),
    ("HDF5: a dataset of 8 TiB that was never written", _changed(_never_written), ".h5"),
    ("HDF5: one value in a chunk of 1 GiB", _changed(_huge_chunk), ".h5"),
    ("HDF5: a chunk of 16 KiB unpacks to 1 GiB", _changed(_swelling_chunk), ".h5"),
    ("HDF5: 1 MiB under 9,000 names", _changed(_one_dataset_often), ".h5"),
    ("HDF5: 2^30 paths", _changed(_paths_without_end), ".h5"),
    ("HDF5: a group that contains itself", _changed(_cycle_of_groups), ".h5"),
    ("HDF5: 20,000 groups", _changed(_many_groups), ".h5"),
    ("HDF5: 4,000 texts that are the same megabyte", _one_text_often, ".h5"),
    ("HDF5: a sparse file of 10 GiB", _sparse, ".h5"),
    ("HDF5: a hole of 900 MiB", _changed(_hole), ".h5"),
    ("configuration: a layer of 10^9 units", _configured(_wide), ".h5"),
    ("configuration: five layers of 30,000 units", _configured(_wide_in_steps), ".h5"),
    ("configuration: an input of 10^9 features", _configured(_wide_input), ".h5"),
    ("configuration: a build_config of 10^10 weights", _configured(_wide_by_build_config), ".h5"),
    ("configuration: layers that wait for each other", _configured(_waiting_layers), ".h5"),
    ("configuration: 1,000,000 levels", _text_of_config("[" * 1_000_000), ".h5"),
    ("configuration: 650,000 empty lists", _text_of_config("[" + "[]," * 650_000 + "0]"), ".h5"),
)
