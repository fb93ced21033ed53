"""Fitted scalers from pickle and joblib files, through a list of what such a file may ask for.

A pickle is a program: it calls what it can find. Here it finds the classes of scalers, what NumPy needs to rebuild an
array, and nothing else. Names that moved between releases are listed under every name that they had.
"""

from __future__ import annotations

import bz2
import codecs
import copyreg
import gzip
import io
import lzma
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler
from numpy._core import multiarray, numeric
from sklearn import preprocessing
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import Pipeline

from convert.errors import Refused

SCALERS = (
    preprocessing.StandardScaler,
    preprocessing.MinMaxScaler,
    preprocessing.MaxAbsScaler,
    preprocessing.RobustScaler,
)


# How joblib compresses, by the first bytes. Its first form of all, before 0.10, spread arrays over other files.
_COMPRESSIONS: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"x", zlib.decompress),
    (b"\x1f\x8b", gzip.decompress),
    (b"BZ", bz2.decompress),
    (b"\xfd7zXZ", lzma.decompress),
    (b"\x5d\x00", lzma.decompress),
)


def load(path: Path) -> tuple[Any, list[str]]:
    """The object in the file, and what a person should know about how it was read.

    Raises Refused for a file that asks for anything but the parts of a scaler, before any of it is called, and for
    one that cannot be read.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            loaded = _Unpickler("", io.BytesIO(_plain(path.read_bytes())), ensure_native_byte_order=True).load()
        except Refused as error:
            raise Refused.at(path.name, error) from None
        except Exception as error:  # noqa: BLE001 - a damaged pickle raises whatever it stumbles over
            raise Refused.at(path.name, f"not a readable pickle or joblib file: {error!r}") from None
    old = {w.message.original_sklearn_version for w in caught if isinstance(w.message, InconsistentVersionWarning)}
    return loaded, [f"{path.name} was written by scikit-learn {version}" for version in sorted(old)]


class _Unpickler(NumpyUnpickler):  # type: ignore[misc] # joblib ships no types
    """joblib's own, which reads plain pickles too. It looks names up here for the arrays inside as well."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401
        if (module, name) not in _ALLOWED:
            raise Refused(f"asks for {module}.{name}, which is no part of a scaler that can be converted; nothing ran")
        return _ALLOWED[module, name]


def _plain(data: bytes) -> bytes:
    for prefix, decompress in _COMPRESSIONS:
        if data.startswith(prefix):
            return decompress(data)
    return data


def _allowed() -> dict[tuple[str, str], Any]:
    table: dict[tuple[str, str], Any] = {
        ("sklearn.pipeline", "Pipeline"): Pipeline,
        ("joblib.numpy_pickle", "NumpyArrayWrapper"): NumpyArrayWrapper,
        ("_codecs", "encode"): codecs.encode,  # how protocol 2 writes bytes
        ("numpy", "dtype"): np.dtype,
        ("numpy", "ndarray"): np.ndarray,
    }
    for scaler in SCALERS:
        for module in ("sklearn.preprocessing", "sklearn.preprocessing.data", "sklearn.preprocessing._data"):
            table[module, scaler.__name__] = scaler
    for package in ("numpy.core", "numpy._core"):
        table[f"{package}.multiarray", "_reconstruct"] = multiarray._reconstruct  # noqa: SLF001 - what pickles name
        table[f"{package}.multiarray", "scalar"] = multiarray.scalar
        table[f"{package}.numeric", "_frombuffer"] = numeric._frombuffer  # type: ignore[attr-defined] # noqa: SLF001
    for module in ("copyreg", "copy_reg"):
        table[module, "_reconstructor"] = copyreg._reconstructor  # type: ignore[attr-defined] # noqa: SLF001
    for module in ("builtins", "__builtin__"):
        table[module, "object"] = object
    return table


_ALLOWED = _allowed()
