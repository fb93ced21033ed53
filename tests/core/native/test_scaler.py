"""A scaler in the extension gives the numbers of NumPy, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from core.bundles.repository import Repository
from core.inference import stage_runner
from core.inference.detector import Detector
from core.inference.stage_runner import Floats32
from tests import market
from tests.native_extension import built

WIDTH = 5
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


def row(values: st.SearchStrategy[float]) -> Any:  # noqa: ANN401
    return arrays.arrays(np.float64, WIDTH, elements=values)


def in_numpy(centre: Any, scale: Any, values: Any) -> Floats32:  # noqa: ANN401
    with np.errstate(all="ignore"):
        found: Floats32 = ((values - centre) / scale).astype(np.float32)
    return found


@settings(deadline=None)  # the first example builds the extension
@given(row(NUMBERS), row(NUMBERS), arrays.arrays(np.float64, (3, 2, WIDTH), elements=NUMBERS))
def test_every_number_is_that_of_numpy(centre: Any, scale: Any, values: Any) -> None:  # noqa: ANN401
    out = np.empty(values.shape, np.float32)
    built().scale(centre, scale, values, out)
    expected = in_numpy(centre, scale, values)
    numbers = ~np.isnan(expected)
    assert np.array_equal(np.isnan(out), ~numbers)  # which NaN it is depends on the order of operands
    assert out[numbers].tobytes() == expected[numbers].tobytes()


def test_a_stage_scales_the_same_without_the_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    (first, *_) = Detector(Repository(market.ONNX).read("v3.0")).runners
    raw = np.random.default_rng(1).normal(1.1, 0.1, (7, 20, 12))
    found = {}
    for name, extension in (("with", built()), ("without", None)):
        monkeypatch.setattr(stage_runner, "extension", extension)
        with np.errstate(all="ignore"):
            found[name] = [first.scale(each) for each in (raw, raw[:, :, ::-1][:, :, ::-1], raw * 1e300, raw[:0])]
    for a, b in zip(found["with"], found["without"], strict=True):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


GOOD: dict[str, Any] = {
    "centre": np.zeros(WIDTH),
    "scale": np.ones(WIDTH),
    "values": np.zeros((2, WIDTH)),
    "out": np.empty((2, WIDTH), np.float32),
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"centre": np.zeros(WIDTH, np.float32)},
        {"centre": np.zeros(0), "scale": np.zeros(0)},
        {"scale": np.ones(WIDTH - 1)},
        {"values": np.zeros((2, WIDTH), np.int64)},
        {"values": np.zeros((2, WIDTH + 1))},
        {"values": np.zeros((3, WIDTH))},
        {"values": np.zeros((WIDTH, 2)).T},
        {"out": np.empty((2, WIDTH))},
        {"out": np.empty((1, WIDTH), np.float32)},
        {"out": bytes(8 * WIDTH)},
    ],
)
def test_arrays_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    built().scale(*GOOD.values())
    with pytest.raises((ValueError, BufferError)):
        built().scale(*(GOOD | wrong).values())
