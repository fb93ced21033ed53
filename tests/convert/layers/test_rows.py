"""Rows of the table from saved files of each framework and format, compared with the framework itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from convert.errors import Refused
from convert.graph import Keras
from convert.layers import network
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers

Build = Callable[[Keras], list[Keras]]

FILES: list[tuple[Framework, str]] = [("tf_keras", ".h5"), ("keras", ".h5"), ("keras", ".keras")]
CASES: dict[str, Build] = {
    "convolution": lambda k: [k.Conv1D(4, 3, activation="gelu")],
    "convolution same": lambda k: [k.Conv1D(4, 4, padding="same", use_bias=False)],
    "convolution same with strides": lambda k: [k.Conv1D(4, 3, strides=2, padding="same")],
    "convolution causal and dilated": lambda k: [k.Conv1D(4, 2, dilation_rate=2, padding="causal", activation="relu")],
    "convolution causal with strides": lambda k: [k.Conv1D(4, 3, strides=2, padding="causal")],
    "convolution with strides": lambda k: [k.Conv1D(4, 3, strides=2)],
    "convolution with groups": lambda k: [k.Conv1D(6, 2, groups=3)],
    "convolution with an activation that is a layer": lambda k: [k.Conv1D(4, 2, activation=k.LeakyReLU())],
    "convolution after lstm": lambda k: [k.LSTM(4, return_sequences=True), k.Conv1D(4, 2), k.GRU(3)],
    "separable convolution": lambda k: [k.SeparableConv1D(4, 3, depth_multiplier=2, padding="same")],
    "depthwise convolution": lambda k: [k.DepthwiseConv1D(3, depth_multiplier=2, activation="tanh")],
    "max pooling": lambda k: [k.MaxPooling1D(2)],
    "max pooling same": lambda k: [k.MaxPooling1D(4, strides=1, padding="same")],
    "average pooling": lambda k: [k.AveragePooling1D(3, strides=2)],
    "average pooling same": lambda k: [k.AveragePooling1D(4, strides=3, padding="same")],
    "global average": lambda k: [k.GlobalAveragePooling1D()],
    "global average after lstm": lambda k: [k.LSTM(3, return_sequences=True), k.GlobalAveragePooling1D(keepdims=True)],
    "global max": lambda k: [k.GlobalMaxPooling1D(), k.Dense(4)],
    "simple rnn": lambda k: [k.SimpleRNN(4, return_sequences=True), k.SimpleRNN(3, activation="relu", use_bias=False)],
    "simple rnn backwards": lambda k: [k.SimpleRNN(4, return_sequences=True, go_backwards=True)],
    "simple rnn both ways": lambda k: [k.Bidirectional(k.SimpleRNN(4, return_sequences=True)), k.SimpleRNN(3)],
    "reshape": lambda k: [k.Reshape((3, -1)), k.Permute((2, 1)), k.Dense(2)],
    "three axes": lambda k: [k.Reshape((2, 3, 3)), k.Dense(4), k.Permute((3, 1, 2))],
    "repeat vector": lambda k: [k.LSTM(3), k.RepeatVector(4), k.LSTM(3, return_sequences=True)],
    "time distributed": lambda k: [k.TimeDistributed(k.Dense(4, activation="tanh"))],
    "time distributed convolution": lambda k: [k.Reshape((2, 3, 3)), k.TimeDistributed(k.Conv1D(4, 2))],
    "cropping and padding": lambda k: [k.Cropping1D((1, 2)), k.ZeroPadding1D((2, 1)), k.LSTM(3)],
    "up sampling": lambda k: [k.LSTM(3, return_sequences=True), k.UpSampling1D(2), k.Conv1D(2, 3)],
    "rescaling": lambda k: [k.Rescaling(0.5, offset=-0.25)],
    "normalization": lambda k: [k.Normalization(mean=[0.1, -0.2, 0.3], variance=[0.5, 2.0, 1.5])],
    "adapted normalization": lambda k: [k.Normalization(), k.LSTM(3)],
    "unit normalization": lambda k: [k.LSTM(4, return_sequences=True), k.UnitNormalization()],
    "group normalization": lambda k: [k.Dense(6), k.GroupNormalization(3)],
    "prelu": lambda k: [k.LSTM(4, return_sequences=True), k.PReLU(), k.PReLU(shared_axes=[1])],
    "elu": lambda k: [k.ELU(0.7)],
    "softmax over steps": lambda k: [k.LSTM(4, return_sequences=True), k.Softmax(axis=1)],
}


@pytest.mark.parametrize(("framework", "suffix"), FILES)
@pytest.mark.parametrize("case", CASES)
def test_row(case: str, framework: Framework, suffix: str, tmp_path: Path) -> None:
    model = helpers.sequential(framework, CASES[case], flat=True)
    helpers.assert_same(helpers.saved(model, tmp_path, suffix).model, helpers.windows())


MERGING: dict[str, Callable[[Keras], Keras]] = {
    "add": lambda k: k.Add(),
    "average": lambda k: k.Average(),
    "maximum": lambda k: k.Maximum(),
    "minimum": lambda k: k.Minimum(),
    "multiply": lambda k: k.Multiply(),
    "subtract": lambda k: k.Subtract(),
}


@pytest.mark.parametrize(("framework", "suffix"), FILES)
@pytest.mark.parametrize("case", MERGING)
def test_merging_of_equal_and_of_broadcast_shapes(case: str, framework: Framework, suffix: str, tmp_path: Path) -> None:
    keras = helpers.framework(framework)
    k = keras.layers
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    first, second = k.LSTM(4, return_sequences=True)(window), k.Dense(4)(window)
    x = MERGING[case](k)([first, second])
    x = MERGING[case](k)([x, k.Dense(1, activation="tanh")(window)])
    x = k.Flatten()(k.Concatenate(axis=1)([x, second]))
    model = helpers.randomised(keras.Model(window, k.Dense(1, activation="sigmoid")(x)))
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([0.1 * kernel, bias])
    helpers.assert_same(helpers.saved(model, tmp_path, suffix).model, helpers.windows())


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
@pytest.mark.parametrize("kind", ["SimpleRNN", "GlobalAveragePooling1D"])
def test_masked_steps(kind: str, framework: Framework) -> None:
    def build(k: Keras) -> list[Keras]:
        return [
            k.Masking(),
            k.SimpleRNN(4, return_sequences=True),
            k.SimpleRNN(3) if kind == "SimpleRNN" else getattr(k, kind)(),
        ]

    given = helpers.masked_windows()
    helpers.assert_same(helpers.sequential(framework, build), given[np.any(given != 0.0, axis=(1, 2))])


def test_rms_normalization_of_keras_3(tmp_path: Path) -> None:
    model = helpers.sequential("keras", lambda k: [k.Dense(4), k.RMSNormalization()], flat=True)
    helpers.assert_same(helpers.saved(model, tmp_path, ".keras").model, helpers.windows())


def test_thresholded_relu_of_keras_2(tmp_path: Path) -> None:
    model = helpers.sequential("tf_keras", lambda k: [k.ThresholdedReLU(0.4)], flat=True)
    helpers.assert_same(helpers.saved(model, tmp_path).model, helpers.windows())


REFUSED: dict[str, tuple[Build, str]] = {
    "channels first": (lambda k: [k.Conv1D(3, 2, data_format="channels_first", name="odd")], "odd: Conv1D with data"),
    "inverted": (
        lambda k: [k.Normalization(mean=0.1, variance=2.0, invert=True, axis=None, name="odd")],
        "odd: Normalization with invert=True",
    ),
    "group normalization over steps": (
        lambda k: [k.GroupNormalization(2, axis=1, name="odd")],
        "odd: GroupNormalization over axis 1",
    ),
}


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
@pytest.mark.parametrize("case", REFUSED)
def test_refused_option_is_named_with_its_layer(case: str, framework: Framework) -> None:
    build, message = REFUSED[case]
    model = helpers.sequential(framework, build, flat=True)
    with pytest.raises(Refused, match=message):
        network.build(model, (helpers.STEPS, helpers.FEATURES))
