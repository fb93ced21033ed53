"""The same network in float64: every kind of layer keeps its answers, and what cannot be rebuilt is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from convert.errors import Refused
from convert.graph import Keras
from convert.networks import float64
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers

both = pytest.mark.parametrize("framework", helpers.FRAMEWORKS)

Build = Callable[[Keras], list[Keras]]
Floats = NDArray[np.float64]
MASK = -0.1  # float32 rounds it, so in float64 no step would equal it


def adapted(layers: Keras) -> Keras:
    layer = layers.Normalization()
    layer.adapt(10.0 + 3.0 * helpers.windows())
    return layer


def nested(layers: Keras) -> Keras:
    one = layers.Input((helpers.STEPS, 4))
    keras = helpers.framework("keras" if layers.__name__.startswith("keras") else "tf_keras")
    return keras.Model(one, layers.GRU(3, return_sequences=True)(layers.LayerNormalization()(one)))


NETWORKS: dict[str, Build] = {
    "masked": lambda k: [k.Masking(MASK), k.SimpleRNN(4, return_sequences=True), k.SimpleRNN(3, activation="relu")],
    "normalization, adapted": lambda k: [
        adapted(k),
        k.Bidirectional(k.LSTM(3, return_sequences=True)),
        k.BatchNormalization(),
        k.GRU(4, reset_after=False),
    ],
    "normalization, constants": lambda k: [
        k.Normalization(mean=[0.1, 150.3, 1e9], variance=[1.0, 2.0, 1e18]),
        k.TimeDistributed(k.Dense(4, activation="elu")),
        nested(k),
        k.Flatten(),
    ],
    "others": lambda k: [
        k.Dropout(0.3),
        k.Conv1D(3, 2, activation=k.LeakyReLU(0.1)),
        k.AlphaDropout(0.2),
        k.SimpleRNN(3),
    ],
}


def answers(model: Keras, given: helpers.Floats32) -> tuple[helpers.Floats32, Floats]:
    """The outputs of the model, and of its like in float64."""
    narrow = np.asarray(model(given, training=False))
    wide = np.asarray(float64.rebuilt(model)(given.astype(np.float64), training=False))
    assert wide.dtype == np.float64
    assert wide.shape == narrow.shape
    return narrow, wide


@pytest.mark.long
@both
@pytest.mark.parametrize("case", NETWORKS)
def test_the_network_in_float64_gives_the_same_answers(case: str, framework: Framework, tmp_path: Path) -> None:
    model = helpers.saved(helpers.sequential(framework, NETWORKS[case]), tmp_path).model
    given = helpers.masked_windows(MASK)
    if "constants" in case:
        given *= np.array([1.0, 150.0, 1e9], np.float32)
    narrow, wide = answers(model, given)
    assert np.ptp(narrow) > 1e-2
    assert 0.0 < np.abs(narrow - wide).max() < 1e-6, "rounding of float32, and nothing else"


@both
def test_layers_that_are_shared_stay_shared(framework: Framework, tmp_path: Path) -> None:
    keras = helpers.framework(framework)
    layers = keras.layers
    one = layers.Input((helpers.STEPS, helpers.FEATURES))
    shared, dense = layers.LSTM(3, return_sequences=True), layers.Dense(3)
    merged = layers.Concatenate()([shared(one), shared(dense(dense(one)))])
    model = keras.Model(one, layers.Dense(1, activation="sigmoid")(layers.GRU(2)(merged)))
    narrow, wide = answers(helpers.saved(helpers.randomised(model), tmp_path).model, helpers.windows())
    assert 0.0 < np.abs(narrow - wide).max() < 1e-6


@both
def test_an_output_that_was_chosen_and_constants_of_operators(framework: Framework) -> None:
    keras = helpers.framework(framework)
    layers = keras.layers
    one = layers.Input((helpers.STEPS, helpers.FEATURES))
    scaled = one * 0.1 + 0.7
    hidden = layers.LSTM(3)(scaled - scaled[:, -1:])
    outputs = [layers.Dense(1, activation="sigmoid", name=name)(hidden) for name in ("a", "b")]
    model = helpers.randomised(keras.Model(one, outputs))
    chosen = keras.Model(model.inputs[0], model.outputs[1])
    narrow, wide = answers(chosen, helpers.windows())
    assert 0.0 < np.abs(narrow - wide).max() < 1e-6


def test_a_stateful_model_starts_each_window_without_a_state(tmp_path: Path) -> None:
    keras = helpers.framework("tf_keras")
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input(batch_shape=(4, helpers.STEPS, helpers.FEATURES)),
            layers.LSTM(3, stateful=True),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    loaded = helpers.saved(helpers.randomised(model), tmp_path)
    narrow, wide = loaded.predict(helpers.windows(10)), loaded.in_float64()(helpers.windows(10))
    assert 0.0 < np.abs(narrow - wide).max() < 1e-6


@both
def test_a_layer_of_another_module_is_found_by_its_class(framework: Framework) -> None:
    keras = helpers.framework(framework)

    class Doubled(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, given: Keras) -> Keras:
            return given + given

    narrow, wide = answers(helpers.sequential(framework, lambda k: [Doubled(), k.Flatten()]), helpers.windows())
    assert 0.0 < np.abs(narrow - wide).max() < 1e-6


@both
def test_a_network_that_stays_in_float32_is_refused(framework: Framework) -> None:
    keras = helpers.framework(framework)

    class Narrow(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def build(self, shape: tuple[int, ...]) -> None:
            self.factor = self.add_weight(name="factor", shape=(shape[-1],), dtype="float32")

        def call(self, given: Keras) -> Keras:
            return given

    with pytest.raises(Refused, match=r"cannot be built in float64 \(.*factor.* stays in float32\)"):
        float64.rebuilt(helpers.sequential(framework, lambda k: [Narrow(), k.Flatten()]))


@both
def test_a_model_without_a_configuration_is_refused(framework: Framework) -> None:
    keras = helpers.framework(framework)

    class Own(keras.Model):  # type: ignore[misc, name-defined]
        def get_config(self) -> dict[str, object]:
            raise NotImplementedError

    one = keras.layers.Input((helpers.STEPS, helpers.FEATURES))
    with pytest.raises(Refused, match="cannot be built in float64"):
        float64.rebuilt(Own(one, keras.layers.Dense(1)(one)))
