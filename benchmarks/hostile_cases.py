"""Files that are small and unpack, or compute, without end: what benchmarks/hostile_files.py converts.

Tests use them too. Each function makes one file; `real` is the file that it takes the place of.
"""

from __future__ import annotations

import json
import lzma
import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import hostile_models
from benchmarks.hostile_configurations import CONFIGURATIONS
from benchmarks.hostile_models import MIB, WEIGHTS, Make

MODEL, SCALER = "reversal_detector_stage1.h5", "feature_scaler.pkl"
FEATURES, METADATA = "selected_features.json", "stage1_metadata.json"


class Case(NamedTuple):
    """One file. make: creates it in a folder. replaces: a file of models/keras. suffix: if it is another one's."""

    name: str
    replaces: str
    make: Make
    suffix: str | None = None


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


def _long_array() -> bytes:
    data = np.arange(2_000_000, dtype="f8").tobytes()
    return _scaler(_array(_plain((2_000_000,)), "f8", _bytes(data)))


def _transformer(module: str, name: str, attributes: bytes) -> bytes:
    return _name(f"sklearn.{module}", name) + b")\x81}(" + attributes + b"ub"


def _long_quantiles() -> bytes:
    """16,000,000 numbers of a byte: 128 MB once they are numbers of eight."""
    data = bytes(16_000_000)
    attributes = _plain("quantiles_") + _array(_plain((16_000, 1_000)), "i1", _bytes(data))
    return _transformer("preprocessing._data", "QuantileTransformer", attributes)


def _long_references() -> bytes:
    attributes = _plain("references_") + _array(_plain((2_000_000,)), "f8", _bytes(bytes(16_000_000)))
    return _transformer("preprocessing._data", "QuantileTransformer", attributes)


def _column_transformers() -> bytes:
    """ColumnTransformers, each twice in the next one: 2^40 parts."""
    found = _scaler(_plain([0.0]))
    for _ in range(40):
        twice = b"](" + b"".join(b"(" + _plain(n) + b"h\x09" + _plain([0]) + b"t" for n in "ab") + b"e"
        part = _plain("transformers_") + twice + _plain("n_features_in_") + _plain(1)
        found += b"q\x090" + _transformer("compose._column_transformer", "ColumnTransformer", part)
    return found


def _slice_of_columns() -> bytes:
    """A slice of 2^62 columns."""
    columns = _name("builtins", "slice") + b"(" + _plain(0) + _integer((1 << 62) - 1) + _plain(None) + b"tR"
    parts = b"](" + _plain("a") + _scaler(_plain([0.0])) + columns + b"\x87e"
    attributes = _plain("transformers_") + parts + _plain("n_features_in_") + _plain(1 << 40)
    return _transformer("compose._column_transformer", "ColumnTransformer", attributes)


def _one_text_in_a_list() -> bytes:
    """A scalar of a megabyte of text, 900 times in a list: 900 MB of strings."""
    text = _array(_plain(()), "U250000", _bytes("x".encode("utf-32-le") * 250_000))
    return text + b"q\x050" + _scaler(b"](" + b"h\x05" * 900 + b"e")


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
    path.write_bytes(hostile_models.packed_zeros())
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
    *(Case(name, MODEL, make, suffix) for name, make, suffix in (*WEIGHTS, *CONFIGURATIONS)),
    Case("pickle: a set of integers with one hash", SCALER, _pickled(_set_of_one_hash)),
    Case("pickle: a shape whose product does not end", SCALER, _pickled(_long_product)),
    Case("pickle: a shape of 40,000 dimensions", SCALER, _pickled(_long_rank)),
    Case("pickle: an array of 2,000,000 values", SCALER, _pickled(_long_array)),
    Case("pickle: 16,000,000 quantiles of a byte", SCALER, _pickled(_long_quantiles)),
    Case("pickle: 2,000,000 references", SCALER, _pickled(_long_references)),
    Case("pickle: ColumnTransformers that double 40 times", SCALER, _pickled(_column_transformers)),
    Case("pickle: a slice of 2^62 columns", SCALER, _pickled(_slice_of_columns)),
    Case("pickle: 1 MB of text, 900 times", SCALER, _pickled(_one_text_in_a_list)),
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
