"""Files that are small and unpack, or compute, without end: what benchmarks/hostile_files.py converts.

Tests use them too. Each function makes one file; `real` is the file that it takes the place of.
"""

from __future__ import annotations

import json
import lzma
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import h5py
import numpy as np

MIB, GIB = 1 << 20, 1 << 30
Make: TypeAlias = Callable[[Path, Path], Path]

MODEL, SCALER = "reversal_detector_stage1.h5", "feature_scaler.pkl"
FEATURES, METADATA = "selected_features.json", "stage1_metadata.json"


class Case(NamedTuple):
    """One file. make: creates it in a folder. replaces: a file of models/keras. suffix: if it is another one's."""

    name: str
    replaces: str
    make: Make
    suffix: str | None = None


# Archives


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


# Pickles


def _integer(value: int) -> bytes:
    data = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data if len(data) < 256 else b"\x8b" + len(data).to_bytes(4, "little") + data  # noqa: PLR2004


def _plain(value: object) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def _name(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _array(shape: bytes, dtype: str, data: bytes) -> bytes:
    empty = _name("numpy._core.multiarray", "_reconstruct") + b"(" + _name("numpy", "ndarray") + _plain((0,))
    kind = _name("numpy", "dtype") + b"(" + _plain(dtype) + _plain(False) + _plain(True) + b"tR"
    kind += _plain((3, "<", None, None, None, -1, -1, 0)) + b"b"
    return empty + b"C\x01btR(" + _plain(1) + shape + kind + _plain(False) + data + b"tb"


def _scaler(mean: bytes) -> bytes:
    attributes = _plain("mean_") + mean + _plain("scale_") + _plain([1.0])
    attributes += _plain("with_mean") + _plain(True) + _plain("with_std") + _plain(True)
    return _name("sklearn.preprocessing._data", "StandardScaler") + b")\x81}(" + attributes + b"ub"


def _bytes(data: bytes) -> bytes:
    return b"B" + len(data).to_bytes(4, "little") + data


def _pickled(operations: Callable[[], bytes]) -> Make:
    def make(folder: Path, _real: Path) -> Path:
        path = folder / "case.pkl"
        path.write_bytes(b"\x80\x04" + operations() + b".")
        return path

    return make


def _set_of_one_hash() -> bytes:
    numbers = (_integer(((1 << 61) - 1) * (k + 1)) for k in range(40_000))
    return b"\x8f(" + b"".join(numbers) + b"\x90"


def _long_product() -> bytes:
    shape = _integer((1 << (8 * 60_000 - 2)) + 1) + b"q\x050(" + b"h\x05" * 400 + b"t"
    return _scaler(_array(shape, "f8", b"C\x08ABCDEFGH"))


def _long_rank() -> bytes:
    """A shape of 40,000 dimensions of 62 bits: a product of 300,000 digits."""
    shape = _integer((1 << 62) - 1) + b"q\x050(" + b"h\x05" * 40_000 + b"t"
    return _scaler(_array(shape, "f8", b"C\x08ABCDEFGH"))


def _one_text_in_a_list() -> bytes:
    """A scalar of a megabyte of text, 20,000 times in a list: 80 GB of strings."""
    text = _array(_plain(()), "U250000", _bytes("x".encode("utf-32-le") * 250_000))
    return text + b"q\x050" + _scaler(b"](" + b"h\x05" * 20_000 + b"e")


def _equal_keys() -> bytes:
    """Two equal keys of 4 MB, compared 30,000 times."""
    key = b"X" + (4 * MIB).to_bytes(4, "little") + b"k" * 4 * MIB
    return key + b"q\x010" + key + b"q\x020" + b"}(h\x01Nu(" + b"h\x02N" * 30_000 + b"u"


def _many_keys() -> bytes:
    return b"}(" + b"".join(struct.pack("<cl", b"J", i) + b"N" for i in range(400_000)) + b"u"


def _many_objects() -> bytes:
    return b"(" + b"}" * 15_000_000 + b"l"


def _packed_zeros(folder: Path, _real: Path) -> Path:
    path = folder / "case.pkl"
    packing = zlib.compressobj(9)
    path.write_bytes(b"".join(packing.compress(bytes(MIB)) for _ in range(GIB // MIB)) + packing.flush())
    return path


def _lzma_dictionary(folder: Path, _real: Path) -> Path:
    """A stream of a few bytes that asks for a dictionary of 1.5 GiB."""
    path = folder / "case.pkl"
    data = bytearray(lzma.compress(bytes(1000), lzma.FORMAT_ALONE))
    struct.pack_into("<L", data, 1, 0x60000000)
    path.write_bytes(data)
    return path


def _gzip_members(folder: Path, _real: Path) -> Path:
    """700,000 empty members of gzip."""
    path = folder / "case.pkl"
    packing = zlib.compressobj(wbits=31)
    path.write_bytes((packing.compress(b"") + packing.flush()) * 700_000)
    return path


# Texts


def _text(text: str) -> Make:
    def make(folder: Path, _real: Path) -> Path:
        path = folder / "case"
        path.write_text(text)
        return path

    return make


_DETECTORS = "versions.toml"

CASES = (
    Case("zip: config.json unpacks to 1 GiB", MODEL, _zipped(_huge_config), ".keras"),
    Case("HDF5: a bias declares 2.8 GiB", MODEL, _changed(_huge_shape)),
    Case("pickle: a set of integers with one hash", SCALER, _pickled(_set_of_one_hash)),
    Case("pickle: a shape whose product does not end", SCALER, _pickled(_long_product)),
    # Variations
    Case("zip: config.json declares 100 bytes, unpacks to 1 GiB", MODEL, _lying_config, ".keras"),
    Case("zip: model.weights.h5 unpacks to 1 GiB", MODEL, _zipped(_huge_weights), ".keras"),
    Case("zip: 60,000 members", MODEL, _zipped(_many_members), ".keras"),
    Case("zip: 90 entries that share one member", MODEL, _overlapping, ".keras"),
    Case("zip: an archive of 1 GiB inside", MODEL, _zipped(_nested), ".keras"),
    Case("HDF5: a dataset of 8 TiB that was never written", MODEL, _changed(_never_written)),
    Case("HDF5: one value in a chunk of 1 GiB", MODEL, _changed(_huge_chunk)),
    Case("HDF5: a chunk of 16 KiB unpacks to 1 GiB", MODEL, _changed(_swelling_chunk)),
    Case("HDF5: 1 MiB under 9,000 names", MODEL, _changed(_one_dataset_often)),
    Case("HDF5: 2^30 paths", MODEL, _changed(_paths_without_end)),
    Case("HDF5: a group that contains itself", MODEL, _changed(_cycle_of_groups)),
    Case("HDF5: 20,000 groups", MODEL, _changed(_many_groups)),
    Case("HDF5: 4,000 texts that are the same megabyte", MODEL, _one_text_often),
    Case("HDF5: a sparse file of 10 GiB", MODEL, _sparse),
    Case("configuration: a layer of 10^9 units", MODEL, _configured(_wide)),
    Case("configuration: five layers of 30,000 units", MODEL, _configured(_wide_in_steps)),
    Case("configuration: an input of 10^9 features", MODEL, _configured(_wide_input)),
    Case("configuration: a build_config of 10^10 weights", MODEL, _configured(_wide_by_build_config)),
    Case("configuration: layers that wait for each other", MODEL, _configured(_waiting_layers)),
    Case("configuration: 1,000,000 levels", MODEL, _text_of_config("[" * 1_000_000)),
    Case("configuration: 650,000 empty lists", MODEL, _text_of_config("[" + "[]," * 650_000 + "0]")),
    Case("pickle: a shape of 40,000 dimensions", SCALER, _pickled(_long_rank)),
    Case("pickle: 1 MB of text, 20,000 times", SCALER, _pickled(_one_text_in_a_list)),
    Case("pickle: equal keys of 4 MB, 30,000 times", SCALER, _pickled(_equal_keys)),
    Case("pickle: a dict of 400,000 keys", SCALER, _pickled(_many_keys)),
    Case("pickle: 15,000,000 objects", SCALER, _pickled(_many_objects)),
    Case("pickle: zlib of 1 GiB", SCALER, _packed_zeros),
    Case("pickle: lzma with a dictionary of 1.5 GiB", SCALER, _lzma_dictionary),
    Case("pickle: 700,000 members of gzip", SCALER, _gzip_members),
    Case("TOML: a key of 30,000 parts", _DETECTORS, _text("a" + ".a" * 30_000 + " = 1")),
    Case("JSON: 10,000 features", FEATURES, _text(json.dumps([f"sma_{i}" for i in range(1, 10_000)]))),
    Case("JSON: 20,000,000 empty lists", METADATA, _text('{"a":[' + "[]," * 20_000_000 + "0]}")),
)
