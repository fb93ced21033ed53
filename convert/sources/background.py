"""Read a stage's stored windows: scaled inputs of training, as `numpy.save` writes them, for explanations.

The head of the file is parsed by NumPy, without pickle, and compared with the size of the file before memory is taken.
"""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray

from convert.errors import Refused
from core.bundles.windows import MOST

_FLOATS = ("f2", "f4", "f8")
_RANK = 3
_SAVE = "save it with numpy.save as an array of floats (windows, steps, features)"
_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read(data: bytes, file: str) -> NDArray[np.float32]:
    """The windows of a file, (windows, steps, features). Raises Refused, with the file's name."""
    stream = io.BytesIO(data)
    try:
        shape, by_columns, kind = _READERS[np.lib.format.read_magic(stream)](stream)
    except Exception:  # noqa: BLE001 - the parser of heads raises errors of many kinds
        raise Refused.at(file, f"not a file of NumPy's format 1 or 2; {_SAVE}") from None
    if kind.str[1:] not in _FLOATS:
        raise Refused.at(file, f"has {kind} values; {_SAVE}")
    if len(shape) != _RANK or min(shape) < 1:
        raise Refused.at(file, f"has the shape {shape}; {_SAVE}")
    if shape[0] > MOST:
        raise Refused.at(
            file,
            f"has {shape[0]:,} windows, but at most {MOST} are stored; keep an even spread of them:"
            f" windows[numpy.linspace(0, len(windows) - 1, {MOST}).round().astype(int)]",
        )
    expected = stream.tell() + math.prod(shape) * kind.itemsize
    if len(data) != expected:
        raise Refused.at(file, f"has {len(data):,} bytes, but an array of its shape {shape} has {expected:,}")
    values = np.frombuffer(data, kind, offset=stream.tell()).reshape(shape, order="F" if by_columns else "C")
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(values.astype(np.float32))
    if not np.isfinite(found).all():
        place = ", ".join(map(str, np.argwhere(~np.isfinite(found))[0].tolist()))
        raise Refused.at(
            file, f"its value at [{place}] is not finite, or too large for the network, which takes float32"
        )
    return found


def check_features(windows: NDArray[np.float32], file: str, features: int) -> None:
    """Raise Refused unless the windows have so many features."""
    if windows.shape[2] != features:
        raise Refused.at(file, f"its windows have {windows.shape[2]} features, but the feature list has {features}")


def check_steps(windows: NDArray[np.float32], file: str, steps: int) -> None:
    """Raise Refused unless the windows have so many steps, which are known once the model is read."""
    if windows.shape[1] != steps:
        raise Refused.at(file, f"its windows have {windows.shape[1]} steps, but the model takes {steps}")
