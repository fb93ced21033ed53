"""Stored windows as numpy.save writes them, and other files in their place."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy

from convert.errors import Refused
from convert.sources import background

GOOD = np.random.default_rng(0).normal(size=(3, 4, 2))


def saved(values: Any, **options: Any) -> bytes:  # noqa: ANN401
    file = io.BytesIO()
    np.save(file, values, **options)
    return file.getvalue()


def with_head(shape: Any, kind: str = "<f4") -> bytes:  # noqa: ANN401
    """A head that promises this shape, and nothing behind it."""
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.mark.parametrize("kind", ["<f2", "<f4", "<f8", ">f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_floats_of_any_size_and_order_are_read(kind: str, order: Any) -> None:  # noqa: ANN401
    given = np.asarray(GOOD, dtype=kind, order=order)
    found = background.read(saved(given), "b.npy")
    assert np.array_equal(found, given.astype(np.float32))
    assert found.dtype == np.float32


def test_the_second_format_is_read() -> None:
    file = io.BytesIO()
    npy.write_array(file, GOOD, version=(2, 0))
    assert np.array_equal(background.read(file.getvalue(), "b.npy"), GOOD.astype(np.float32))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "numpy.save"),
        (b"[[[0.1]]]", "numpy.save"),
        (b"\x93NUMPY\x09\x00" + b" " * 200, "numpy.save"),
        (b"\x93NUMPY\x01\x00\x76\x00" + b"(" * 118, "numpy.save"),
        (saved(np.array([{"a": 1}], dtype=object), allow_pickle=True), "object"),
        (saved(np.array(["a"])), "windows, steps, features"),
        (saved(GOOD.astype(np.complex64)), "complex64"),
        (saved(GOOD[0]), r"shape \(4, 2\)"),
        (saved(GOOD[:0]), r"shape \(0, 4, 2\)"),
        (saved(np.zeros((51, 4, 2))), "51 windows, but at most 50 .*linspace"),
        (saved(GOOD)[:-1], "bytes"),
        (saved(GOOD) + b"\0", "bytes"),
        (with_head((50, 1 << 40, 1 << 40)), "bytes"),
        (with_head((3, -1, 2)), "shape"),
        (saved(np.where(GOOD[1, 2, 1] == GOOD, np.nan, GOOD)), r"\[1, 2, 1\] is not finite"),
        (saved(np.where(GOOD[2, 0, 0] == GOOD, 1e39, GOOD)), r"\[2, 0, 0\] is not finite, or too large"),
    ],
)
def test_another_file_is_refused_by_name(data: bytes, words: str) -> None:
    with pytest.raises(Refused, match=f"(?s)b.npy: .*{words}"):
        background.read(data, "b.npy")


def test_windows_of_another_model_are_refused() -> None:
    windows = GOOD.astype(np.float32)
    background.check_features(windows, "b.npy", 2)
    background.check_steps(windows, "b.npy", 4)
    with pytest.raises(Refused, match=r"b.npy: .* 2 features, .* 3"):
        background.check_features(windows, "b.npy", 3)
    with pytest.raises(Refused, match=r"b.npy: .* 4 steps, .* 5"):
        background.check_steps(windows, "b.npy", 5)
