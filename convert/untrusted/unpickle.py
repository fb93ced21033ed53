"""Read fitted scalers from pickle and joblib files, compressed or not, without running code from them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from convert.errors import Refused
from convert.untrusted.estimators import LARGEST, Rebuilding
from convert.untrusted.pickles import Machine


def load(path: Path) -> tuple[Any, list[str]]:
    """Return the scaler or Pipeline in the file, and notes for the user on how it was read.

    Raises Refused for a file that names anything except the parts of a scaler, that holds anything else, or that cannot
    be read. No other code than this package's reads the file before it is known to hold only a scaler.
    """
    rebuilding = Rebuilding()
    try:
        scaler = rebuilding.estimator(Machine(io.BytesIO(_unpacked(path))).read())
    except Refused as error:
        raise Refused.at(path.name, _line(str(error))) from None
    except Exception as error:  # noqa: BLE001 - a damaged file can raise any error
        raise Refused.at(path.name, _line(f"not a readable pickle or joblib file: {error!r}")) from None
    versions = sorted(rebuilding.versions)
    return scaler, [_line(f"{path.name} was written by scikit-learn {version}") for version in versions]


def _unzlib(data: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    plain = unpacking.decompress(data, LARGEST + 1)
    if not unpacking.eof and len(plain) <= LARGEST:
        raise ValueError("the file ends too early")
    return plain


def _ungzip(data: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        return file.read(LARGEST + 1)


def _unbz2(data: bytes) -> bytes:
    with bz2.BZ2File(io.BytesIO(data)) as file:
        return file.read(LARGEST + 1)


def _unlzma(data: bytes) -> bytes:
    with lzma.LZMAFile(io.BytesIO(data)) as file:
        return file.read(LARGEST + 1)


# joblib's compressions, by the first bytes. Releases before 0.10, which wrote arrays to other files, are not supported.
_COMPRESSIONS: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"x", _unzlib),
    (b"\x1f\x8b", _ungzip),
    (b"BZ", _unbz2),
    (b"\xfd7zXZ", _unlzma),
    (b"\x5d\x00", _unlzma),
)


def _unpacked(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    for prefix, unpack in _COMPRESSIONS:
        if len(data) <= LARGEST and data.startswith(prefix):
            data = unpack(data)
            break
    if len(data) > LARGEST:
        raise Refused(f"holds more than {LARGEST >> 20} MiB, far more than a scaler; none of its code ran")
    return data


def _line(text: str) -> str:
    """A text for one line of a message. Characters that cannot be printed become question marks."""
    return "".join(c if c.isprintable() else "?" for c in text[:300])
