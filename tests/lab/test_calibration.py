from __future__ import annotations

import numpy as np
import pytest

from lab import calibration

RANDOM = np.random.default_rng(4)


def test_logits_and_probabilities_are_inverse_and_finite_at_the_ends() -> None:
    given = np.array([0.001, 0.2, 0.5, 0.999])
    assert calibration.sigmoid(calibration.logits(given)) == pytest.approx(given)
    assert np.isfinite(calibration.logits(np.array([0.0, 1.0]))).all()


@pytest.mark.parametrize("known", [0.4, 1.0, 2.5])
def test_the_temperature_of_distorted_logits_is_found(known: float) -> None:
    true = RANDOM.normal(-0.5, 1.0, 60_000)
    truth = (RANDOM.random(len(true)) < calibration.sigmoid(true)).astype(np.float32)
    assert calibration.temperature(true * known, truth) == pytest.approx(known, rel=0.03)


def test_a_threshold_lets_the_stated_share_through() -> None:
    given = RANDOM.random(10_000)
    threshold = calibration.threshold_for_share(given, 0.15)
    assert np.mean(given >= threshold) == pytest.approx(0.15, abs=0.002)
    assert threshold == round(threshold, 4)
