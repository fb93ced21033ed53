from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.bundles import bundle
from core.inference.stage_runner import StageRunner
from tests import bundles


@pytest.fixture
def runner(tmp_path: Path) -> StageRunner:
    """A stage whose probability is the mean of its window."""
    found = bundle.read(bundles.write(tmp_path, scale=None))
    return StageRunner("stage1", found.manifest.stage1, found)


@pytest.mark.parametrize("value", [2.0**-140, -(2.0**-140), 1e-31, 0.0])
def test_no_number_is_so_small_that_it_slows_the_network_down(runner: StageRunner, value: float) -> None:
    found = runner.probabilities(runner.scale(np.full((2, 4, 2), value)))
    assert found.tolist() == pytest.approx([1e-25, 1e-25], rel=1e-5)


def test_other_numbers_stay_what_they_are_to_the_bit(runner: StageRunner) -> None:
    windows = np.full((1, 4, 2), 0.1, np.float32)
    windows[0, 1, 1] = 1e-17
    alone = np.mean(windows, dtype=np.float32)
    assert runner.probabilities(windows).tolist() == [alone]
