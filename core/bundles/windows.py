"""Stored windows of a bundle: scaled inputs of the training part, as a file of NumPy (.npy) with one fixed head.

The head follows from the shape, so it is compared and not parsed: a bundle is untrusted.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

# The most windows of a stage. Each more makes an explanation as much longer.
MOST = 50
_MAGIC = b"\x93NUMPY\x01\x00"
_ALIGNED = 64
_FLOAT = 4  # bytes


def encode(windows: NDArray[np.float32]) -> bytes:
    """The file of windows (windows, steps, features)."""
    count, steps, features = windows.shape
    return _head(count, steps, features) + windows.astype("<f4").tobytes()


def decode(data: bytes, count: int, steps: int, features: int) -> NDArray[np.float32]:
    """The windows of a file. Raises ValueError unless they have this shape and finite numbers."""
    head = _head(count, steps, features)
    if not data.startswith(head):
        raise ValueError(f"not a file of float32 windows of the shape ({count}, {steps}, {features}) as convert writes")
    size = len(head) + _FLOAT * count * steps * features
    if len(data) != size:
        raise ValueError(f"{len(data):,} bytes, but windows of this shape have {size:,}")
    found = np.frombuffer(data, "<f4", offset=len(head)).reshape(count, steps, features).astype(np.float32)
    if not np.isfinite(found).all():
        raise ValueError("a value is not finite")
    return found


def _head(count: int, steps: int, features: int) -> bytes:
    """The head of format 1.0: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({count}, {steps}, {features}), }}".encode()
    before = len(_MAGIC) + 2
    padded = text.ljust(-(-(before + len(text) + 1) // _ALIGNED) * _ALIGNED - before - 1) + b"\n"
    return _MAGIC + struct.pack("<H", len(padded)) + padded
