"""Read fitted scalers from pickle and joblib files, compressed or not, without running code from them."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from convert.errors import Refused, line
from convert.untrusted import limits
from convert.untrusted.records import ScalerFile
from convert.untrusted.scalers.estimators import Damaged
from convert.untrusted.scalers.pickles import Machine
from convert.untrusted.scalers.recording import Recording

_LINE = 300  # characters of a message
_LARGEST = limits.SCALER_FILE
# The highest level of xz needs 65 MiB, whatever the data; a file can ask for 4 GiB.
_LZMA_MEMORY = 100 * limits.MIB


def read(path: Path) -> ScalerFile:
    """Return the record of the scaler or Pipeline in the file.

    Raises Refused for a file that names anything except the parts of a scaler, that holds anything else, or that cannot
    be read. No other code than this package's reads the file before it is known to hold only a scaler.
    """
    recording = Recording()
    try:
        scaler = recording.estimator(Machine(io.BytesIO(_unpacked(path))).read())
    except Refused as error:
        raise Refused.at(path.name, line(str(error), _LINE)) from None
    except MemoryError:
        raise  # the process that reads the file has a limit of its own
    except Damaged as error:
        raise Refused.at(path.name, line(f"not a readable pickle or joblib file: {error}", _LINE)) from None
    except Exception:  # noqa: BLE001 - a damaged file can raise any error, in words for programmers
        raise Refused.at(path.name, "not a readable pickle or joblib file: it is damaged") from None
    return ScalerFile(path.name, scaler, sorted(line(version, _LINE) for version in recording.versions))


class _Unpacking(Protocol):
    """Unpacks one stream. Files of several streams, which joblib does not write, are read up to the first one's end."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Unpack at most that many bytes."""


# joblib's compressions, by the first bytes. Releases before 0.10, which wrote arrays to other files, are not supported.
_COMPRESSIONS: tuple[tuple[bytes, Callable[[], _Unpacking]], ...] = (
    (b"x", zlib.decompressobj),
    (b"\x1f\x8b", lambda: zlib.decompressobj(wbits=31)),  # gzip
    (b"BZ", bz2.BZ2Decompressor),
    (b"\xfd7zXZ", lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)),
    (b"\x5d\x00", lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)),
)


def _unpacked(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    for prefix, start in _COMPRESSIONS:
        if len(data) <= _LARGEST and data.startswith(prefix):
            unpacking = start()
            try:
                data = unpacking.decompress(data, _LARGEST + 1)
            except (OSError, EOFError, zlib.error, lzma.LZMAError):
                raise Damaged("its compressed data are damaged") from None
            if not unpacking.eof and len(data) <= _LARGEST:
                raise Damaged("the file ends too early")
            break
    if len(data) > _LARGEST:
        raise Refused(f"holds more than {limits.in_mib(_LARGEST)}, far more than a scaler")
    return data
