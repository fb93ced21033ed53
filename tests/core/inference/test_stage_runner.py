from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.bundles import bundle
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
