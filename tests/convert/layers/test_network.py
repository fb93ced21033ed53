"""Models of several branches, outputs and models, and what the graph looks like."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from convert.errors import Refused
from convert.graph import FLOAT, GraphBuilder, Keras
from convert.layers import network
from convert.networks.keras_model import KerasModel
from convert.untrusted.models import keras_files
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers

WINDOW = (helpers.STEPS, helpers.FEATURES)

both = pytest.mark.parametrize("framework", helpers.FRAMEWORKS)


def two_headed(framework: Framework, *, names: tuple[str, ...] = ("direction", "has_reversal")) -> Keras:
    keras = helpers.framework(framework)
    layers = keras.layers
    window = keras.Input(WINDOW)
    x = layers.LSTM(4, return_sequences=True, name="shared")(window)
    heads = [
        layers.Dense(1, activation="sigmoid", name=name)(layers.GRU(3, name=f"gru_of_{name}")(x)) for name in names
    ]
    return helpers.randomised(keras.Model(window, heads))


@both
def test_output_is_chosen_by_name(framework: Framework, tmp_path: Path) -> None:
    model = two_headed(framework)
    file = keras_files.inspect(helpers.save(model, tmp_path / "model.h5"))
    given = helpers.windows()
    for i, name in enumerate(("direction", "has_reversal")):
        loaded = KerasModel(file, name, None)
        np.testing.assert_allclose(loaded.predict(given), np.asarray(model(given)[i]), atol=1e-6)
        graph = helpers.assert_same(loaded.model, given)
        other = ("has_reversal", "direction")[i]
        assert not [node.name for node in graph.graph.node if other in node.name], "the other head is left out"
        assert not [constant.name for constant in graph.graph.initializer if other in constant.name]
        assert loaded.parameters < model.count_params()


@both
def test_one_of_several_outputs_must_be_named(framework: Framework, tmp_path: Path) -> None:
    file = keras_files.inspect(helpers.save(two_headed(framework), tmp_path / "model.h5"))
    with pytest.raises(Refused, match=r"2 outputs.* `output`: direction, has_reversal"):
        KerasModel(file, None, None)
    with pytest.raises(Refused, match=r"'reversal'.* direction, has_reversal"):
        KerasModel(file, "reversal", None)


def test_outputs_in_a_dictionary_are_chosen_by_the_names_of_their_layers(tmp_path: Path) -> None:
    keras = helpers.framework("keras")
    window = keras.Input(WINDOW)
    x = keras.layers.LSTM(3)(window)
    heads = {name: keras.layers.Dense(1, activation="sigmoid", name=f"{name}_head")(x) for name in ("b", "a")}
    model = helpers.randomised(keras.Model(window, heads))
    file = keras_files.inspect(helpers.save(model, tmp_path / "model.keras"))
    given = helpers.windows()
    for name in ("a", "b"):
        loaded = KerasModel(file, f"{name}_head", None)
        np.testing.assert_allclose(loaded.predict(given), np.asarray(model(given)[name]), atol=1e-6)


@both
def test_single_output_can_be_named(framework: Framework, tmp_path: Path) -> None:
    model = helpers.sequential(framework, lambda k: [k.LSTM(3)])
    file = keras_files.inspect(helpers.save(model, tmp_path / "model.h5"))
    assert KerasModel(file, model.layers[-1].name, None).window == WINDOW
    with pytest.raises(Refused, match="'other'"):
        KerasModel(file, "other", None)


@both
def test_an_output_that_is_not_a_probability_is_refused_with_its_shape(framework: Framework) -> None:
    keras = helpers.framework(framework)
    window = keras.Input(WINDOW)
    x = keras.layers.LSTM(3, return_sequences=True)(window)
    with pytest.raises(Refused, match=r"\(batch, 6, 1\), .* \(batch, 1\)"):
        network.build(keras.Model(window, keras.layers.Dense(1)(x)), WINDOW)
    with pytest.raises(Refused, match=r"\(batch, 2\), .* \(batch, 1\)"):
        network.build(keras.Model(window, keras.layers.Dense(2)(keras.layers.Flatten()(x))), WINDOW)


@both
def test_branches_and_layers_called_twice_and_nested_models(framework: Framework, tmp_path: Path) -> None:
    keras = helpers.framework(framework)
    layers = keras.layers
    inner_input = keras.Input((helpers.STEPS, 4))
    inner = keras.Model(
        inner_input, [layers.LSTM(3, name="same")(inner_input), layers.GRU(3)(inner_input)], name="inner"
    )
    tail = keras.Sequential([layers.Input((3,)), layers.Dense(3, activation="tanh", name="same")], name="tail")
    window = keras.Input(WINDOW)
    x = layers.Dense(4)(window)
    first, second = inner(x)
    third, fourth = inner(layers.Activation("tanh")(x))
    merged = layers.Concatenate()([layers.Add()([first, second, fourth]), tail(tail(third)), layers.Flatten()(window)])
    model = helpers.randomised(keras.Model(window, layers.Dense(1, activation="sigmoid")(merged)))
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([0.2 * kernel, bias])
    loaded = helpers.saved(model, tmp_path, ".keras" if framework == "keras" else ".h5")
    graph = helpers.assert_same(loaded.model, helpers.windows())
    names = [constant.name for constant in graph.graph.initializer]
    assert len(names) == len(set(names))
    assert sorted(name for name in names if "same" in name) == [
        "inner/same/B",
        "inner/same/R",
        "inner/same/W",
        "tail/same/bias",
        "tail/same/kernel",
    ], "weights of a layer that is called twice are stored once"
    assert helpers.operators(graph).count("LSTM") == 2


@both
def test_an_active_dropout_is_refused(framework: Framework, tmp_path: Path) -> None:
    """With training=True in the call, the layer stays random in predictions."""
    keras = helpers.framework(framework)
    window = keras.Input(WINDOW)
    x = keras.layers.Dropout(0.5, name="active")(keras.layers.LSTM(3)(window), training=True)
    loaded = helpers.saved(keras.Model(window, keras.layers.Dense(1)(x)), tmp_path)
    with pytest.raises(Refused, match="active: Dropout is called with training=True"):
        network.build(loaded.model, loaded.window)


@both
def test_a_model_that_was_not_built_is_refused(framework: Framework) -> None:
    keras = helpers.framework(framework)
    with pytest.raises(Refused, match="not built"):
        network.build(keras.Sequential([keras.layers.LSTM(3), keras.layers.Dense(1)]), WINDOW)


@both
def test_model_of_two_inputs_is_refused(framework: Framework, tmp_path: Path) -> None:
    keras = helpers.framework(framework)
    first, second = keras.Input((6, 3)), keras.Input((6, 3))
    y = keras.layers.Dense(1)(keras.layers.LSTM(3)(keras.layers.Add()([first, second])))
    file = keras_files.inspect(helpers.save(keras.Model([first, second], y), tmp_path / "model.h5"))
    with pytest.raises(Refused, match="the model's inputs have the shapes"):
        KerasModel(file, None, None)


@both
def test_large_window_and_many_features(framework: Framework) -> None:
    for steps, features in ((60, 28), (20, 38)):
        keras = helpers.framework(framework)
        layers = keras.layers
        model = keras.Sequential(
            [layers.Input((steps, features)), layers.LSTM(4), layers.Dense(1, activation="sigmoid")]
        )
        helpers.assert_same(helpers.randomised(model), helpers.windows(steps=steps, features=features))


@both
def test_graph_is_clean(framework: Framework) -> None:
    graph = network.build(
        helpers.sequential(framework, lambda k: [k.LSTM(4, return_sequences=True), k.LSTM(3)]), WINDOW
    )
    onnx.checker.check_model(graph, full_check=True)
    assert graph.ir_version == 8
    assert [(opset.domain, opset.version) for opset in graph.opset_import] == [("", 17)]
    assert graph.producer_name == "reversal.convert"
    assert (graph.producer_version, graph.doc_string, graph.graph.doc_string) == ("", "", "")
    (given,), (result,) = graph.graph.input, graph.graph.output
    shapes = [[dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in (given, result)]
    assert (given.name, result.name, shapes) == ("window", "probability", [["batch", *WINDOW], ["batch", 1]])
    assert {value.type.tensor_type.elem_type for value in (given, result)} == {FLOAT}
    assert helpers.operators(graph) == ["Transpose", "LSTM", "Squeeze", "LSTM", "Squeeze", "Gemm", "Sigmoid"]


def test_batch_of_any_size(tmp_path: Path) -> None:
    model = helpers.saved(helpers.sequential("tf_keras", lambda k: [k.Masking(), k.LSTM(3)]), tmp_path)
    graph = network.build(model.model, model.window)
    given = helpers.masked_windows()
    together = helpers.graph_answers(graph, given)
    for size in (1, 2, 33):
        parts = [helpers.graph_answers(graph, given[i : i + size]) for i in range(0, len(given), size)]
        np.testing.assert_allclose(np.concatenate(parts), together, atol=1e-6)


def test_loop_is_refused() -> None:
    graph = GraphBuilder()
    graph.value("Loop", "odd", "", "window")
    with pytest.raises(Refused, match=r"^odd/Loop: .*Loop"):
        graph.finish(("window", FLOAT, (1,)), ("probability", FLOAT, (1,)), "odd/Loop")


def test_graph_is_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    path = helpers.save(two_headed("keras"), tmp_path / "model.h5")
    script = (
        "import sys, hashlib; from pathlib import Path; from convert.layers import network;"
        "from convert.untrusted.models import keras_files;"
        "from convert.networks.keras_model import KerasModel;"
        "model = KerasModel(keras_files.inspect(Path(sys.argv[1])), 'direction', None);"
        "graph = network.build(model.model, model.window);"
        "print(hashlib.sha256(graph.SerializeToString(deterministic=True)).hexdigest())"
    )
    command = [sys.executable, "-c", script, str(path)]
    there = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    model = KerasModel(keras_files.inspect(path), "direction", None)
    here = network.build(model.model, model.window).SerializeToString(deterministic=True)
    assert there == hashlib.sha256(here).hexdigest()
