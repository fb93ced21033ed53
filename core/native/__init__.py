"""The optional extension in C: what a request needs most often, in a fraction of the time.

It is used if it was built beside this file (`python core/native/build.py`) from the present sources. Each of its
functions has a pure way in Python, which gives the same numbers to the bit, and to which the extension leaves
everything unusual: it returns None then.
"""

from __future__ import annotations

import logging
import struct
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Protocol, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from core.log_event import LogEvent
from core.native.build import FILE, FOLDER, source_digest

__all__ = ["FILE", "FOLDER", "Extension", "Floats", "extension", "found", "load", "source_digest"]

log = logging.getLogger(__name__)

# Where the table of sections begins, the size of each, and their number. The table is last in the file.
_ELF = struct.Struct("<40xQ10xHH")

Floats: TypeAlias = NDArray[np.float64]
Floats32: TypeAlias = NDArray[np.float32]


class Extension(Protocol):
    """The functions of the extension."""

    SOURCE: str

    def body(self, body: bytes, /) -> tuple[int, int, int, bytes, bytes | int | None] | None:
        """Return where `data` or `features` begins and ends in a JSON body, its form, and its numbers in float64.

        The form: 0 objects, 1 columns, 2 rows, 3 a matrix of features. Candles are (5, n), and their times follow in
        milliseconds since 1970, which ascend; None if they have none. A matrix is followed by its number of rows. The
        rest of the body is not checked.
        """

    def bars(self, rows: bytes | memoryview, /) -> bytes | None:
        """Return candles (n, 5) of float64 as (5, n)."""

    def features(self, program: bytes, rows: int, least: int, series: list[Floats], out: Floats, /) -> None:
        """Fill columns of `out` (series, rows, width) with features of the last bars of each series, (5, bars).

        program: int32, for each feature its column, its operation and its number of bars (core.features.compiled).
        least: the bars that they need. Raises ValueError for arrays of other types or shapes, or with too few bars.
        """

    def scale(self, centre: Floats, scale: Floats, values: Floats, out: Floats32, /) -> None:
        """Fill `out` with (values - centre) / scale. centre, scale: (width,). values, out: (..., width), in C order.

        Raises ValueError for arrays of other types or sizes.
        """

    def within(self, windows: Floats32, low: Floats32, high: Floats32, /) -> bool:
        """Return whether all values of windows (n, rows, width) are between those of low and high (rows, width).

        False for NaN, and for arrays of other types or shapes.
        """


def load(file: Path) -> Extension:
    """Load an extension from a file. Raises ImportError or OSError."""
    if _is_cut(file):
        raise ImportError("the end of the file is missing")
    spec = spec_from_file_location("_native", file, loader=ExtensionFileLoader("_native", str(file)))
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no extension")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("Extension", module)


def _is_cut(file: Path) -> bool:
    """Whether the end of a 64-bit ELF file is missing, as after a copy to a full disk. To load it kills the process."""
    with file.open("rb") as opened:
        head = opened.read(_ELF.size)
    if len(head) < _ELF.size or not head.startswith(b"\x7fELF\2\1"):
        return False  # the loader says what is wrong
    start, size, count = _ELF.unpack(head)
    return bool(file.stat().st_size < start + size * count)


def found() -> Extension | None:
    """Return the extension beside this file; None if it is missing, of other sources, or does not load.

    Where the sources are not installed, as in a container, it was built for this release.
    """
    file = FOLDER / FILE
    if not file.exists():
        return None
    try:
        extension = load(file)
    except (ImportError, OSError) as error:
        log.warning(LogEvent("extension_unusable", file=FILE, error=str(error)))
        return None
    if any(FOLDER.glob("*.c")) and source_digest() != extension.SOURCE:
        log.warning(LogEvent("extension_outdated", file=FILE, effect="not used; build it again"))
        return None
    return extension


extension = found()
