"""Every layer of the table, compared with both frameworks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from convert.errors import Refused
from convert.graph import Keras
from convert.layers import network
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers

Build = Callable[[Keras], list[Keras]]

both = pytest.mark.parametrize("framework", helpers.FRAMEWORKS)

ON_SEQUENCES: dict[str, Build] = {
    "dense": lambda k: [k.Dense(4)],
    "dense without bias": lambda k: [k.Dense(4, use_bias=False)],
    "dropouts and noises": lambda k: [
        k.Dropout(0.5),
        k.SpatialDropout1D(0.5),
        k.GaussianNoise(0.5),
        k.GaussianDropout(0.5),
        k.AlphaDropout(0.5),
        k.ActivityRegularization(l2=0.1),
    ],
    "batch normalization": lambda k: [k.BatchNormalization()],
    "batch normalization without scale": lambda k: [k.BatchNormalization(scale=False)],
    "batch normalization without centre": lambda k: [k.BatchNormalization(center=False)],
    "batch normalization over steps": lambda k: [k.BatchNormalization(axis=1)],
    "batch normalization with its own epsilon": lambda k: [k.BatchNormalization(epsilon=0.1)],
    "layer normalization": lambda k: [k.LayerNormalization()],
    "layer normalization without scale and centre": lambda k: [k.LayerNormalization(scale=False, center=False)],
    "layer normalization with its own epsilon": lambda k: [k.LayerNormalization(epsilon=0.1)],
    "layer normalization with a small epsilon": lambda k: [k.LayerNormalization(epsilon=1e-6)],
    "relu layer": lambda k: [k.ReLU()],
    "relu layer with ceiling and slope": lambda k: [k.ReLU(max_value=0.5, negative_slope=0.1)],
    "leaky relu layer": lambda k: [k.LeakyReLU()],
    "softmax layer": lambda k: [k.Softmax()],
    "activation that is a layer": lambda k: [k.Dense(4, activation=k.LeakyReLU())],
}
ACTIVATIONS = [
    (framework, name)
    for name in ("linear", "sigmoid", "tanh", "relu", "hard_sigmoid", "softmax", "elu", "selu", "softplus", "softsign")
    for framework in helpers.FRAMEWORKS
]
# Each framework has a function that the other lacks or calls by another name.
ACTIVATIONS += [("tf_keras", "swish"), ("keras", "silu"), ("keras", "leaky_relu")]


@both
@pytest.mark.parametrize("case", ON_SEQUENCES)
def test_layer_on_sequences(case: str, framework: Framework, tmp_path: Path) -> None:
    model = helpers.saved(helpers.sequential(framework, ON_SEQUENCES[case], flat=True), tmp_path)
    helpers.assert_same(model.model, helpers.windows())


@both
@pytest.mark.parametrize("case", ["dense", "batch normalization", "layer normalization", "softmax layer"])
def test_layer_on_vectors(case: str, framework: Framework) -> None:
    def build(layers: Keras) -> list[Keras]:
        return [layers.Flatten(), *ON_SEQUENCES[case](layers)]

    helpers.assert_same(helpers.sequential(framework, build), helpers.windows())


@both
@pytest.mark.parametrize("case", ON_SEQUENCES)
def test_layer_between_recurrent_ones(case: str, framework: Framework) -> None:
    def build(layers: Keras) -> list[Keras]:
        return [layers.LSTM(4, return_sequences=True), *ON_SEQUENCES[case](layers), layers.LSTM(3)]

    helpers.assert_same(helpers.sequential(framework, build), helpers.windows())


@pytest.mark.parametrize(("framework", "activation"), ACTIVATIONS)
def test_activation(framework: Framework, activation: str, tmp_path: Path) -> None:
    def build(layers: Keras) -> list[Keras]:
        return [layers.Activation(activation), layers.Dense(4, activation=activation)]

    model = helpers.saved(helpers.sequential(framework, build, flat=True), tmp_path)
    # Wide enough to reach both ends of a hard sigmoid.
    helpers.assert_same(model.model, 3.0 * helpers.windows())


@both
def test_layers_between_recurrent_ones_need_no_further_transpose(framework: Framework) -> None:
    def build(layers: Keras) -> list[Keras]:
        middle = [layers.Dropout(0.2), layers.BatchNormalization(), layers.Dense(4, activation="tanh")]
        return [layers.LSTM(4, return_sequences=True), *middle, layers.GRU(3, return_sequences=True), layers.LSTM(3)]

    graph = helpers.assert_same(helpers.sequential(framework, build), helpers.windows())
    assert helpers.operators(graph).count("Transpose") == 1


REFUSED: dict[str, tuple[Build, str]] = {
    "softmax of masked steps": (
        lambda k: [k.Masking(), k.Dense(helpers.STEPS), k.Softmax(name="odd"), k.LSTM(3)],
        "odd: Softmax of masked steps",
    ),
    "flatten of channels": (lambda k: [k.Flatten(data_format="channels_first", name="odd")], "odd: Flatten with data"),
    "another precision": (lambda k: [k.Dense(3, dtype="float64", name="odd")], "odd: Dense computes in float64"),
}


@both
@pytest.mark.parametrize("case", REFUSED)
def test_refused_option_is_named_with_its_layer(case: str, framework: Framework) -> None:
    build, message = REFUSED[case]
    model = helpers.sequential(framework, build, flat=case != "softmax of masked steps")
    with pytest.raises(Refused, match=message):
        network.build(model, (helpers.STEPS, helpers.FEATURES))
