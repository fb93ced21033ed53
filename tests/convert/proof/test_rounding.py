"""The gate knows rounding: a right graph passes where float32 rounds much, and a wrong one is refused there too."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from convert.errors import Refused
from convert.graph import Keras
from convert.layers import network
from convert.networks.keras_model import KerasModel
from convert.proof import parity, rounding
from convert.proof.parity import GraphSession
from convert.proof.rounding import CEILING, FACTOR, TOLERANCE, Rounding
from convert.proof.rules import DecisionRule
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers

Floats32 = NDArray[np.float32]
Floats = NDArray[np.float64]
Change = Callable[[Floats32], Floats32]

FEATURES = ("close", "high", "low", "sma_20")
STEPS, UNITS = 20, 16
RULE = DecisionRule(lambda p: "reversal" if np.float32(p) >= np.float32(0.3) else "hold", border=0.3)


class Numbers:
    """A framework whose answer at each window is a number, with a given distance from float64."""

    def __init__(self, distance: Callable[[Floats32], Floats], *, possible: bool = True) -> None:
        self.distance, self.possible, self.asked = distance, possible, 0

    def predict(self, windows: Floats32) -> Floats32:
        return np.full((len(windows), 1), 0.5, np.float32)

    def in_float64(self) -> Callable[[Floats32], Floats]:
        if not self.possible:
            raise Refused("no such network")
        return self.exact

    def exact(self, windows: Floats32) -> Floats:
        self.asked += len(windows)
        return 0.5 + self.distance(windows)[:, None]

    def limits(self, difference: list[float], masks: tuple[float, ...] = ()) -> tuple[Rounding, rounding.Allowed]:
        """The limits of as many windows; each is filled with its number, from 1."""
        found = Rounding(self.predict, self.in_float64, masks)
        windows = np.ones((len(difference), 2, 3), np.float32) * np.arange(1, len(difference) + 1)[:, None, None]
        given = windows.astype(np.float32)
        return found, found.limits(given, self.predict(given), np.array(difference))


def only(windows: Floats32, number: int, distance: float) -> Floats:
    """A distance at exactly the window of a number, and none elsewhere."""
    return np.where((windows == number).all(axis=(1, 2)), distance, 0.0)


def test_float64_is_not_asked_if_no_window_needs_it() -> None:
    numbers = Numbers(lambda w: np.full(len(w), 1.0), possible=False)
    found, limits = numbers.limits([0.0, 1e-6, TOLERANCE])
    assert (limits.values == TOLERANCE).all()
    assert found.figures() == {}
    assert rounding.notes(found.figures(), "tf_keras") == []


def test_the_limit_is_four_times_the_distance_of_the_window() -> None:
    numbers = Numbers(lambda w: only(w, 3, 3e-5))
    found, limits = numbers.limits([0.0, 1e-6, 1.1e-4, 0.0])
    np.testing.assert_allclose(limits.values, [TOLERANCE, TOLERANCE, FACTOR * 3e-5, TOLERANCE])
    assert numbers.asked == 3 + 1, "the windows that agree, and the one that does not"
    assert found.figures() == {
        "windows_beyond_tolerance": 1,
        "framework_distance": pytest.approx(3e-5),
        "widest_limit": pytest.approx(1.2e-4),
    }


def test_a_distance_that_is_small_by_chance_counts_with_its_neighbours() -> None:
    lucky = Numbers(lambda w: np.where((w == 3).all(axis=(1, 2)) | (np.abs(w - 3) > 1e-3).any(axis=(1, 2)), 0.0, 4e-5))
    _, limits = lucky.limits([0.0, 0.0, 1.1e-4])
    assert limits.values[2] == pytest.approx(1.6e-4)
    assert limits.about(2).startswith("; the framework itself is 4e-05 from ")
    # A step that is masked has no neighbours: it would no longer be masked.
    _, masked = lucky.limits([0.0, 0.0, 1.1e-4], masks=(3.0,))
    assert masked.values[2] == TOLERANCE


def test_no_limit_is_wider_than_the_ceiling() -> None:
    _, limits = Numbers(lambda w: only(w, 3, 0.2)).limits([0.0, 0.0, 0.3])
    assert limits.values[2] == CEILING == parity.MIN_SPREAD
    assert "agreement proves nothing" in limits.about(2)


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        (Numbers(lambda w: only(w, 3, 1.0), possible=False), "no such network"),
        (Numbers(lambda w: np.full(len(w), 2e-5)), "answers otherwise, by 2e-05 at half of the windows"),
        (Numbers(lambda w: w.astype(np.float64)[0, 0]), r"gives float64 \(3, 1\)"),
    ],
    ids=["none", "another network", "another shape"],
)
def test_without_the_same_network_in_float64_the_limit_stays(numbers: Numbers, reason: str) -> None:
    found, limits = numbers.limits([0.0, 0.0, 2e-5, 3e-5])
    assert (limits.values == TOLERANCE).all()
    with pytest.raises(Refused, match=reason):
        raise Refused(limits.about(2))
    assert found.figures() == {}


def test_a_graph_that_agrees_nowhere_is_not_explained_by_rounding() -> None:
    _, limits = Numbers(lambda w: np.full(len(w), 1e-4)).limits([2e-5, 3e-5])
    assert (limits.values == TOLERANCE).all()
    assert "at no window" in limits.about(0)


class Shifted(Numbers):
    """A graph that is 5e-5 above the framework at the first window, where rounding explains it."""

    tool, window, mask_values, mask_axes = ("tf_keras", "2.21.0"), (2, 4), (), (1,)

    def __init__(self) -> None:
        self.first = 0.0
        super().__init__(lambda w: np.where(self.predict(w)[:, 0] == self.first, 2e-5, 0.0))

    def predict(self, windows: Floats32) -> Floats32:
        found: Floats32 = (0.5 + np.arctan(windows.mean(axis=(1, 2))[:, None]) / 4).astype(np.float32)
        self.first = self.first or float(found[0, 0])
        return found

    def exact(self, windows: Floats32) -> Floats:
        return self.predict(windows) + self.distance(windows)[:, None]

    def run(self, windows: Floats32) -> Floats32:
        found = self.predict(windows)
        return np.asarray(np.where(found == self.first, found + np.float32(5e-5), found))


def test_decisions_are_compared_where_the_output_is_further_from_the_border_than_the_limit() -> None:
    both = Shifted()
    first = float(both.predict(_normal((2, 4)))[0, 0])

    def check(change: float, border: float) -> dict[str, object]:
        rule = DecisionRule(lambda p: str(p >= first + change), first + border)
        return parity.check_network(both, both, None, FEATURES, rule)  # type: ignore[arg-type]

    near = check(2e-5, 2e-5)
    assert near["widest_limit"] == pytest.approx(8e-5, rel=1e-2)
    assert near["max_difference"] == pytest.approx(5e-5, rel=1e-2)
    assert near["tolerance"] == TOLERANCE
    with pytest.raises(Refused, match=r"^standard normal, window 0: expected the decision False, got True"):
        check(2e-5, 2e-4)


def _normal(window: tuple[int, int]) -> Floats32:
    noise: Floats = np.random.default_rng(20171231).standard_normal((2, parity.RANDOM_WINDOWS, *window))
    return np.asarray(noise[0], np.float32)


# Relu cells on raw prices. Training makes them sensitive to the small changes of a price level: the sum of large values
# that are rounded is amplified.


class Remembered:
    """A loaded model that answers the same windows once, so that many graphs can be compared with it."""

    def __init__(self, model: KerasModel) -> None:
        self.tool, self.window, self.mask_values, self.model = model.tool, model.window, model.mask_values, model.model
        self.mask_axes: tuple[int, ...] = (1,)
        self._predict, self._answers = model.predict, dict[bytes, Floats32]()
        self.in_float64 = functools.cache(model.in_float64)

    def predict(self, windows: Floats32) -> Floats32:
        key = windows.tobytes()
        if key not in self._answers:
            self._answers[key] = self._predict(windows)
        return self._answers[key]


def network_on_prices(framework: Framework, epsilon: float) -> Keras:
    layers = helpers.framework(framework).layers
    one = layers.Input((STEPS, len(FEATURES)))
    hidden = layers.LSTM(UNITS, activation="relu", name="lstm")(one)
    normal = layers.BatchNormalization(epsilon=epsilon, name="norm")(hidden)
    return helpers.framework(framework).Model(one, layers.Dense(1, activation="sigmoid", name="head")(normal))


@functools.cache
def relu_on_prices(framework: Framework) -> Remembered:
    rng = np.random.default_rng(5)
    model = network_on_prices(framework, 1e-6)
    _, lstm, norm, head = model.layers
    sizes = zip((0.2, 0.15, 0.3), lstm.get_weights(), strict=True)
    lstm.set_weights([size * rng.standard_normal(weight.shape) for size, weight in sizes])
    prices = parity._of_candles(150.0, rng, STEPS, FEATURES).astype(np.float32)  # noqa: SLF001 - the gate's own
    hidden = helpers.framework(framework).Model(model.inputs[0], lstm.output).predict(prices, verbose=0)
    scale = np.array([rng.uniform(0.5, 2.0, UNITS), rng.standard_normal(UNITS)])
    norm.set_weights([*scale, hidden.mean(axis=0), hidden.var(axis=0)])
    head.set_weights([4.0 * rng.standard_normal((UNITS, 1)), np.array([0.5])])
    with TemporaryDirectory() as folder:
        return Remembered(helpers.saved(model, Path(folder)))


def gate(model: Remembered, graph: onnx.ModelProto) -> dict[str, object]:
    return parity.check_network(model, GraphSession(graph.SerializeToString()), None, FEATURES, RULE)


both = pytest.mark.parametrize("framework", helpers.FRAMEWORKS)


@both
def test_a_relu_network_on_raw_prices_passes(framework: Framework) -> None:
    model = relu_on_prices(framework)
    figures = gate(model, network.build(model.model, model.window))
    found = {key: float(str(figures[key])) for key in ("max_difference", "framework_distance", "widest_limit")}
    assert TOLERANCE < found["max_difference"] < found["widest_limit"] <= CEILING
    assert found["widest_limit"] <= FACTOR * found["framework_distance"] * (1 + 1e-9)
    (note,) = rounding.notes(figures, "tf_keras 2.21.0")
    assert f"{found['framework_distance']:.2g}" in note


def swapped_gates(weights: Floats32) -> Floats32:
    """The input gate as the output gate: (directions, gates * units, inputs)."""
    return weights.reshape(1, 4, UNITS, -1)[:, [1, 0, 2, 3]].reshape(weights.shape)


WRONG: dict[str, tuple[str, Change]] = {
    "swapped gates": ("lstm/W", swapped_gates),
    "swapped recurrent gates": ("lstm/R", swapped_gates),
    "no bias": ("lstm/B", np.zeros_like),
    "no bias of the head": ("head/bias", np.zeros_like),
    "a kernel that is 1 % larger": ("head/kernel", lambda w: w * np.float32(1.01)),
}


@both
@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_graph_is_refused_where_rounding_is_large(case: str, framework: Framework) -> None:
    model, (name, change) = relu_on_prices(framework), WRONG[case]
    graph = network.build(model.model, model.window)
    (constant,) = [each for each in graph.graph.initializer if each.name == name]
    constant.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(constant)), name))
    with pytest.raises(Refused, match=r": expected .* got .*: difference "):
        gate(model, graph)


@both
def test_another_epsilon_is_refused_where_rounding_is_large(framework: Framework) -> None:
    model = relu_on_prices(framework)
    other = network_on_prices(framework, 1e-3)
    other.set_weights(model.model.get_weights())
    with pytest.raises(Refused, match=r": expected .* got .*: difference "):
        gate(model, network.build(other, model.window))
