"""Rows of the table, compared with both frameworks; and together, from saved files of each format."""

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

FILES: list[tuple[Framework, str]] = [
    ("tf_keras", ".h5"),
    ("tf_keras", ".keras"),
    ("keras", ".h5"),
    ("keras", ".keras"),
]
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
    "separable convolution with strides": lambda k: [k.SeparableConv1D(4, 3, strides=2, use_bias=False)],
    "depthwise convolution": lambda k: [k.DepthwiseConv1D(3, depth_multiplier=2, activation="tanh")],
    "depthwise convolution with strides": lambda k: [k.DepthwiseConv1D(2, strides=2, padding="same", use_bias=False)],
    "transposed convolution": lambda k: [k.Conv1DTranspose(2, 3)],
    "transposed convolution same": lambda k: [k.Conv1DTranspose(2, 4, padding="same", activation="tanh")],
    "transposed convolution with strides": lambda k: [k.Conv1DTranspose(2, 3, strides=2)],
    "transposed convolution same with strides": lambda k: [k.Conv1DTranspose(2, 3, strides=2, padding="same")],
    "transposed convolution with gaps": lambda k: [
        k.Conv1DTranspose(2, 1, strides=3, use_bias=False),
        k.Conv1DTranspose(2, 2, strides=3, padding="same"),
    ],
    "max pooling": lambda k: [k.MaxPooling1D(2)],
    "max pooling same": lambda k: [k.MaxPooling1D(4, strides=1, padding="same")],
    "average pooling": lambda k: [k.AveragePooling1D(3, strides=2)],
    "average pooling same": lambda k: [k.AveragePooling1D(4, strides=3, padding="same")],
    "global average": lambda k: [k.GlobalAveragePooling1D()],
    "global average after lstm": lambda k: [k.LSTM(3, return_sequences=True), k.GlobalAveragePooling1D(keepdims=True)],
    "global average with axis": lambda k: [k.GlobalAveragePooling1D(keepdims=True), k.UpSampling1D(3), k.LSTM(3)],
    "global max with axis": lambda k: [k.LSTM(3, return_sequences=True), k.GlobalMaxPooling1D(keepdims=True)],
    "global max": lambda k: [k.GlobalMaxPooling1D(), k.Dense(4)],
    "simple rnn": lambda k: [k.SimpleRNN(4, return_sequences=True), k.SimpleRNN(3, activation="relu", use_bias=False)],
    "simple rnn backwards": lambda k: [k.SimpleRNN(4, return_sequences=True, go_backwards=True)],
    "simple rnn unrolled with dropouts": lambda k: [k.SimpleRNN(4, unroll=True, dropout=0.5, recurrent_dropout=0.5)],
    "simple rnn both ways": lambda k: [k.Bidirectional(k.SimpleRNN(4, return_sequences=True)), k.SimpleRNN(3)],
    "reshape": lambda k: [k.Reshape((3, -1)), k.Permute((2, 1)), k.Dense(2)],
    "three axes": lambda k: [k.Reshape((2, 3, 3)), k.Dense(4), k.Permute((3, 1, 2))],
    "repeat vector": lambda k: [k.LSTM(3), k.RepeatVector(4), k.LSTM(3, return_sequences=True)],
    "time distributed": lambda k: [k.TimeDistributed(k.Dense(4, activation="tanh"))],
    "time distributed convolution": lambda k: [k.Reshape((2, 3, 3)), k.TimeDistributed(k.Conv1D(4, 2))],
    "time distributed recurrence": lambda k: [
        k.Reshape((2, 3, 3)),
        k.TimeDistributed(k.LSTM(4, return_sequences=True)),
        k.TimeDistributed(k.Bidirectional(k.GRU(3))),
    ],
    "time distributed pooling": lambda k: [k.Reshape((2, 3, 3)), k.TimeDistributed(k.GlobalAveragePooling1D())],
    "cropping and padding": lambda k: [k.Cropping1D((1, 2)), k.ZeroPadding1D((2, 1)), k.LSTM(3)],
    "up sampling": lambda k: [k.LSTM(3, return_sequences=True), k.UpSampling1D(2), k.Conv1D(2, 3)],
    "rescaling": lambda k: [k.Rescaling(0.5, offset=-0.25)],
    "normalization": lambda k: [k.Normalization(mean=[0.1, -0.2, 0.3], variance=[0.5, 2.0, 1.5])],
    "normalization inverted": lambda k: [k.Normalization(mean=0.1, variance=2.0, invert=True, axis=None)],
    "identity": lambda k: [k.Identity()],
    "adapted normalization": lambda k: [k.Normalization(), k.LSTM(3)],
    "unit normalization": lambda k: [k.LSTM(4, return_sequences=True), k.UnitNormalization()],
    "unit normalization over steps": lambda k: [k.UnitNormalization(axis=1)],
    "unit normalization over both axes": lambda k: [k.UnitNormalization(axis=(1, 2))],
    "layer normalization over steps": lambda k: [
        k.LayerNormalization(axis=1),
        k.LayerNormalization(axis=-2, scale=False),
    ],
    "layer normalization over both axes": lambda k: [k.LayerNormalization(axis=(1, 2), center=False)],
    "group normalization over steps": lambda k: [k.GroupNormalization(2, axis=1)],
    "instance normalization": lambda k: [k.GroupNormalization(-1, scale=False), k.GroupNormalization(1, center=False)],
    "group normalization": lambda k: [k.Dense(6), k.GroupNormalization(3)],
    "prelu": lambda k: [k.LSTM(4, return_sequences=True), k.PReLU(), k.PReLU(shared_axes=[1])],
    "elu": lambda k: [k.ELU(0.7)],
    "relu with threshold": lambda k: [k.ReLU(threshold=0.4), k.ReLU(max_value=0.9, negative_slope=0.3, threshold=0.2)],
    "softmax over both axes": lambda k: [k.Softmax(axis=(1, 2))],
    "softmax over steps": lambda k: [k.LSTM(4, return_sequences=True), k.Softmax(axis=1)],
}


ONLY_OF: dict[Framework, dict[str, Build]] = {
    "tf_keras": {"thresholded relu": lambda k: [k.ThresholdedReLU(0.4)]},
    "keras": {
        "rms normalization": lambda k: [k.Dense(4), k.RMSNormalization()],
        "rms normalization over both axes": lambda k: [k.RMSNormalization(axis=(1, 2), epsilon=0.1)],
        "layer normalization by the variance": lambda k: [k.LayerNormalization(rms_scaling=True)],
    },
}
# Keras 3 says how this option is deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:You passed `rms_scaling=True`:UserWarning")


@pytest.mark.parametrize(
    ("framework", "build"),
    [
        pytest.param(framework, build, id=f"{case}-{framework}")
        for framework in helpers.FRAMEWORKS
        for case, build in (CASES | ONLY_OF[framework]).items()
    ],
)
def test_row(build: Build, framework: Framework) -> None:
    helpers.assert_same(helpers.sequential(framework, build, flat=True), helpers.windows())


# One configuration of each kind.
IN_FILES = (
    "convolution with an activation that is a layer",
    "separable convolution",
    "depthwise convolution",
    "transposed convolution same",
    "max pooling same",
    "average pooling same",
    "global average with axis",
    "global max",
    "simple rnn both ways",
    "reshape",
    "repeat vector",
    "time distributed convolution",
    "cropping and padding",
    "rescaling",
    "normalization",
    "adapted normalization",
    "unit normalization over both axes",
    "layer normalization over steps",
    "group normalization over steps",
    "prelu",
    "elu",
    "relu with threshold",
    "softmax over both axes",
    "thresholded relu",
    "rms normalization",
    "layer normalization by the variance",
)


@pytest.mark.long
@pytest.mark.parametrize(("framework", "suffix"), FILES)
def test_rows_from_a_file(framework: Framework, suffix: str, tmp_path: Path) -> None:
    cases = CASES | ONLY_OF[framework]
    model = helpers.branched(framework, [cases[case] for case in IN_FILES if case in cases])
    helpers.assert_same(helpers.saved(model, tmp_path, suffix).model, helpers.windows())


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_state_between_the_calls_at_each_step_is_refused(framework: Framework) -> None:
    keras = helpers.framework(framework)
    k = keras.layers
    window = keras.Input(batch_shape=(4, helpers.STEPS, helpers.FEATURES))
    parts = k.Reshape((2, 3, 3))(window)
    x = k.TimeDistributed(k.SimpleRNN(2, stateful=True), name="odd")(parts)
    with pytest.raises(Refused, match="odd: TimeDistributed of SimpleRNN with stateful=True"):
        network.build(keras.Model(window, k.Dense(1)(k.Flatten()(x))), (helpers.STEPS, helpers.FEATURES))


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_whole_model_at_every_step(framework: Framework, tmp_path: Path) -> None:
    keras = helpers.framework(framework)
    inner = keras.Sequential([keras.layers.Input((3, 3)), keras.layers.LSTM(3), keras.layers.Dense(2)])
    model = helpers.sequential(
        framework, lambda k: [k.Reshape((2, 3, 3)), k.TimeDistributed(inner), k.TimeDistributed(k.Dense(3)), k.LSTM(3)]
    )
    helpers.assert_same(helpers.saved(model, tmp_path, ".keras").model, helpers.windows())


MERGING: dict[str, Callable[[Keras], Keras]] = {
    "add": lambda k: k.Add(),
    "average": lambda k: k.Average(),
    "maximum": lambda k: k.Maximum(),
    "minimum": lambda k: k.Minimum(),
    "multiply": lambda k: k.Multiply(),
    "subtract": lambda k: k.Subtract(),
}


@pytest.mark.long
@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
@pytest.mark.parametrize("case", MERGING)
def test_merging_of_equal_and_of_broadcast_shapes(case: str, framework: Framework, tmp_path: Path) -> None:
    keras = helpers.framework(framework)
    k = keras.layers
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    first, second = k.LSTM(4, return_sequences=True)(window), k.Dense(4)(window)
    x = MERGING[case](k)([first, second])
    x = MERGING[case](k)([x, k.Dense(1, activation="tanh")(window)])
    x = MERGING[case](k)([k.LSTM(4)(window), x])  # of fewer axes
    deep = MERGING[case](k)([k.Reshape((1, 1, 4))(k.LSTM(4)(window)), k.Dense(4)(window)])
    x = k.Flatten()(k.Concatenate(axis=1)([x, second, k.Reshape((6, 4))(deep)]))
    model = helpers.randomised(keras.Model(window, k.Dense(1, activation="sigmoid")(x)))
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([0.1 * kernel, bias])
    helpers.assert_same(helpers.saved(model, tmp_path, ".keras").model, helpers.windows())


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_concatenation_along_each_axis(framework: Framework) -> None:
    keras = helpers.framework(framework)
    k = keras.layers
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    parts = [k.Reshape((2, 3, 3))(k.Dense(3)(window)) for _ in range(2)]
    ends = [k.Flatten()(k.Concatenate(axis=axis)(parts)) for axis in (1, 2, 3, -1, -2, -3)]
    x = k.Dense(1, activation="sigmoid")(k.Concatenate(axis=1)([k.Dense(2, activation="tanh")(end) for end in ends]))
    helpers.assert_same(helpers.randomised(keras.Model(window, x)), helpers.windows())


REFUSED: dict[str, tuple[Build, str]] = {
    "channels first": (lambda k: [k.Conv1D(3, 2, data_format="channels_first", name="odd")], "odd: Conv1D with data"),
    "transposed convolution with padding of its own": (
        lambda k: [k.Conv1DTranspose(3, 2, strides=3, output_padding=1, name="odd")],
        "odd: Conv1DTranspose with .*output_padding",
    ),
    "time distributed masks": (
        lambda k: [k.Reshape((2, 3, 3)), k.TimeDistributed(k.Masking(), name="odd")],
        "odd: TimeDistributed of Masking",
    ),
}


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
@pytest.mark.parametrize("case", REFUSED)
def test_refused_option_is_named_with_its_layer(case: str, framework: Framework) -> None:
    build, message = REFUSED[case]
    model = helpers.sequential(framework, build, flat=True)
    with pytest.raises(Refused, match=message):
        network.build(model, (helpers.STEPS, helpers.FEATURES))
