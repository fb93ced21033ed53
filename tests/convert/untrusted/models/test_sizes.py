"""The number of parameters that a configuration asks for, beside the one that Keras counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from convert.errors import Refused
from convert.graph import Keras
from convert.untrusted import limits
from convert.untrusted.models import keras_files, sizes
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers

both = pytest.mark.parametrize("framework", helpers.FRAMEWORKS)


def branched(framework: Framework) -> Keras:
    """Branches, inner models, and layers that are called twice."""
    keras = helpers.framework(framework)
    layers = keras.layers
    inner_input = keras.Input((helpers.STEPS, 4))
    inner = keras.Model(inner_input, [layers.LSTM(3)(inner_input), layers.GRU(3)(inner_input)], name="inner")
    tail = keras.Sequential([layers.Input((3,)), layers.Dense(3)], name="tail")
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    x = layers.Dense(4)(window)
    first, second = inner(x)
    third, _ = inner(layers.LayerNormalization()(x))
    flat = layers.Flatten()(layers.Bidirectional(layers.GRU(5, return_sequences=True, reset_after=False))(window))
    merged = layers.Concatenate()([layers.Add()([first, second]), tail(tail(third)), flat])
    return keras.Model(window, layers.Dense(1, use_bias=True)(layers.BatchNormalization()(merged)))


def config_of(model: Keras, tmp_path: Path) -> dict[str, Any]:
    file = keras_files.inspect(helpers.save(model, tmp_path / "model.keras"))
    found: dict[str, Any] = json.loads(file.model.config)
    return found


@both
def test_number_of_parameters_is_that_of_keras(framework: Framework, tmp_path: Path) -> None:
    model = branched(framework)
    counted = sizes.parameters(config_of(model, tmp_path))
    # LayerNormalization is counted like BatchNormalization, with twice its weights.
    assert counted - 2 * 4 == model.count_params()


@both
def test_early_and_plain_sequential_models_are_counted(framework: Framework, tmp_path: Path) -> None:
    model = helpers.sequential(framework, lambda k: [k.LSTM(5, return_sequences=True), k.GRU(4), k.Dense(7)])
    config = config_of(model, tmp_path)
    assert sizes.parameters(config) == model.count_params()
    config["config"] = config["config"]["layers"]
    assert sizes.parameters(config) == model.count_params()


def dense(name: str, units: object, *inputs: str, kind: str = "Dense") -> dict[str, Any]:
    nodes = [[[each, 0, 0, {}] for each in inputs]] if inputs else []
    return {"class_name": kind, "name": name, "config": {"name": name, "units": units}, "inbound_nodes": nodes}


def given(*shape: int | None) -> dict[str, Any]:
    return {
        "class_name": "InputLayer",
        "name": "input",
        "config": {"name": "input", "batch_input_shape": [*shape]},
        "inbound_nodes": [],
    }


def functional(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": "Functional", "config": {"layers": [*layers]}}


@pytest.mark.parametrize(
    "config",
    [
        functional(given(None, 20, 12), dense("a", 90_000, "input")),
        functional(given(None, 20, 12), dense("a", 40_000, "input"), dense("b", 40_000, "a")),
        # In the reverse of the order in which they are called.
        functional(dense("b", 40_000, "a"), dense("a", 40_000, "input"), given(None, 20, 12)),
        functional(given(None, 2_000, 50), dense("f", 1, "input", kind="Flatten"), dense("a", 100, "f")),
        functional(given(None, 20, 12), dense("a", "90000", "input")),
        functional(given(None, 20, 12), dense("a", 9e4, "input")),
        functional(given(None, 20, 12), dense("r", 2_000, "input", kind="LSTM")),
    ],
)
def test_more_parameters_than_the_file_has_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"[0-9,]{9,} parameters, but the file has 33,729 values"):
        sizes.check(config, 33_729)


def with_config(layer: dict[str, Any], **config: object) -> dict[str, Any]:
    return {**layer, "config": {**layer["config"], **config}}


HEADS: dict[str, Any] = {"num_heads": 10**6, "key_dim": 64}
SMALL: dict[str, Any] = {"num_heads": 2, "key_dim": 4}


@pytest.mark.parametrize(
    "layer",
    [
        with_config(dense("a", 0, "input", kind="MultiHeadAttention"), **HEADS),
        with_config(dense("a", 0, "input", kind="MultiHeadAttention"), **SMALL, value_dim=10**7),
        with_config(
            dense("a", 0, "input", kind="MultiHeadAttention"), **SMALL, value_dim=10**4, output_shape=[10**3, 10**2]
        ),
        with_config(dense("a", 0, "input", kind="Embedding"), input_dim=10**9, output_dim=1),
        with_config(dense("a", 0, "input", kind="Embedding"), input_dim=10**5, output_dim=10**5),
    ],
)
def test_attention_and_embedding_beyond_the_file_are_refused(layer: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"[0-9,]{9,} parameters, but the file has 33,729 values"):
        sizes.check(functional(given(None, 20, 12), layer), 33_729)


@pytest.mark.parametrize("key", ["query_shape", "key_shape", "value_shape"])
def test_shapes_from_which_attention_makes_weights_are_limited(key: str) -> None:
    layer = dense("a", 0, "input", kind="MultiHeadAttention")
    sizes.check(functional(given(None, 20, 12), with_config(layer, **SMALL, **{key: [None, 20, 12]})), 1_000)
    with pytest.raises(Refused, match=r"layer 'a' (has the shape|makes [0-9,]+ values of a window)"):
        sizes.check(functional(given(None, 20, 12), with_config(layer, **SMALL, **{key: [None, 20, 10**9]})), 1_000)
    layer["build_config"] = {"shapes_dict": {key: [None, 20, 10**9]}}
    with pytest.raises(Refused, match=r"layer 'a' (has the shape|makes [0-9,]+ values of a window)"):
        sizes.check(functional(given(None, 20, 12), with_config(layer, **SMALL)), 1_000)


@both
def test_number_of_parameters_of_attention_is_that_of_keras(framework: Framework, tmp_path: Path) -> None:
    keras = helpers.framework(framework)
    k = keras.layers
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    x = k.MultiHeadAttention(2, 4, value_dim=5, output_shape=7)(window, window)
    x = k.AdditiveAttention()([x * 2.0, k.MultiHeadAttention(3, 5)(x, x)])
    model = keras.Model(window, k.Dense(1)(k.Concatenate()([x, k.LSTM(3, return_sequences=True)(x[:, ::-1])])))
    assert sizes.parameters(config_of(model, tmp_path)) == model.count_params()


@pytest.mark.parametrize(
    "config",
    [
        functional(given(None, limits.STEPS + 1, 1)),
        functional(given(None, 1_000, 101)),
        functional(given(limits.BATCH + 1, 20, 12)),
        functional(given(None, 20, 12), dense("a", 3, "b"), dense("b", 3, "a")),
        functional(given(None, 20, 12), dense("a", 3, "missing")),
        functional(given(None, 20, 12), *(dense(f"d{i}", 1, "input") for i in range(limits.LAYERS))),
    ],
)
def test_model_beyond_a_limit_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        sizes.check(config, 10**9)


def test_unrolled_layer_of_many_steps_is_refused() -> None:
    layer = dense("r", 2, "input", kind="LSTM")
    layer["config"]["unroll"] = True
    sizes.check(functional(given(None, limits.UNROLLED_STEPS, 3), layer), 100)
    with pytest.raises(Refused, match="unrolled"):
        sizes.check(functional(given(None, limits.UNROLLED_STEPS + 1, 3), layer), 100)


def layer(kind: str, **config: object) -> dict[str, Any]:
    return {
        "class_name": kind,
        "name": "odd",
        "config": {"name": "odd", **config},
        "inbound_nodes": [[["input", 0, 0, {}]]],
    }


TUPLE = {"class_name": "__tuple__", "items": [10**9, 0]}


@pytest.mark.parametrize(
    "config",
    [
        layer("Conv1D", filters=10**9, kernel_size=[1]),
        layer("Conv1D", filters=8, kernel_size=[10**9], padding="same"),
        layer("Conv1D", filters=8, kernel_size=[2], dilation_rate=[10**9], padding="causal"),
        layer("Conv1DTranspose", filters=2, kernel_size=[2], strides=[10**9]),
        layer("Conv1DTranspose", filters=2, kernel_size=10**9),
        layer("DepthwiseConv1D", kernel_size=[1], depth_multiplier=10**9),
        layer("SeparableConv1D", filters=1, kernel_size=[1], depth_multiplier=10**9),
        layer("MaxPooling1D", pool_size=[10**9], padding="same"),
        layer("RepeatVector", n=10**9),
        layer("ZeroPadding1D", padding=[0, 10**9]),
        layer("ZeroPadding1D", padding=TUPLE),
        layer("ZeroPadding1D", padding=10**9),
        layer("UpSampling1D", size=10**9),
        layer("Reshape", target_shape=[10**5, 10**5]),
        layer("Reshape", target_shape=[10**9, -1]),
        layer("Dense", units=10**9),
        layer("Dense", units="1000000000"),
        layer("Dense", units=1e9),
        layer("SimpleRNN", units=10**6, return_sequences=True),
        layer("Rescaling", scale=[1.0] * 1_000, offset=0.0),
        layer("Normalization", mean=[[1.0] * 1_000], variance=1.0),
        layer("TimeDistributed", layer=layer("Dense", units=10**9)),
        layer("TimeDistributed", layer=layer("RepeatVector", n=10**9)),
    ],
    ids=lambda config: f"{config['class_name']}-{[*config['config'].items()][1]}"[:50],
)
def test_layer_that_makes_a_large_result_is_refused(config: dict[str, Any]) -> None:
    """Whatever the file holds: weights are not all that is allocated."""
    with pytest.raises(Refused, match="layer 'odd' "):
        sizes.check(functional(given(None, 20, 12), config), 10**12)


@pytest.mark.parametrize(
    "config",
    [
        layer("Conv1D", filters=50_000, kernel_size=[20]),
        layer("Conv1DTranspose", filters=5_000, kernel_size=[200], padding="same"),
        layer("SeparableConv1D", filters=10_000, kernel_size=[1], depth_multiplier=100),
        layer("SimpleRNN", units=5_000),
    ],
    ids=lambda config: config["class_name"],
)
def test_layer_with_more_weights_than_the_file_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"[0-9,]{9,} parameters, but the file has 33,729 values"):
        sizes.check(functional(given(None, 20, 12), config), 33_729)


@pytest.mark.parametrize("axis", [1, [1, 2], None])
def test_normalization_over_other_axes_has_a_weight_for_each_place(axis: object) -> None:
    long = functional(given(None, 2_000, 50), layer("LayerNormalization", axis=axis))
    assert sizes.parameters(long) >= 2 * (2_000 if axis in (1, None) else 100_000)


@pytest.mark.parametrize(
    "config",
    [
        layer("Conv1D", filters=8, kernel_size=[3], strides=[0]),
        layer("UpSampling1D", size=-2),
        layer("MaxPooling1D", pool_size=float("inf")),
        layer("Reshape", target_shape=[-3, 4]),
        layer("RepeatVector", n=None),
    ],
    ids=lambda config: config["class_name"],
)
def test_sizes_that_are_no_sizes_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="layer 'odd' has the size"):
        sizes.check(functional(given(None, 20, 12), config), 10**9)


def convolutional(framework: Framework) -> Keras:
    """The kinds of layers that make a window shorter, longer, or a stack of parts."""
    keras = helpers.framework(framework)
    k = keras.layers
    window = keras.Input((120, 5))
    x = k.MaxPooling1D(2)(k.Conv1D(64, 5, activation="relu")(window))
    x = k.AveragePooling1D(3, strides=2, padding="same")(k.Conv1D(32, 3, strides=2, padding="same", groups=4)(x))
    x = k.Conv1D(16, 2, dilation_rate=2, padding="causal")(x)
    x = k.SeparableConv1D(12, 3, depth_multiplier=2)(k.DepthwiseConv1D(3, depth_multiplier=2, padding="same")(x))
    flat = k.Dense(50)(k.Flatten()(k.PReLU(shared_axes=[1])(k.Cropping1D(1)(k.UpSampling1D(2)(k.ZeroPadding1D(1)(x))))))
    # The windows of CNN-LSTMs: parts, each of which is convolved and flattened.
    parts = k.TimeDistributed(k.MaxPooling1D(2))(k.TimeDistributed(k.Conv1D(64, 3))(k.Reshape((4, 30, 5))(window)))
    parts = k.SimpleRNN(70)(k.TimeDistributed(k.Flatten())(parts))
    turned = k.Conv1DTranspose(6, 4, strides=2, padding="same")(k.Permute((2, 1))(k.Dense(7)(window)))
    pooled = k.Concatenate()([k.GlobalMaxPooling1D()(x), k.GlobalAveragePooling1D()(turned)])
    decoded = k.LSTM(9)(k.RepeatVector(4)(pooled))
    joined = k.GlobalMaxPooling1D()(k.Concatenate(axis=1)([k.Dense(3)(x), k.Dense(3)(window)]))
    return keras.Model(window, k.Dense(1)(k.Concatenate()([flat, parts, decoded, joined])))


@both
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_weights_of_convolutional_models_are_counted_exactly(framework: Framework, suffix: str, tmp_path: Path) -> None:
    model = convolutional(framework)
    file = keras_files.inspect(helpers.save(model, tmp_path / f"model{suffix}"))
    counted = sizes.parameters(json.loads(file.model.config))
    # DepthwiseConv1D and SeparableConv1D, with biases; nothing is counted twice.
    assert model.count_params() <= counted <= 1.01 * model.count_params()
