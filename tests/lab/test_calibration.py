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


def test_a_threshold_has_the_stated_precision() -> None:
    given = RANDOM.random(40_000)
    truth = (RANDOM.random(len(given)) < given).astype(np.float32)
    threshold = calibration.threshold_for_precision(given, truth, 0.8)
    # All answers from t on are right in a share of (1 + t) / 2.
    assert threshold == pytest.approx(0.6, abs=0.02)
    assert truth[given >= threshold].mean() == pytest.approx(0.8, abs=0.005)
    assert threshold == round(threshold, 4)


def test_a_precision_that_only_few_answers_reach_is_refused() -> None:
    given = np.arange(1000) / 1000.0
    truth = (given > 0.995).astype(np.float32)
    with pytest.raises(ValueError, match=r"no threshold has a precision of 0\.9"):
        calibration.threshold_for_precision(given, truth, 0.9)
