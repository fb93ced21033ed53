from __future__ import annotations

import pytest

from benchmarks.out_of_range import FACTORS, FIRST, HISTORY, detector_of, share
from core.bundles.repository import Repository
from lab.history import read
from tests.market import ONNX


@pytest.mark.parametrize("limits", ["bundle", "scaler"])
@pytest.mark.parametrize("version", ["v3.0", "v3.1"])
def test_hours_after_training_are_not_flagged_and_other_price_levels_are(version: str, limits: str) -> None:
    detector = detector_of(Repository(ONNX).read(version), limits)  # type: ignore[arg-type]
    history = read(HISTORY)
    for factor in FACTORS:
        flagged, windows = share(detector, history, FIRST, factor)
        assert windows == 6225 - FIRST
        assert flagged < 0.01 if factor == 1.0 else flagged > 0.95, factor
