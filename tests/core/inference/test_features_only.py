"""Versions that take ready-made features only, whose names the server does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.bundles import bundle
from core.errors import InvalidInput
from core.inference import trial
from core.inference.detector import Detector, Prediction
from core.inference.inputs import CandleWindows, GivenWindows
from tests import bundles, market

NAMES = ("Close (USD)", "moving avg 5")


def detector(root: Path, **fields: Any) -> Detector:  # noqa: ANN401
    folder = bundles.write(root, **{"features": NAMES, "stage2_features": NAMES, "inputs": "features"} | fields)
    return Detector(bundle.read(folder))


@pytest.mark.parametrize("count", [0, 3, 500])
@pytest.mark.parametrize("features", [NAMES, ("close", "sma_5")])
def test_candles_are_refused_with_the_name_of_the_version(
    tmp_path: Path, count: int, features: tuple[str, ...]
) -> None:
    loaded = detector(tmp_path, features=features)
    source = CandleWindows(market.candles(3000, count))
    (refused,) = loaded.predict([source])
    assert isinstance(refused, InvalidInput)
    ((path, message),) = refused.details
    assert path == "the candles"
    assert all(text in message for text in ("v1", "features"))
    assert not loaded.suits(source)


def test_features_are_answered_beside_candles_that_are_not(tmp_path: Path) -> None:
    loaded = detector(tmp_path, scale=(1.0, 2.0), stage2_scale=(1.0, 2.0))
    scaled = GivenWindows([[0.82, 0.82]] * 4, scaled=True)
    raw = GivenWindows([[2.64, 2.64]] * 4, scaled=False)  # 0.82 after the scaler
    by_stage = GivenWindows({"stage1": [[0.82, 0.82]] * 4, "stage2": [[0.32, 0.32]] * 4}, scaled=True)
    *answers, refused = loaded.predict([scaled, raw, by_stage, CandleWindows(market.candles(3000, 60))])
    assert isinstance(refused, InvalidInput)
    found = [answer.decision for answer in answers if isinstance(answer, Prediction)]
    assert [each.signal for each in found] == ["short", "short", "long"]
    assert [each.stage1_prob for each in found] == pytest.approx([0.82] * 3, abs=1e-6)
    assert loaded.suits(scaled)


def test_the_longest_window_passes_its_trial(tmp_path: Path) -> None:
    folder = bundles.write(tmp_path, features=NAMES, stage2_features=None, inputs="features", length=2000)
    assert trial.run(bundle.read(folder), trial.STARTING) is None


def test_out_of_range_names_the_features_of_the_version(tmp_path: Path) -> None:
    (answer,) = detector(tmp_path).predict([GivenWindows([[0.5, 900.0]] * 4, scaled=True)])
    assert isinstance(answer, Prediction)
    assert [warning.code for warning in answer.warnings] == ["OUT_OF_RANGE"]
    assert NAMES[1] in answer.warnings[0].message
