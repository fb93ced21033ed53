"""Heads: which outputs are probabilities, and how they become a stage's answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from convert.errors import Refused
from convert.graph import Keras
from convert.layers import network
from convert.networks import heads, last_activation, windows
from convert.networks.keras_model import KerasModel
from convert.proof.parity import GraphSession
from convert.untrusted.models import keras_files
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers
from tests.convert.stages import REVERSAL, WINDOW, assert_same, assert_same_in_memory, run, write

# Makes an output from `keras`, `keras.layers` and the window.
Make = Callable[[Keras, Keras, Keras], Keras]

both = pytest.mark.parametrize("framework", helpers.FRAMEWORKS)


def made(framework: Framework, make: Make) -> Keras:
    keras = helpers.framework(framework)
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    return helpers.randomised(keras.Model(window, make(keras, keras.layers, window)))


def chosen(framework: Framework, make: Make, stated: heads.StatedHead = REVERSAL) -> heads.Head:
    """The head of a model in memory."""
    model = made(framework, make)
    return heads.choose(model, model.outputs[0], helpers.STEPS, stated)


def hidden(layers: Keras, x: Keras) -> Keras:
    """What a head is put on. Dense layers are built many times faster than recurrent ones."""
    return layers.Dense(3, activation="tanh")(layers.Flatten()(x))


def sigmoid(layers: Keras, x: Keras, units: int = 1) -> Keras:
    return layers.Dense(units, activation="sigmoid")(hidden(layers, x))


def softmax(layers: Keras, x: Keras, units: int = 2) -> Keras:
    return layers.Dense(units, activation="softmax")(hidden(layers, x))


def linear(layers: Keras, x: Keras) -> Keras:
    return layers.Dense(1, name="price")(hidden(layers, x))


def nested(keras: Keras, width: int, make: Callable[[Keras], Keras]) -> Keras:
    given = keras.Input((width,))
    return keras.Model(given, make(given))


def sliced_softmax(_: Keras, layers: Keras, x: Keras) -> Keras:
    sequence = layers.Dense(2, activation="softmax")(layers.Dense(3)(x))
    return sequence[:, -1]


PROBABILITIES: dict[str, Make] = {
    "dense": lambda _, k, x: sigmoid(k, x),
    "hard sigmoid": lambda _, k, x: k.Dense(1, activation="hard_sigmoid")(hidden(k, x)),
    "activation layer": lambda _, k, x: k.Activation("sigmoid")(linear(k, x)),
    "linear activation behind": lambda _, k, x: k.Activation("linear")(sigmoid(k, x)),
    "dropout and flatten behind": lambda _, k, x: k.Flatten()(k.Dropout(0.1)(sigmoid(k, x))),
    "one step of a sequence": lambda _, k, x: k.TimeDistributed(k.Dense(1, activation="sigmoid"))(
        k.RepeatVector(1)(hidden(k, x))
    ),
    "three axes": lambda _, k, x: k.Reshape((1, 1))(sigmoid(k, x)),
    "pool of a sequence": lambda _, k, x: k.GlobalMaxPooling1D()(k.Conv1D(1, 3, activation="sigmoid")(x)),
    "lstm": lambda _, k, x: k.LSTM(1, activation="sigmoid")(x),
    "gru": lambda _, k, x: k.GRU(1, activation="hard_sigmoid")(x),
    "simple rnn": lambda _, k, x: k.SimpleRNN(1, activation="sigmoid")(x),
    "bidirectional": lambda _, k, x: k.Bidirectional(k.LSTM(1, activation="sigmoid"), merge_mode="ave")(x),
    "average": lambda _, k, x: k.Average()([sigmoid(k, x), sigmoid(k, x)]),
    "product": lambda _, k, x: k.Multiply()([sigmoid(k, x), sigmoid(k, x)]),
    "nested": lambda keras, k, x: nested(keras, 3, k.Dense(1, activation="sigmoid"))(hidden(k, x)),
    "behind a nested model": lambda keras, k, x: nested(keras, 1, k.Dropout(0.1))(sigmoid(k, x)),
}


@both
def test_a_probability_is_answered_by_the_framework_the_graph_and_the_function(framework: Framework) -> None:
    for name, make in PROBABILITIES.items():
        model = made(framework, make)
        expected = np.asarray(model(helpers.windows(16), training=False)).reshape(16, 1)
        assert_same_in_memory(name, model, expected, REVERSAL)


@both
def test_the_plain_graph_has_no_further_nodes(framework: Framework) -> None:
    model = helpers.sequential(framework, lambda k: [k.LSTM(4, return_sequences=True), k.Dropout(0.2), k.LSTM(3)])
    plain = network.build(model, (helpers.STEPS, helpers.FEATURES))
    head = heads.choose(model, model.outputs[0], helpers.STEPS, REVERSAL)
    arranged = windows.find((helpers.STEPS, helpers.FEATURES), None, WINDOW)
    around = network.build(model, (helpers.STEPS, helpers.FEATURES), arranged.emit, head.emit)
    assert around.SerializeToString(deterministic=True) == plain.SerializeToString(deterministic=True)


def dense(activation: str) -> Make:
    return lambda _, layers, x: layers.Dense(1, activation=activation, name="price")(hidden(layers, x))


# The head, and the layer and the activation that the message must name.
REFUSED: dict[str, tuple[Make, str]] = {
    **{
        activation: (
            dense(activation),
            rf"^price: .*\b{activation} activation: a price regression\?.*from_logits",
        )
        for activation in ("linear", "relu", "tanh", "softplus", "elu", "selu", "gelu", "exponential")
    },
    "no activation": (lambda _, k, x: linear(k, x), r"^price: .*linear"),
    "activation layer": (lambda _, k, x: k.Activation("tanh", name="end")(linear(k, x)), r"^end: .*tanh"),
    "relu layer": (lambda _, k, x: k.ReLU(name="end")(linear(k, x)), r"^end: .*ReLU activation: a price"),
    "dropout behind": (lambda _, k, x: k.Dropout(0.1)(k.Reshape((1, 1))(linear(k, x))), r"^price: .*linear"),
    "rescaling behind": (lambda _, k, x: k.Rescaling(2.0, name="end")(sigmoid(k, x)), r"^end: .*Rescaling"),
    "normalisation behind": (lambda _, k, x: k.BatchNormalization(name="end")(sigmoid(k, x)), "^end: .*BatchNorm"),
    "sum": (lambda _, k, x: k.Add(name="end")([sigmoid(k, x), sigmoid(k, x)]), "^end: .*Add"),
    "one of two": (lambda _, k, x: k.Average()([sigmoid(k, x), linear(k, x)]), "^price: .*linear"),
    "nested": (lambda keras, k, x: nested(keras, 3, k.Dense(1, name="price"))(hidden(k, x)), "^price: .*linear"),
    "behind a nested model": (lambda keras, k, x: nested(keras, 1, k.Dropout(0.1))(linear(k, x)), "^price: .*linear"),
    "time distributed": (
        lambda _, k, x: k.TimeDistributed(k.Dense(1), name="price")(k.RepeatVector(1)(hidden(k, x))),
        "^price: .*linear",
    ),
    "lstm": (lambda _, k, x: k.LSTM(1, name="end")(x), "^end: .*LSTM with the activation tanh"),
    "gate": (
        lambda _, k, x: k.LSTM(1, activation="sigmoid", recurrent_activation="tanh", name="end")(x),
        "^end: .*LSTM with the activation tanh",
    ),
    "bidirectional sum": (
        lambda _, k, x: k.Bidirectional(k.LSTM(1, activation="sigmoid"), merge_mode="sum", name="end")(x),
        "^end: .*merge_mode='sum'",
    ),
    "state of an lstm": (
        lambda _, k, x: k.LSTM(1, activation="sigmoid", return_state=True, name="end")(x)[2],
        "^end: .*LSTM",
    ),
    "gru with an initial state": (
        lambda _, k, x: k.GRU(1, activation="sigmoid", name="end")(x, initial_state=[linear(k, x)]),
        "^end: .*initial state",
    ),
    "sequence": (
        lambda _, k, x: k.Dense(1, activation="sigmoid", name="end")(k.Dense(3)(x)),
        "^end: .*6 steps.*return_sequences",
    ),
    "several sigmoids": (
        lambda _, k, x: k.Dense(3, activation="sigmoid", name="end")(hidden(k, x)),
        "^end: .*3 values",
    ),
    "sigmoids side by side": (lambda _, k, x: k.Concatenate()([sigmoid(k, x), sigmoid(k, x)]), "2 values"),
    "softmax of one": (lambda _, k, x: softmax(k, x, 1), "one unit"),
    "softmax of three": (lambda _, k, x: softmax(k, x, 3), r'classes = \["hold", "long", "short"\]'),
    "softmax of four": (lambda _, k, x: softmax(k, x, 4), "4 units"),
    "softmax of linear units": (
        lambda _, k, x: k.Dense(2, name="price")(hidden(k, x)),
        r'^price: .*linear.*Dense\(2, activation="softmax"\)',
    ),
}


@both
def test_a_head_that_is_no_probability_is_refused_by_its_activation(framework: Framework) -> None:
    for name, (make, message) in REFUSED.items():
        with pytest.raises(Refused) as refused:
            chosen(framework, make)
        assert re.search(message, str(refused.value)), f"{name}: {refused.value}"


def operations(framework: Framework) -> dict[str, tuple[Make, last_activation.Kind]]:
    """Heads made of functions instead of layers."""
    if framework == "keras":
        in_nn = helpers.framework(framework).ops.nn
    else:
        import tensorflow as tf  # noqa: PLC0415 - takes seconds

        in_nn = tf.nn
    return {
        "sigmoid": (lambda _, k, x: in_nn.sigmoid(linear(k, x)), "bounded"),
        "softmax": (lambda _, k, x: in_nn.softmax(k.Dense(2)(hidden(k, x))), "distribution"),
        "softmax over steps": (
            lambda _, k, x: in_nn.softmax(k.Dense(1)(k.Dense(3)(x)), axis=1)[:, -1],
            "bounded",
        ),
        "last step": (sliced_softmax, "distribution"),
        "column": (lambda _, k, x: softmax(k, x)[:, 1:], "bounded"),
        "product": (lambda _, k, x: sigmoid(k, x) * sigmoid(k, x), "bounded"),
        "relu": (lambda _, k, x: in_nn.relu(linear(k, x)), "unbounded"),
        "sum": (lambda _, k, x: sigmoid(k, x) + sigmoid(k, x), "unbounded"),
        "twice": (lambda _, k, x: sigmoid(k, x) * 2.0, "unbounded"),
    }


@both
def test_operations_are_judged_as_layers_are(framework: Framework) -> None:
    for name, (make, kind) in operations(framework).items():
        model = made(framework, make)
        assert last_activation.of_output(model, model.outputs[0]).kind == kind, name


@both
def test_a_function_of_the_user_is_judged_by_its_values_and_that_is_said(framework: Framework) -> None:
    def squashed(x: Keras) -> Keras:
        return 1.0 / (1.0 + x * x)

    head = chosen(framework, lambda _, k, x: k.Dense(1, activation=squashed, name="end")(hidden(k, x)))
    assert [note for note in head.notes if "end" in note and "squashed" in note]
    with pytest.raises(Refused, match=r"^end: .*3 values"):
        chosen(framework, lambda _, k, x: k.Dense(3, activation=squashed, name="end")(hidden(k, x)))


@both
def test_a_softmax_of_two_is_reduced_to_one_column(framework: Framework, tmp_path: Path) -> None:
    model = made(framework, lambda _, k, x: softmax(k, x))
    answers = np.asarray(model(helpers.windows(16), training=False))
    for stated, column in (
        (REVERSAL, 1),
        (heads.StatedHead("reversal", ("hold", "reversal")), 1),
        (heads.StatedHead("reversal", ("reversal", "hold")), 0),
        (heads.StatedHead("short"), 1),
        (heads.StatedHead("short", ("short", "long")), 0),
    ):
        expected = answers[:, column : column + 1]
        head = assert_same_in_memory(str(stated), model, expected, stated)
        assert (head.width, head.classes) == (1, None)
        (note,) = head.notes
        assert f"output {column} of the softmax is the probability of {stated.wanted}" in note
    file = keras_files.inspect(helpers.save(model, tmp_path / "model.h5"))
    stage = KerasModel(file, None, None, WINDOW, REVERSAL)
    assert_same(stage, answers[:, 1:])
    assert len(stage.notes) == 1


@both
def test_a_softmax_of_three_answers_in_the_order_of_the_file(framework: Framework, tmp_path: Path) -> None:
    classes = ("short", "hold", "long")
    model = made(framework, lambda _, k, x: k.Reshape((1, 3))(softmax(k, x, 3)))
    expected = np.asarray(model(helpers.windows(16), training=False))[:, 0]
    file = keras_files.inspect(helpers.save(model, tmp_path / "model.h5"))
    stage = KerasModel(file, None, None, WINDOW, heads.StatedHead("reversal", classes))
    assert_same(stage, expected)
    assert (stage.head.width, stage.head.classes) == (3, classes)
    with pytest.raises(Refused, match="stage1"):
        KerasModel(file, None, None, WINDOW, heads.StatedHead("short"))


@pytest.mark.parametrize(
    ("units", "classes", "message"),
    [
        (1, ("hold", "reversal"), "remove `classes`"),
        (2, ("hold", "long", "short"), "2 values"),
        (3, ("hold",), "3 val"),
    ],
)
def test_classes_that_do_not_fit_are_refused(units: int, classes: tuple[str, ...], message: str) -> None:
    make = sigmoid if units == 1 else softmax
    with pytest.raises(Refused, match=message):
        chosen("keras", lambda _, k, x: make(k, x, units), heads.StatedHead("reversal", classes))


@both
def test_outputs_in_dicts_are_named_by_their_keys_or_by_their_layers(framework: Framework, tmp_path: Path) -> None:
    model = made(
        framework,
        lambda _, k, x: {
            "price": linear(k, x),
            "heads": [sigmoid(k, x), k.Dense(1, activation="sigmoid", name="second")(hidden(k, x))],
        },
    )
    given = helpers.windows(16)
    expected = np.asarray(model(given, training=False)["heads"][1])
    file = keras_files.inspect(helpers.save(model, tmp_path / "model.keras"))
    for name in ("heads.1", "second"):
        found = KerasModel(file, name, None, WINDOW, REVERSAL).predict(given)
        np.testing.assert_allclose(found, expected, atol=helpers.TOLERANCE)
    with pytest.raises(Refused, match=r"3 outputs.*heads\.0, heads\.1, price"):
        KerasModel(file, None, None)
    with pytest.raises(Refused, match=r"price: .*linear"):
        KerasModel(file, "price", None, WINDOW, REVERSAL)


@both
@pytest.mark.parametrize("structure", ["list", "dict"])
def test_one_output_in_a_structure_needs_no_name(framework: Framework, structure: str, tmp_path: Path) -> None:
    def make(_: Keras, layers: Keras, x: Keras) -> Keras:
        return [sigmoid(layers, x)] if structure == "list" else {"reversal": sigmoid(layers, x)}

    model = made(framework, make)
    answers = model(helpers.windows(16), training=False)
    expected = np.asarray(answers["reversal"] if structure == "dict" else answers).reshape(16, 1)
    file = keras_files.inspect(helpers.save(model, tmp_path / "model.keras"))
    assert_same(KerasModel(file, None, None, WINDOW, REVERSAL), expected)


@both
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused_by_layer_and_weight(
    framework: Framework, value: float, tmp_path: Path
) -> None:
    keras = helpers.framework(framework)
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="deep")], name="inner")
    model = made(framework, lambda _, k, x: k.Dense(1, activation="sigmoid")(inner(hidden(k, x))))
    kernel, bias = inner.layers[-1].get_weights()
    kernel[1, 1] = value
    inner.layers[-1].set_weights([kernel, bias])
    file = keras_files.inspect(helpers.save(model, tmp_path / "model.h5"))
    with pytest.raises(Refused, match=r"^deep: .*kernel has 1 of 6 values"):
        KerasModel(file, None, None)


def test_a_diamond_of_many_layers_is_judged_once() -> None:
    """Two paths through each of 40 layers are a million millions of paths."""

    def make(_: Keras, layers: Keras, x: Keras) -> Keras:
        y = sigmoid(layers, x)
        for _i in range(40):
            y = layers.Average()([y, y])
        return y

    assert chosen("keras", make).width == 1


def test_a_linear_head_whose_answers_are_all_within_0_to_1_is_not_published(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its values do not tell: it is bounded by its weights, and the next training may end elsewhere."""

    def make(_: Keras, layers: Keras, x: Keras) -> Keras:
        return layers.Dense(1, name="price")(hidden(layers, x))

    model = made("keras", make)
    model.layers[-1].set_weights([np.full((3, 1), 0.1, np.float32), np.array([0.5], np.float32)])
    answers = model.predict(1e6 * helpers.windows(500), verbose=0)
    assert answers.min() > 0.0
    assert answers.max() < 1.0
    write(source, "price", model, "")
    assert run(source, tmp_path / "output", "price") == 1
    assert "price stage1: price.h5: price: ends in a linear activation" in capsys.readouterr().err
    assert not (tmp_path / "output").exists()


def test_one_network_for_both_stages_is_published_with_its_classes(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = made("tf_keras", lambda _, k, x: softmax(k, x, 3))
    write(source, "three", model, 'classes = ["long", "short", "hold"]')
    assert run(source, tmp_path / "output", "three") == 0
    assert "one network for long, short, hold" in " ".join(capsys.readouterr().out.split())
    manifest = json.loads((tmp_path / "output/three/manifest.json").read_text())
    assert manifest["stage1"]["classes"] == ["long", "short", "hold"]
    assert manifest["stage2"] is None
    assert manifest["stage1"]["parity"]["decisions"] > 1900
    graph = (tmp_path / "output/three" / manifest["stage1"]["network"]["file"]).read_bytes()
    given = helpers.windows(16)
    found = GraphSession(graph).run(given)
    np.testing.assert_allclose(found, model.predict(given, verbose=0), atol=1e-6)


def test_stage_2_may_name_its_classes_instead_of_what_is_positive(source: Path, tmp_path: Path) -> None:
    model = made("keras", lambda _, k, x: softmax(k, x))
    stage2 = '[versions.two.stage2]\nmodel = "two.h5"\nfeatures = "two.json"\nclasses = ["short", "long"]'
    write(source, "two", model, f'classes = ["reversal", "hold"]\n{stage2}')
    assert run(source, tmp_path / "output", "two") == 0
    manifest = json.loads((tmp_path / "output/two/manifest.json").read_text())
    assert (manifest["stage1"]["classes"], manifest["stage2"]["classes"]) == (None, None)
    assert manifest["stage2"]["positive"] == "long"
    given = helpers.windows(16)
    expected = model.predict(given, verbose=0)
    for label, column in (("stage1", 0), ("stage2", 1)):
        graph = (tmp_path / "output/two" / manifest[label]["network"]["file"]).read_bytes()
        found = GraphSession(graph).run(given)
        np.testing.assert_allclose(found, expected[:, [column]], atol=1e-6)
