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
