"""Each network finds a planted signal, and is converted to a graph with the same answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.networks import ways
from lab import calibration, networks, scores
from lab.networks import FittedNetwork, NetworkSettings
from lab.panel import Panel
from lab.search import space
from tests.convert import helpers
from tests.lab import synthetic

WINDOW = 24


@pytest.fixture(scope="module")
def whole() -> Panel:
    return synthetic.panel(bars=1200)


@pytest.fixture(scope="module", params=networks.KINDS)
def fitted(request: pytest.FixtureRequest, whole: Panel) -> FittedNetwork:
    depth = 1 if request.param in {"lstm", "gru"} else 2
    settings = NetworkSettings(
        request.param, WINDOW, width=12, depth=depth, dropout=0.0, learning_rate=2e-2, epochs=10, batch_size=64
    )
    early, _ = synthetic.halves(whole, WINDOW)
    return networks.fit(whole, early, whole.opportunity, settings)


def test_a_network_finds_a_planted_signal(fitted: FittedNetwork, whole: Panel) -> None:
    _, late = synthetic.halves(whole, WINDOW)
    assert scores.auc(whole.opportunity[late], fitted.logits(whole, late)) > 0.93


def test_a_network_is_converted_with_equal_answers(fitted: FittedNetwork, whole: Panel, tmp_path: Path) -> None:
    _, late = synthetic.halves(whole, WINDOW)
    given = networks.windows(networks.scaled_features(fitted.scaler, whole), late[:64], WINDOW)
    reference = helpers.saved(fitted.network, tmp_path, ".keras")
    built = ways.build(reference)
    # The table of layers lacks EinsumDense, which adds the positions.
    assert built.way == ("tf2onnx" if fitted.settings.kind == "transformer" else "layers")
    assert built.loops == 0
    answers = helpers.graph_answers(built.graph, given)
    np.testing.assert_allclose(answers, fitted.network(given).numpy(), atol=2e-6)
    probabilities = calibration.sigmoid(fitted.logits(whole, late[:64]))
    np.testing.assert_allclose(answers[:, 0], probabilities, atol=2e-6)


def test_a_tempered_network_has_its_logits_divided(fitted: FittedNetwork, whole: Panel) -> None:
    _, late = synthetic.halves(whole, WINDOW)
    before, weights = fitted.logits(whole, late[:32]), fitted.network.get_weights()
    networks.temper(fitted.network, 4.0)
    after = fitted.logits(whole, late[:32])
    fitted.network.set_weights(weights)
    inside = np.abs(before) < 6.0  # nearer to 0 and 1 a float32 has few digits
    np.testing.assert_allclose(after[inside], before[inside] / 4.0, atol=1e-3)


def test_positions_matter_to_the_transformer() -> None:
    """A bump moves by one patch, outside of the last one, which the head sees by itself."""
    network = networks.build(NetworkSettings("transformer", 32, width=12, depth=1), 3)
    given = np.zeros((2, 32, 3), np.float32)
    given[0, 8:12] = given[1, 12:16] = np.random.default_rng(1).normal(size=(4, 3))
    (positions,) = (layer for layer in network.layers if type(layer).__name__ == "EinsumDense")
    without = network(given).numpy()
    assert without[0] == pytest.approx(without[1], abs=1e-6)
    weights, bias = positions.get_weights()
    positions.set_weights([weights, np.random.default_rng(2).normal(size=bias.shape)])
    found = network(given).numpy()
    assert abs(found[0] - found[1]) > 1e-3


@pytest.mark.parametrize("kind", ["tcn", "transformer"])
@pytest.mark.parametrize("window", space.WINDOWS)
def test_a_network_sees_the_newest_bar_of_every_window(kind: str, window: int) -> None:
    for depth in (1, 2, 3) if kind == "tcn" else (1,):
        network = networks.build(NetworkSettings(kind, window, width=8, depth=depth), 3)
        given = np.random.default_rng(1).normal(size=(8, window, 3)).astype(np.float32)
        changed = given.copy()
        changed[:, -1] += 1.0
        assert np.abs(network(given).numpy() - network(changed).numpy()).max() > 1e-4, depth


SMALL = NetworkSettings("tcn", WINDOW, width=8, depth=1, epochs=2, batch_size=64)


def test_equal_seeds_give_equal_networks_and_epochs_are_reported(whole: Panel) -> None:
    early, late = synthetic.halves(whole, WINDOW)
    seen: list[int] = []
    first = networks.fit(whole, early[::4], whole.opportunity, SMALL, lambda epoch, _: seen.append(epoch))
    second = networks.fit(whole, early[::4], whole.opportunity, SMALL)
    other = networks.fit(whole, early[::4], whole.opportunity, SMALL._replace(seed=2))
    answers = [each.logits(whole, late[:64]) for each in (first, second, other)]
    assert seen == [1, 2]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-4)
    assert np.abs(answers[0] - answers[2]).max() > 1e-2


def test_the_scaler_sees_only_bars_in_the_windows_that_are_trained_on(whole: Panel) -> None:
    rows = np.array([40, 41, 60])
    seen = np.concatenate([np.arange(31, 42), np.arange(51, 61)])
    scaler = networks.fit_scaler(whole, rows, 10)
    np.testing.assert_allclose(scaler.mean_, whole.features[seen].mean(axis=0))
    scaled = networks.scaled_features(scaler, whole)
    assert (scaled[:5] == 0.0).all()
    np.testing.assert_allclose(scaled[seen].mean(axis=0), 0.0, atol=1e-6)


def test_a_window_ends_with_its_row() -> None:
    scaled = np.arange(90, dtype=np.float32).reshape(30, 3)
    assert networks.windows(scaled, np.array([9, 12]), 3)[1].tolist() == scaled[10:13].tolist()
