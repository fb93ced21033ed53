from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from core.bundles import bundle
from core.bundles.limits import LARGEST, of_deviations, of_range
from core.inference.stage_runner import StageRunner
from tests import bundles


@pytest.fixture
def runner(tmp_path: Path) -> StageRunner:
    """A stage that answers the mean of its window as its probability."""
    found = bundle.read(bundles.write(tmp_path, scale=None))
    return StageRunner("stage1", found.manifest.stage1, found)


@pytest.mark.parametrize("value", [2.0**-140, -(2.0**-140), 1e-31, 0.0])
def test_tiny_numbers_are_replaced_by_one_that_is_not_denormal(runner: StageRunner, value: float) -> None:
    found = runner.probabilities(runner.scale(np.full((2, 4, 2), value)))
    assert found.tolist() == pytest.approx([1e-25, 1e-25], rel=1e-5)


def test_other_numbers_do_not_change(runner: StageRunner) -> None:
    windows = np.full((1, 4, 2), 0.1, np.float32)
    windows[0, 1, 1] = 1e-17
    alone = np.mean(windows, dtype=np.float32)
    assert runner.probabilities(windows).tolist() == [alone]


@pytest.mark.parametrize(("scaled", "worst"), [(None, "sma_5"), (("sma_5", "close"), "close")])
def test_far_values_are_named_by_the_feature_that_was_scaled_to_them(
    scaled: tuple[str, ...] | None, worst: str, tmp_path: Path
) -> None:
    """A scaler of groups of columns can give them in another order than that of the features."""
    found = bundle.read(bundles.write(tmp_path))
    stage = msgspec.structs.replace(found.manifest.stage1, limits=of_range(2, 0.0, 1.0), scaled_features=scaled)
    window = np.full((4, 2), 0.5, np.float32)
    window[2, 1] = 90.0
    assert StageRunner("stage1", stage, found).describe_out_of_range(window).startswith(f"in stage1, {worst} is 88.5")


def test_a_feature_without_limits_is_never_far(tmp_path: Path) -> None:
    found = bundle.read(bundles.write(tmp_path))
    few, many = of_deviations((0.0,)), of_deviations((0.0, 0.0))
    ends = {name: (-LARGEST if "low" in name else LARGEST, *getattr(few, name)) for name in many.__struct_fields__[:4]}
    stage = msgspec.structs.replace(found.manifest.stage1, limits=msgspec.structs.replace(many, **ends))
    runner = StageRunner("stage1", stage, found)
    windows = np.zeros((2, 4, 2), np.float32)
    windows[:, :, 0] = 1e30
    windows[1, :, 1] = 4.0
    assert runner.odd(windows) == [1]
    assert runner.describe_out_of_range(windows[1]) == "in stage1, the mean of sma_5 is 0.1 above its limit 3.9"
