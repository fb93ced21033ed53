from __future__ import annotations

import pytest

from training.architectures import direction_classifier, reversal_detector


def test_stage1_is_the_users_network() -> None:
    network = reversal_detector(20, 12)
    assert network.input_shape == (None, 20, 12)
    assert network.count_params() == 33_729
    layers = [(type(layer).__name__, getattr(layer, "units", getattr(layer, "rate", None))) for layer in network.layers]
    assert layers == [
        *[("LSTM", 64), ("Dropout", 0.2), ("LSTM", 32), ("Dropout", 0.2)],
        *[("Dense", 32), ("Dropout", 0.1), ("Dense", 16), ("Dense", 1)],
    ]
    decayed = [layer for layer in network.layers[:-1] if not hasattr(layer, "rate")]
    assert all(float(layer.kernel_regularizer.l2) == pytest.approx(1e-4) for layer in decayed)


def test_stage2_is_the_users_network() -> None:
    network = direction_classifier(20, 12)
    assert network.input_shape == (None, 20, 12)
    assert network.count_params() == 19_137
    layers = [(type(layer).__name__, getattr(layer, "units", getattr(layer, "rate", None))) for layer in network.layers]
    assert layers == [("LSTM", 48), ("Dropout", 0.3), ("LSTM", 24), ("Dropout", 0.3), ("Dense", 16), ("Dense", 1)]


@pytest.mark.parametrize("build", [reversal_detector, direction_classifier])
def test_activations_are_relu_inside_and_a_probability_at_the_end(build: object) -> None:
    assert callable(build)
    dense = [layer.activation.__name__ for layer in build(20, 12).layers if type(layer).__name__ == "Dense"]
    assert dense == ["relu"] * (len(dense) - 1) + ["sigmoid"]
