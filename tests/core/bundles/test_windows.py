"""The file of stored windows: NumPy's format, with one fixed head."""

from __future__ import annotations

import io

import numpy as np
import pytest

from core.bundles import windows

GOOD = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 2), (50, 20, 12), (50, 86, 6), (7, 2000, 1)])
def test_numpy_reads_it_and_so_do_we(shape: tuple[int, int, int]) -> None:
    given = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    data = windows.encode(given)
    assert np.array_equal(np.load(io.BytesIO(data), allow_pickle=False), given)
    found = windows.decode(data, *shape)
    assert np.array_equal(found, given)
    assert found.dtype == np.float32
    assert found.flags["C_CONTIGUOUS"]
    assert data.index(b"\n") % 64 == 63  # its values are aligned, as the format asks for


def pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a file"),
        (windows.encode(GOOD)[:-1], "has|have"),
        (windows.encode(GOOD) + b"\0", "has|have"),
        (windows.encode(GOOD[:2]), "not a file"),
        (windows.encode(GOOD.transpose(0, 2, 1)), "not a file"),
        (windows.encode(GOOD).replace(b"<f4", b"<f8"), "not a file"),
        (windows.encode(GOOD).replace(b"False", b"True "), "not a file"),
        (pickled(), "not a file"),
        (windows.encode(np.where(GOOD[1, 2, 1] == GOOD, np.nan, GOOD)), "finite"),
        (windows.encode(np.where(GOOD[2, 3, 0] == GOOD, np.inf, GOOD)), "finite"),
    ],
)
def test_another_file_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        windows.decode(data, 3, 4, 2)
