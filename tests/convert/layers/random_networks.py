"""Random networks of the layers in the table: of any depth, with options, masks, branches and activations.

A kind of layer is one entry of KINDS. Functions with a jump (hard_shrink, sparsemax, thresholds) are left out: where
two computations round differently, both sides of the jump are right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from hypothesis import strategies as st

from convert.graph import Keras
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers

Floats32: TypeAlias = helpers.Floats32
Shape: TypeAlias = tuple[int, ...]

_Value = TypeVar("_Value")

WINDOWS = 12
_BOTH = (
    *("elu", "gelu", "hard_sigmoid", "leaky_relu", "linear", "log_softmax", "mish", "relu", "relu6", "selu"),
    *("sigmoid", "silu", "softmax", "softplus", "softsign", "tanh"),
)
ACTIVATIONS: dict[Framework, tuple[str, ...]] = {
    "tf_keras": _BOTH,
    "keras": (
        *_BOTH,
        *("celu", "hard_silu", "hard_tanh", "log_sigmoid", "soft_shrink"),
        *("sparse_plus", "sparse_sigmoid", "squareplus", "tanh_shrink"),
    ),
}


class Options:
    """Draws the options of a layer.

    k: the framework's layers. shape: that of the layer's input, without the batch. masked: whether it has a mask.
    """

    def __init__(self, draw: st.DrawFn, framework: Framework, shape: Shape, *, masked: bool) -> None:
        self._draw = draw
        self.framework, self.shape, self.masked = framework, shape, masked
        self.k = helpers.framework(framework).layers

    @property
    def steps(self) -> int:
        """The length of the first axis."""
        return self.shape[0]

    def number(self, least: int, most: int) -> int:
        """A number from `least` to `most`."""
        return self._draw(st.integers(least, most))

    def flag(self) -> bool:
        """True or false."""
        return self._draw(st.booleans())

    def one_of(self, *values: _Value) -> _Value:
        """One of these."""
        return self._draw(st.sampled_from(values))

    def axis(self) -> int:
        """One of the axes after the batch, also counted from the end."""
        return self.one_of(*(i for i in range(-len(self.shape), len(self.shape) + 1) if i))

    def activation(self) -> str:
        """The name of a function that this framework has."""
        return self.one_of(*ACTIVATIONS[self.framework])

    def divisor(self, number: int) -> int:
        """A number of equal groups."""
        return self.one_of(*(n for n in range(1, number + 1) if number % n == 0))

    def recurrent(self, kind: str) -> Keras:
        """An LSTM, GRU or SimpleRNN."""
        options: dict[str, Any] = {"use_bias": self.flag(), "unroll": self.one_of(False, False, True)}
        options["return_sequences"] = self.flag()
        options["activation"] = self.one_of("tanh", "tanh", "tanh", self.activation())
        if kind != "SimpleRNN":
            options["recurrent_activation"] = self.one_of("sigmoid", "sigmoid", "hard_sigmoid")
        if kind == "GRU":
            options["reset_after"] = self.flag()
        return getattr(self.k, kind)(self.number(1, 4), **options)


def _on_steps(o: Options) -> bool:
    return len(o.shape) == 2


def _on_any(_: Options) -> bool:
    return True


def _unmasked_steps(o: Options) -> bool:
    return _on_steps(o) and not o.masked


def _on_vectors(o: Options) -> bool:
    return len(o.shape) == 1


@dataclass(frozen=True)
class Kind:
    """A kind of layer: how to make one with drawn options, and the inputs that it takes."""

    make: Callable[[Options], Keras]
    takes: Callable[[Options], bool] = _on_steps
    call: Callable[[Keras, Keras], Keras] = lambda layer, x: layer(x)
    frameworks: tuple[Framework, ...] = helpers.FRAMEWORKS


def _convolution(o: Options) -> Keras:
    padding = o.one_of("valid", "same", "causal")
    dilation = o.number(1, 2)
    most = o.steps if padding != "valid" else (o.steps - 1) // dilation + 1
    return o.k.Conv1D(
        o.number(1, 4),
        o.number(1, min(most, 4)),
        padding=padding,
        dilation_rate=dilation,
        strides=o.number(1, 3) if dilation == 1 else 1,
        activation=o.activation(),
        use_bias=o.flag(),
    )


def _by_channel(o: Options) -> dict[str, Any]:
    return {
        "kernel_size": o.number(1, min(o.steps, 3)),
        "strides": o.number(1, 2),
        "padding": o.one_of("valid", "same"),
        "depth_multiplier": o.number(1, 2),
        "use_bias": o.flag(),
    }


def _pool(o: Options) -> dict[str, Any]:
    return {
        "pool_size": o.number(1, min(o.steps, 3)),
        "strides": o.one_of(None, 1, 2),
        "padding": o.one_of("valid", "same"),
    }


def _grouped(o: Options) -> Keras:
    axis = o.axis()
    groups = o.divisor(o.shape[axis if axis < 0 else axis - 1])
    return o.k.GroupNormalization(groups, axis=axis, scale=o.flag(), center=o.flag())


def _bidirectional(o: Options) -> Keras:
    kind, mode = o.one_of("LSTM", "GRU", "SimpleRNN"), o.one_of("concat", "sum", "ave", "mul")
    layer = o.recurrent(kind)
    layer.unroll = layer.unroll and not o.masked  # refused in Keras 2
    return o.k.Bidirectional(layer, merge_mode=mode)


def _with_itself(layer: Keras, x: Keras) -> Keras:
    return layer([x, x])


KINDS: dict[str, Kind] = {
    "Activation": Kind(lambda o: o.k.Activation(o.activation()), _on_any),
    "AdditiveAttention": Kind(lambda o: o.k.AdditiveAttention(use_scale=o.flag()), _unmasked_steps, _with_itself),
    "Attention": Kind(
        lambda o: o.k.Attention(use_scale=o.flag(), score_mode=o.one_of("dot", "concat")),
        _unmasked_steps,
        _with_itself,
    ),
    "AveragePooling1D": Kind(lambda o: o.k.AveragePooling1D(**_pool(o))),
    "BatchNormalization": Kind(lambda o: o.k.BatchNormalization(o.axis(), scale=o.flag(), center=o.flag()), _on_any),
    "Bidirectional": Kind(_bidirectional),
    "Conv1D": Kind(_convolution),
    "Conv1DTranspose": Kind(
        lambda o: o.k.Conv1DTranspose(
            o.number(1, 3), o.number(1, 3), strides=o.number(1, 2), padding=o.one_of("valid", "same")
        )
    ),
    "Cropping1D": Kind(lambda o: o.k.Cropping1D((o.number(0, o.steps - 1), 0))),
    "Dense": Kind(lambda o: o.k.Dense(o.number(1, 5), activation=o.activation(), use_bias=o.flag()), _on_any),
    "DepthwiseConv1D": Kind(lambda o: o.k.DepthwiseConv1D(**_by_channel(o))),
    "Dot": Kind(lambda o: o.k.Dot(axes=o.number(1, 2)), _unmasked_steps, _with_itself),
    "Dropout": Kind(lambda o: o.k.Dropout(0.5), _on_any),
    "ELU": Kind(lambda o: o.k.ELU(o.number(1, 9) / 5), _on_any),
    "Flatten": Kind(lambda o: o.k.Flatten(), _on_any),
    "GRU": Kind(lambda o: o.recurrent("GRU")),
    "GlobalAveragePooling1D": Kind(lambda o: o.k.GlobalAveragePooling1D(keepdims=o.flag())),
    "GlobalMaxPooling1D": Kind(lambda o: o.k.GlobalMaxPooling1D(keepdims=o.flag())),
    "GroupNormalization": Kind(_grouped, _unmasked_steps),
    "Identity": Kind(lambda o: o.k.Identity(), _on_any),
    "LSTM": Kind(lambda o: o.recurrent("LSTM")),
    "LSTM backwards": Kind(lambda o: o.k.LSTM(o.number(1, 4), go_backwards=True, return_sequences=o.flag())),
    "LayerNormalization": Kind(
        lambda o: o.k.LayerNormalization(o.axis(), epsilon=o.one_of(1e-3, 1e-2), scale=o.flag(), center=o.flag()),
        _on_any,
    ),
    "LeakyReLU": Kind(lambda o: o.k.LeakyReLU(o.number(1, 9) / 10), _on_any),
    "MaxPooling1D": Kind(lambda o: o.k.MaxPooling1D(**_pool(o))),
    "MultiHeadAttention": Kind(
        lambda o: o.k.MultiHeadAttention(o.number(1, 2), o.number(1, 3), o.number(1, 3), use_bias=o.flag()),
        _unmasked_steps,
        lambda layer, x: layer(x, x),
    ),
    "PReLU": Kind(lambda o: o.k.PReLU(shared_axes=o.one_of(None, [1]))),
    "Permute": Kind(lambda o: o.k.Permute((2, 1))),
    "RMSNormalization": Kind(lambda o: o.k.RMSNormalization(epsilon=1e-2), _on_any, frameworks=("keras",)),
    "ReLU": Kind(lambda o: o.k.ReLU(max_value=o.one_of(None, 0.5, 6.0), negative_slope=o.one_of(0.0, 0.2)), _on_any),
    "RepeatVector": Kind(lambda o: o.k.RepeatVector(o.number(1, 4)), _on_vectors),
    "Rescaling": Kind(lambda o: o.k.Rescaling(o.number(1, 9) / 5, offset=0.1), _on_any),
    "Reshape": Kind(lambda o: o.k.Reshape((-1, o.divisor(int(np.prod(o.shape))))), _on_any),
    "SeparableConv1D": Kind(lambda o: o.k.SeparableConv1D(o.number(1, 4), activation=o.activation(), **_by_channel(o))),
    "SimpleRNN": Kind(lambda o: o.recurrent("SimpleRNN")),
    "Softmax": Kind(lambda o: o.k.Softmax(axis=o.axis()), _unmasked_steps),
    "TimeDistributed": Kind(lambda o: o.k.TimeDistributed(o.k.Dense(o.number(1, 4), activation=o.activation()))),
    "UnitNormalization": Kind(lambda o: o.k.UnitNormalization(axis=o.axis()), _on_any),
    "UpSampling1D": Kind(lambda o: o.k.UpSampling1D(o.number(1, 2))),
    "ZeroPadding1D": Kind(lambda o: o.k.ZeroPadding1D((o.number(0, 2), o.number(0, 2)))),
}
ELEMENTWISE = ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract")


class Network(NamedTuple):
    """A model, windows for it, and what it is made of."""

    model: Keras
    windows: Floats32
    layers: list[str]


@st.composite
def networks(draw: st.DrawFn, framework: Framework) -> Network:
    """Between a window and one value: up to five layers or pairs of branches."""
    keras = helpers.framework(framework)
    shape = draw(st.tuples(st.integers(2, 6), st.integers(1, 4)))
    seed = draw(st.integers(0, 2**31))
    rng = np.random.default_rng(seed)
    given = rng.standard_normal((WINDOWS, *shape)).astype(np.float32)
    x = window = keras.Input(shape)
    names: list[str] = []
    if draw(st.sampled_from([False, False, True])):
        masked = rng.random(given.shape[:2]) < 0.4
        masked[np.arange(WINDOWS), rng.integers(0, shape[0], WINDOWS)] = False  # the average of no steps is undefined
        given[masked] = 0.0
        x = keras.layers.Masking()(x)
        names.append("Masking")
    for _ in range(draw(st.integers(1, 5))):
        branches = [_layer(draw, framework, x, names) for _ in range(draw(st.sampled_from([1, 1, 1, 2])))]
        x = _merged(draw, framework, branches, names) if len(branches) > 1 else branches[0]
    if len(x.shape) > 2:
        x = keras.layers.Flatten()(x)
    model = keras.Model(window, keras.layers.Dense(1, activation=draw(st.sampled_from(["sigmoid", "linear"])))(x))
    _draw_weights(model, rng)
    return Network(model, given, [framework, f"{shape}, seed {seed}", *names])


def _layer(draw: st.DrawFn, framework: Framework, x: Keras, names: list[str]) -> Keras:
    """Call one layer of any kind that takes a tensor like `x`."""
    options = Options(draw, framework, tuple(x.shape[1:]), masked=_is_masked(x))
    fitting = [kind for kind in KINDS.values() if framework in kind.frameworks and kind.takes(options)]
    kind = draw(st.sampled_from(fitting))
    layer = kind.make(options)
    names.append(f"{type(layer).__name__}({_plain(layer.get_config())}) of {options.shape}")
    return kind.call(layer, x)


def _merged(draw: st.DrawFn, framework: Framework, branches: list[Keras], names: list[str]) -> Keras:
    """Merge two tensors in one of the ways that fit their shapes; without any, take the first."""
    shapes = [tuple(x.shape[1:]) for x in branches]
    (first, second), masked = shapes, [_is_masked(x) for x in branches]
    ways: list[tuple[str, dict[str, int]]] = []
    if len(first) == len(second):
        for i in range(len(first)):
            others = [shape[:i] + shape[i + 1 :] for shape in shapes]
            # Keras 2 cannot join a mask to none along the steps.
            if others[0] == others[1] and (i == len(first) - 1 or masked[0] == masked[1]):
                ways.append(("Concatenate", {"axis": i + 1}))
    if all(1 in pair or pair[0] == pair[1] for pair in zip(first[::-1], second[::-1], strict=False)):
        steps = {shape[0] for shape, has_mask in zip(shapes, masked, strict=True) if has_mask or len(shape) > 1}
        if not any(masked) or (len(steps) == 1 and max(map(len, shapes)) == 2):
            ways += [(kind, {}) for kind in ELEMENTWISE]
    if not ways:
        return branches[0]
    kind, options = draw(st.sampled_from(ways))
    names.append(f"{kind}({options}) of {shapes}")
    return getattr(helpers.framework(framework).layers, kind)(**options)(branches)


def _is_masked(x: Keras) -> bool:
    return getattr(x, "_keras_mask", None) is not None


def _plain(config: dict[str, Any]) -> str:
    """The options of a layer that say what it computes."""
    left_out = ("initializer", "regularizer", "constraint", "dtype", "trainable", "name", "seed")
    return ", ".join(f"{key}={value}" for key, value in config.items() if not key.endswith(left_out))


def _draw_weights(model: Keras, rng: np.random.Generator) -> None:
    """Random weights, small enough that deep networks do not saturate."""
    drawn = []
    for weight in model.weights:
        values = 0.6 * rng.standard_normal(tuple(weight.shape)).astype(np.float32)
        drawn.append(np.abs(values) + np.float32(0.3) if "variance" in weight.name else values)
    model.set_weights(drawn)
