from __future__ import annotations

import numpy as np
import pytest

from core.inference.decision import decide, gate_opens, of_classes


def test_below_the_threshold_the_signal_is_hold_with_the_confidence_of_no_reversal() -> None:
    decision = decide(0.4523, None, threshold=0.5, positive="short")
    assert decision.signal == "hold"
    assert decision.confidence == pytest.approx(0.5477)
    assert decision.stage2_prob is None
    assert (decision.reversal_detected, decision.direction) == (False, None)


def test_a_probability_equal_to_the_threshold_opens_the_gate() -> None:
    assert decide(0.5, 0.9, threshold=0.5, positive="short").signal == "short"


def test_the_threshold_is_compared_as_float32() -> None:
    # The float32 nearest to 0.7 is below 0.7 if both are compared as float64.
    assert float(np.float32(0.7)) < 0.7
    assert gate_opens(float(np.float32(0.7)), 0.7)
    assert not gate_opens(float(np.nextafter(np.float32(0.7), np.float32(0.0))), 0.7)


@pytest.mark.parametrize("seed", range(5))
def test_all_probabilities_and_thresholds_are_compared_as_float32(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for threshold in (0.0, 0.2, 0.5, 1.0, *rng.random(50).tolist()):
        at = np.float32(threshold)
        below = float(np.nextafter(at, np.float32(-1.0)))
        halfway = (float(at) + below) / 2.0
        near = [*np.nextafter(halfway, [-1.0, 2.0]), *(float(at) + rng.normal(0.0, 5e-8, 20))]
        for p1 in (threshold, float(at), below, halfway, *near):
            assert gate_opens(float(p1), threshold) == bool(np.float32(p1) >= at), (p1, threshold)


def test_without_stage_2_an_open_gate_gives_hold_with_the_confidence_of_stage_1() -> None:
    decision = decide(0.9, None, threshold=0.5, positive=None)
    assert (decision.signal, decision.confidence, decision.stage2_prob) == ("hold", 0.9, None)
    assert (decision.reversal_detected, decision.direction) == (True, None)


def test_the_larger_probability_of_stage_2_gives_the_direction() -> None:
    decision = decide(0.82, 0.32, threshold=0.5, positive="short")
    assert decision.signal == decision.direction == "long"
    assert decision.stage2_prob == pytest.approx(0.68)
    assert decision.confidence == pytest.approx(0.75)
    assert decision.reversal_detected is True


@pytest.mark.parametrize(
    ("p2", "positive", "signal"),
    [(0.51, "short", "short"), (0.51, "long", "long"), (0.49, "short", "long"), (0.49, "long", "short"),
     (0.5, "short", "long"), (0.5, "long", "short")],
)  # fmt: skip
def test_positive_is_the_direction_above_one_half_and_exactly_half_is_the_opposite(
    p2: float, positive: str, signal: str
) -> None:
    assert decide(0.9, p2, threshold=0.5, positive=positive).signal == signal  # type: ignore[arg-type]


def test_weights_come_from_the_manifest() -> None:
    assert decide(0.8, 0.6, threshold=0.5, positive="long", weights=(0.25, 0.75)).confidence == pytest.approx(0.65)


def test_an_open_gate_without_the_output_of_stage_2_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"^p2: "):
        decide(0.9, None, threshold=0.5, positive="long")


@pytest.mark.parametrize(
    ("hold", "first", "second", "p1", "p2"),
    [
        (0.25, 0.5, 0.25, 0.75, 1 / 3),
        (0.25, 0.25, 0.5, 0.75, 2 / 3),
        (0.0, 0.0, 1.0, 1.0, 1.0),
        (0.0, 1.0, 0.0, 1.0, 0.0),
        (0.5, 0.25, 0.25, 0.5, 0.5),
        (1.0, 0.0, 0.0, 0.0, 0.5),
        (1.0, 0.0, 5e-324, 0.0, 1.0),
    ],
)
def test_classes_as_the_probabilities_of_two_stages(
    hold: float, first: float, second: float, p1: float, p2: float
) -> None:
    assert of_classes(hold, first, second) == pytest.approx((p1, p2), abs=1e-15)


def test_equal_classes_give_the_direction_that_is_named_first() -> None:
    p1, p2 = of_classes(0.2, 0.4, 0.4)
    assert decide(p1, p2, threshold=0.5, positive="short").direction == "long"
    assert decide(p1, p2, threshold=0.5, positive="long").direction == "short"


def test_the_larger_class_is_the_direction_however_close_the_other_is() -> None:
    for value in np.random.default_rng(3).random(200).astype(np.float32):
        more = np.nextafter(value, np.float32(2.0))
        for first, second, direction in ((value, more, "short"), (more, value, "long")):
            p1, p2 = of_classes(0.0, float(first), float(second))
            assert decide(p1, p2, threshold=0.5, positive="short").direction == direction
