"""Small networks of every kind that `convert` takes, for both frameworks and in every form of file.

Tests convert each of them, and `benchmarks.converter_coverage` measures them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from convert.graph import Keras
from convert.untrusted.models.keras_files import Framework, import_framework

STEPS = 8
# Features without a scale, so that the gate's windows of two price levels are near those of training.
FEATURES = ("returns", "log_returns", "momentum_5", "volatility_10")

Way: TypeAlias = Literal["layers", "tf2onnx"]
Layers: TypeAlias = Callable[[Keras], list[Keras]]  # from the module `layers` of a framework
# From the framework, its module `layers` and the window's tensor to the tensor before the head.
Body: TypeAlias = Callable[[Keras, Keras, Keras], Keras]

BOTH: tuple[Framework, ...] = ("tf_keras", "keras")


class Network(NamedTuple):
    """One file.

    kind: what it is an example of. form: how its file is written, a key of converter_files.FORMS. make: the model.
    stage: further keys of its stage in versions.toml. way: the way that it must go.
    """

    kind: str
    framework: Framework
    form: str
    make: Callable[[Keras], Keras]
    stage: dict[str, Any]
    way: Way

    @property
    def name(self) -> str:
        """A name that no other network has."""
        return f"{self.kind} ({self.form})"


def _positions(keras: Keras, k: Keras, x: Keras) -> Keras:
    numbers = np.arange(STEPS)
    if keras.__name__ == "keras":
        return k.LSTM(4)(k.Dense(4)(x) + k.Embedding(STEPS, 4)(keras.ops.convert_to_tensor(numbers)))
    return k.LSTM(4)(k.Dense(4)(x) + k.Embedding(STEPS, 4)(keras.backend.constant(numbers, "int32")))


def _encoder_decoder(_keras: Keras, k: Keras, x: Keras) -> Keras:
    y, hidden, cell = k.LSTM(4, return_state=True)(x)
    return k.LSTM(4)(k.RepeatVector(3)(y), initial_state=[hidden, cell])


def _nested(keras: Keras, k: Keras, x: Keras) -> Keras:
    one = k.Input((STEPS, len(FEATURES)))
    inner = keras.Model(one, k.GRU(3, return_sequences=True)(one))
    return k.GRU(3)(k.Concatenate()([inner(x), inner(k.Dense(len(FEATURES))(x))]))


def _transformer(_keras: Keras, k: Keras, x: Keras) -> Keras:
    x = k.Dense(6)(x)
    x = k.LayerNormalization()(x + k.MultiHeadAttention(2, 3)(x, x))
    return k.GlobalAveragePooling1D()(k.LayerNormalization()(x + k.Dense(6)(k.Dense(8, activation="gelu")(x))))


def _merged(name: str) -> Body:
    return lambda _keras, k, x: k.LSTM(4)(getattr(k, name)()([k.Dense(4)(x), k.GRU(4, return_sequences=True)(x)]))


# Layers between the window and a Dense layer.
SEQUENTIAL: dict[str, Layers] = {
    "LSTM": lambda k: [k.LSTM(8, return_sequences=True), k.Dropout(0.2), k.LSTM(6), k.Dense(4, activation="relu")],
    "LSTM of relu cells": lambda k: [k.LSTM(6, activation="relu")],
    "GRU": lambda k: [k.GRU(8, return_sequences=True), k.GRU(6)],
    "GRU, reset before": lambda k: [k.GRU(6, reset_after=False)],
    "SimpleRNN": lambda k: [k.SimpleRNN(6, return_sequences=True), k.SimpleRNN(4)],
    "Bidirectional": lambda k: [k.Bidirectional(k.LSTM(4, return_sequences=True)), k.Bidirectional(k.GRU(3))],
    "Masking": lambda k: [k.Masking(), k.LSTM(5, return_sequences=True), k.GRU(4)],
    "Conv1D, causal, dilated": lambda k: [
        k.Conv1D(6, 3, padding="causal", activation="relu"),
        k.Conv1D(6, 2, padding="causal", dilation_rate=2),
        k.LSTM(4),
    ],
    "Conv1D, strides, pools": lambda k: [
        k.Conv1D(6, 3, padding="same", strides=2),
        k.MaxPooling1D(2, padding="same"),
        k.Conv1D(4, 2),
        k.AveragePooling1D(1),
        k.GRU(4),
    ],
    "Conv1DTranspose": lambda k: [k.Conv1DTranspose(4, 3, strides=2), k.LSTM(4)],
    "SeparableConv1D, DepthwiseConv1D": lambda k: [
        k.SeparableConv1D(6, 3, padding="same"),
        k.DepthwiseConv1D(3),
        k.GlobalMaxPooling1D(),
    ],
    "Reshape, Permute": lambda k: [k.Permute((2, 1)), k.Reshape((STEPS, len(FEATURES))), k.LSTM(4)],
    "RepeatVector, TimeDistributed": lambda k: [
        k.LSTM(5),
        k.RepeatVector(3),
        k.GRU(4, return_sequences=True),
        k.TimeDistributed(k.Dense(3, activation="tanh")),
        k.Flatten(),
    ],
    "Normalization, Rescaling": lambda k: [
        k.Normalization(mean=[0.0, 0.1, 0.2, 0.3], variance=[1.0, 2.0, 0.5, 1.5]),
        k.Rescaling(0.5, offset=0.1),
        k.LSTM(4),
    ],
    "Cropping1D, ZeroPadding1D, UpSampling1D": lambda k: [
        k.Cropping1D((2, 1)),
        k.ZeroPadding1D((1, 2)),
        k.UpSampling1D(2),
        k.GRU(4),
    ],
    "BatchNormalization, LayerNormalization": lambda k: [
        k.BatchNormalization(),
        k.LSTM(5, return_sequences=True),
        k.LayerNormalization(),
        k.LSTM(4),
    ],
    "GroupNormalization, UnitNormalization": lambda k: [
        k.Dense(6),
        k.GroupNormalization(3),
        k.UnitNormalization(),
        k.LSTM(4),
    ],
    "PReLU, ELU, LeakyReLU": lambda k: [k.Dense(5), k.PReLU(), k.ELU(0.5), k.LeakyReLU(), k.GRU(4)],
    "gelu, silu, mish": lambda k: [
        k.Dense(5, activation="gelu"),
        k.Conv1D(5, 2, activation="swish"),
        k.Dense(5, activation="mish"),
        k.LSTM(4),
    ],
    "other activations": lambda k: [
        *(k.Dense(5, activation=name) for name in ("selu", "softplus", "softsign", "hard_sigmoid", "exponential")),
        k.GRU(4),
    ],
    "Softmax over steps": lambda k: [k.Dense(5), k.Softmax(axis=1), k.GRU(4)],
    "dropouts and noise": lambda k: [
        k.SpatialDropout1D(0.2),
        k.GaussianNoise(0.1),
        k.LSTM(4, recurrent_dropout=0.1),
        k.AlphaDropout(0.1),
    ],
    "Dense alone": lambda k: [k.Flatten(), k.Dense(8, activation="relu"), k.Dense(4, activation="tanh")],
}
# Layers of one framework only.
OF_ONE: dict[str, tuple[Framework, Layers]] = {
    "RMSNormalization": ("keras", lambda k: [k.Dense(6), k.RMSNormalization(), k.LSTM(4)]),
    "activations of Keras 3": (
        "keras",
        lambda k: [*(k.Dense(5, activation=name) for name in ("celu", "hard_tanh", "log_sigmoid")), k.GRU(4)],
    ),
    "ThresholdedReLU": ("tf_keras", lambda k: [k.Dense(5), k.ThresholdedReLU(0.2), k.GRU(4)]),
}
FUNCTIONAL: dict[str, Body] = {
    "Add": _merged("Add"),
    "Subtract": _merged("Subtract"),
    "Multiply": _merged("Multiply"),
    "Average, Maximum": lambda _f, k, x: k.LSTM(4)(
        k.Average()([k.Maximum()([k.Dense(4)(x), k.Dense(4)(x)]), k.GRU(4, return_sequences=True)(x)])
    ),
    "operators": lambda _f, k, x: k.Dense(4)(k.LSTM(4, return_sequences=True)(0.5 * x + 0.1)[:, -1]),
    "operators of two branches": lambda _f, k, x: k.LSTM(4)(k.Dense(4)(x) + k.GRU(4, return_sequences=True)(x)),
    "MultiHeadAttention": lambda _f, k, x: k.Flatten()(k.MultiHeadAttention(2, 4)(x, x)),
    "MultiHeadAttention, causal": lambda _f, k, x: k.GRU(4)(
        k.MultiHeadAttention(2, 3, value_dim=5)(x, x, use_causal_mask=True)
    ),
    "Attention": lambda _f, k, x: k.GlobalAveragePooling1D()(
        k.Attention()([k.LSTM(4, return_sequences=True)(x), k.Dense(4)(x)])
    ),
    "AdditiveAttention": lambda _f, k, x: k.GlobalAveragePooling1D()(
        k.AdditiveAttention()([k.LSTM(4, return_sequences=True)(x), k.Dense(4)(x)])
    ),
    "Transformer": _transformer,
    "Embedding of positions": _positions,
    "initial_state": _encoder_decoder,
    "nested and shared": _nested,
}
# Networks with a layer that the table does not have.
BEHIND: dict[str, Layers] = {
    "Conv2D": lambda k: [k.Reshape((STEPS, len(FEATURES), 1)), k.Conv2D(3, 2, activation="relu"), k.Flatten()],
    "ConvLSTM1D": lambda k: [k.Reshape((STEPS, len(FEATURES), 1)), k.ConvLSTM1D(3, 2), k.Flatten()],
    "EinsumDense": lambda k: [k.EinsumDense("abc,cd->abd", output_shape=(None, 5), bias_axes="d"), k.LSTM(4)],
    "RNN of cells": lambda k: [k.RNN([k.LSTMCell(4), k.GRUCell(3)])],
}


def _sequential(build: Layers) -> Callable[[Keras], Keras]:
    def make(keras: Keras) -> Keras:
        k = keras.layers
        return keras.Sequential(
            [k.Input((STEPS, len(FEATURES))), *build(k), k.Dense(1, activation="sigmoid", name="head")]
        )

    return make


def _functional(build: Body) -> Callable[[Keras], Keras]:
    def make(keras: Keras) -> Keras:
        window = keras.layers.Input((STEPS, len(FEATURES)))
        x = build(keras, keras.layers, window)
        return keras.Model(window, keras.layers.Dense(1, activation="sigmoid", name="head")(x))

    return make


def _headed(units: int, activation: str = "softmax") -> Callable[[Keras], Keras]:
    def make(keras: Keras) -> Keras:
        k = keras.layers
        return keras.Sequential([k.Input((STEPS, len(FEATURES))), k.LSTM(5), k.Dense(units, activation=activation)])

    return make


def _two_outputs(keras: Keras) -> Keras:
    k = keras.layers
    window = k.Input((STEPS, len(FEATURES)))
    x = k.LSTM(5)(window)
    heads = [k.Dense(1, activation="linear", name="price")(x), k.Dense(1, activation="sigmoid", name="reversal")(x)]
    return keras.Model(window, heads)


def _shaped(shape: tuple[int, ...], build: Layers) -> Callable[[Keras], Keras]:
    def make(keras: Keras) -> Keras:
        k = keras.layers
        return keras.Sequential([k.Input(shape), *build(k), k.Dense(1, activation="sigmoid", name="head")])

    return make


WINDOW = (STEPS, len(FEATURES))
OTHER_HEADS: dict[str, tuple[Callable[[Keras], Keras], dict[str, Any]]] = {
    "head softmax(2)": (_headed(2), {}),
    "head softmax(2), reversed": (_headed(2), {"classes": ["reversal", "hold"]}),
    "head softmax(3)": (_headed(3), {"classes": ["short", "hold", "long"]}),
    "two outputs": (_two_outputs, {"output": "reversal"}),
}
OTHER_WINDOWS: dict[str, tuple[Callable[[Keras], Keras], dict[str, Any]]] = {
    "window, features first": (
        _shaped(WINDOW[::-1], lambda k: [k.Permute((2, 1)), k.LSTM(4)]),
        {"layout": "features_first"},
    ),
    "window, flattened": (
        _shaped((STEPS * len(FEATURES),), lambda k: [k.Dense(8, activation="relu")]),
        {"sequence_length": STEPS},
    ),
    "window, trailing 1": (_shaped((*WINDOW, 1), lambda k: [k.Reshape(WINDOW), k.LSTM(4)]), {}),
    "window, leading 1": (_shaped((1, *WINDOW), lambda k: [k.TimeDistributed(k.Flatten()), k.LSTM(4)]), {}),
}
# The forms of files, each with the frameworks that write it.
USUAL: dict[Framework, str] = {"tf_keras": "Keras 2 .h5", "keras": "Keras 3 .keras"}
OTHER_FORMS: dict[str, Framework] = {
    "Keras 2.0 .h5": "tf_keras",
    "Keras 2.3 .h5": "tf_keras",
    "Keras 2 .keras": "tf_keras",
    "Keras 2 .keras, Windows": "tf_keras",
    "Keras 3 .h5": "keras",
}


def networks() -> Iterator[Network]:
    """All networks, in the order of the page."""
    for framework in BOTH:
        usual = USUAL[framework]
        for kind, layers in SEQUENTIAL.items():
            yield Network(kind, framework, usual, _sequential(layers), {}, "layers")
        for kind, (only, layers) in OF_ONE.items():
            if only == framework:
                yield Network(kind, framework, usual, _sequential(layers), {}, "layers")
        for kind, body in FUNCTIONAL.items():
            yield Network(kind, framework, usual, _functional(body), {}, "layers")
        for kind, (make, stage) in (OTHER_HEADS | OTHER_WINDOWS).items():
            yield Network(kind, framework, usual, make, stage, "layers")
        for kind, layers in BEHIND.items():
            yield Network(kind, framework, usual, _sequential(layers), {}, "tf2onnx")
    for form, framework in OTHER_FORMS.items():
        for kind in ("LSTM", "Bidirectional"):
            yield Network(kind, framework, form, _sequential(SEQUENTIAL[kind]), {}, "layers")


def made(network: Network, seed: int = 7) -> Keras:
    """The model with random weights: zeros would hide a missing bias, and ones a missing scale."""
    model = network.make(import_framework(network.framework))
    rng = np.random.default_rng(seed)
    drawn = []
    for weight in model.weights:
        values = 0.5 * rng.standard_normal(tuple(weight.shape)).astype(np.float32)
        drawn.append(np.abs(values) + 0.2 if "variance" in weight.name else values)
    model.set_weights(drawn)
    return model
