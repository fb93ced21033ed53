"""Whether a window is within limits: the extension says it as NumPy does, and false wherever NumPy must look."""

from __future__ import annotations

from unittest.mock import patch

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.bundles import bundle
from core.bundles.limits import of_range
from core.inference import stage_runner
from core.inference.stage_runner import Floats32, StageRunner
from tests import bundles
from tests.native_extension import built

SHAPE = (3, 4, 2)
VALUES = st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-45, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan]) | st.floats(width=32)


def windows(shape: tuple[int, ...]) -> st.SearchStrategy[Floats32]:
    return arrays(np.float32, shape, elements=VALUES)


@settings(deadline=None)  # the first one builds the extension
@given(windows(SHAPE), windows(SHAPE[1:]), windows(SHAPE[1:]))
def test_it_compares_as_numpy_does(inputs: Floats32, low: Floats32, high: Floats32) -> None:
    assert built().within(inputs, low, high) == bool(((inputs >= low) & (inputs <= high)).all())
    assert built().within(inputs, np.full_like(low, -1.0), np.full_like(high, 1.0)) == bool((abs(inputs) <= 1.0).all())


@settings(deadline=None)
@given(st.integers(0, 23), st.sampled_from([np.nan, np.inf, 1.5, -1.5, np.nextafter(np.float32(1), np.float32(2))]))
def test_one_value_is_enough(place: int, value: float) -> None:
    inputs = np.ones(SHAPE, np.float32)
    low, high = -np.ones(SHAPE[1:], np.float32), np.ones(SHAPE[1:], np.float32)
    assert built().within(inputs, low, high)
    inputs.flat[place] = value
    assert not built().within(inputs, low, high)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> StageRunner:
    """A stage of four steps and two features, whose values go from 0 to 1."""
    found = bundle.read(bundles.write(tmp_path_factory.mktemp("models"), scale=None))
    limits = msgspec.structs.replace(of_range(2, 0.0, 1.0), mean_low=None, mean_high=None)
    return StageRunner("stage1", msgspec.structs.replace(found.manifest.stage1, limits=limits), found)


@settings(deadline=None)
@given(windows(SHAPE))
def test_a_stage_finds_the_same_windows_without_it(runner: StageRunner, inputs: Floats32) -> None:
    with patch.object(stage_runner, "extension", None):
        alone = runner.odd(inputs)
    with patch.object(stage_runner, "extension", built()):
        assert runner.odd(inputs) == alone


ONES = np.ones(SHAPE, np.float32)
ODD = {
    "float64": ONES.astype(np.float64),
    "integers": ONES.astype(np.int32),
    "of another shape": ONES[:, :3].copy(),
    "of another shape with as many values": ONES.reshape(3, 2, 4),
    "with another dimension": ONES[None],
    "in another order": np.asfortranarray(ONES),
    "no array": 1.0,
    "bytes": ONES.tobytes(),
}


@pytest.mark.parametrize("inputs", ODD.values(), ids=ODD)
def test_other_arrays_are_left_to_numpy(inputs: object) -> None:
    assert built().within(inputs, ONES[0], ONES[0]) is False  # type: ignore[arg-type]
    assert built().within(ONES, inputs, ONES[0]) is False  # type: ignore[arg-type]
    assert built().within(ONES, ONES[0], inputs) is False  # type: ignore[arg-type]
