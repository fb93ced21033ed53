from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core import bundle
from core.stage import StageRunner
from tests import bundles


@pytest.fixture
def runner(tmp_path: Path) -> StageRunner:
    """A stage whose probability is the mean of its window."""
    found = bundle.read(bundles.write(tmp_path, scale=None))
    return StageRunner("stage1", found.manifest.stage1, found)


@pytest.mark.parametrize("value", [2.0**-140, 1e-31])
def test_what_is_as_good_as_zero_is_zero_and_the_rest_of_the_window_as_it_was(
    runner: StageRunner, value: float
) -> None:
    windows = runner.scale(np.full((2, 4, 2), value))
    windows[1, 0, 0] = 0.8
    assert runner.probabilities(windows).tolist() == [0.0, pytest.approx(0.1)]


def test_small_numbers_that_are_no_rounding_residue_count(runner: StageRunner) -> None:
    assert runner.probabilities(np.full((1, 4, 2), 1e-29, np.float32)).tolist() == [pytest.approx(1e-29)]
