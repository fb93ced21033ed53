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
        functional(given(None, 20, 12), dense("a", 10**9, "input")),
        functional(given(None, 20, 12), dense("a", 40_000, "input"), dense("b", 40_000, "a")),
        # In the reverse of the order in which they are called.
        functional(dense("b", 40_000, "a"), dense("a", 40_000, "input"), given(None, 20, 12)),
        functional(given(None, 2_000, 50), dense("f", 1, "input", kind="Flatten"), dense("a", 100, "f")),
        functional(given(None, 20, 12), dense("a", "1000000000", "input")),
        functional(given(None, 20, 12), dense("a", 1e9, "input")),
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
        with_config(dense("a", 0, "input", kind="MultiHeadAttention"), **SMALL, output_shape=[10**4, 10**4]),
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
    with pytest.raises(Refused, match="layer 'a' has the shape"):
        sizes.check(functional(given(None, 20, 12), with_config(layer, **SMALL, **{key: [None, 20, 10**9]})), 1_000)
    layer["build_config"] = {"shapes_dict": {key: [None, 20, 10**9]}}
    with pytest.raises(Refused, match="layer 'a' has the shape"):
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
