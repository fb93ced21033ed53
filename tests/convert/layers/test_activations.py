"""Every activation of the tables, from a saved file to the graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from convert.errors import Refused
from convert.graph import GraphBuilder, Keras, Tensor
from convert.layers import activations, network, unrolled
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers

IN_RECURRENT = [
    "elu",
    "hard_sigmoid",
    "leaky_relu",
    "linear",
    "relu",
    "sigmoid",
    "softplus",
    "softsign",
    "tanh",
]
OF_BOTH = sorted(
    [*IN_RECURRENT, "exponential", "gelu", "log_softmax", "mish", "relu6", "selu", "silu", "softmax", "swish"]
)
OF_KERAS_3 = [
    "celu",
    "hard_shrink",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "log_sigmoid",
    "soft_shrink",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "tanh_shrink",
]
NAMES: dict[Framework, list[str]] = {"tf_keras": OF_BOTH, "keras": OF_BOTH + OF_KERAS_3}
# glu has a test of its own: it makes its layer half as wide.
KNOWN = sorted([*NAMES["keras"], "glu"])


def test_errors_list_the_known_functions() -> None:
    """The lists of this file are those of the table, which the error prints."""
    threshold = helpers.framework("keras").activations.threshold
    with pytest.raises(Refused, match=f"'threshold' .* known: {', '.join(KNOWN)}$"):
        activations.apply(GraphBuilder(), "scope", Tensor("x", (4,)), threshold)


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_every_function_of_the_framework_is_known(framework: Framework) -> None:
    module = helpers.framework(framework).activations
    tools = {"deserialize", "get", "serialize"}
    # It needs arguments, which a file cannot name.
    tools.add("threshold")
    assert {name for name in dir(module) if not name.startswith("_")} - tools <= set(KNOWN)


@pytest.mark.parametrize(
    ("framework", "name"), [(framework, name) for framework in helpers.FRAMEWORKS for name in NAMES[framework]]
)
def test_in_layers(framework: Framework, name: str) -> None:
    def build(k: Keras) -> list[Keras]:
        return [k.Activation(name), k.Dense(5, activation=name), k.LSTM(3)]

    # Wide enough to reach both ends of a hard sigmoid. An exponential of an exponential is too wide.
    wide = 1.0 if name == "exponential" else 3.0
    helpers.assert_same(helpers.sequential(framework, build), wide * helpers.windows())


@pytest.mark.long
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_all_from_a_file(framework: Framework, suffix: str, tmp_path: Path) -> None:
    names = [name for name in NAMES[framework] if name != "exponential"]
    model = helpers.branched(framework, [lambda k, name=name: [k.Dense(3, activation=name)] for name in names])  # type: ignore[misc]
    helpers.assert_same(helpers.saved(model, tmp_path, suffix).model, helpers.windows())


def test_glu_halves_the_features() -> None:
    keras = helpers.framework("keras")
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    y = keras.layers.Dense(2, activation="glu")(keras.layers.LSTM(4)(window))
    helpers.assert_same(helpers.randomised(keras.Model(window, y)), helpers.windows())
    # Keras believes that the result is as wide as before, and builds the next layer for that.
    z = keras.layers.Dense(1)(keras.layers.Dense(4, activation="glu")(keras.layers.LSTM(4)(window)))
    with pytest.raises(Refused, match="shapes"):
        network.build(keras.Model(window, z), (helpers.STEPS, helpers.FEATURES))


@pytest.mark.parametrize("name", IN_RECURRENT)
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_in_recurrent_node(framework: Framework, kind: str, name: str) -> None:
    model = helpers.sequential(
        framework, lambda k: [getattr(k, kind)(4, activation=name), k.Dense(3, activation="tanh")]
    )
    graph = helpers.assert_same(model, helpers.windows())
    assert {"LSTM", "GRU", "RNN"} & set(helpers.operators(graph)), "one fused node"


STEP_BY_STEP: dict[str, Callable[[Keras], list[Keras]]] = {
    "lstm": lambda k: [k.LSTM(4, activation="gelu", return_sequences=True), k.LSTM(3, activation="selu")],
    "lstm backwards": lambda k: [k.LSTM(4, activation="silu", go_backwards=True, return_sequences=True), k.LSTM(3)],
    "lstm with gates of its own": lambda k: [k.LSTM(4, recurrent_activation="relu6", use_bias=False)],
    "lstm with a layer": lambda k: [k.LSTM(4, activation=k.LeakyReLU())],
    "gru": lambda k: [k.GRU(4, activation="gelu", return_sequences=True), k.GRU(3, activation="mish", use_bias=False)],
    "gru resetting before": lambda k: [
        k.GRU(4, activation="gelu", reset_after=False, return_sequences=True),
        k.GRU(3, activation="selu", reset_after=False, use_bias=False, go_backwards=True),
    ],
    "simple rnn": lambda k: [
        k.SimpleRNN(4, activation="gelu", return_sequences=True),
        k.SimpleRNN(3, activation="selu"),
    ],
    "both ways": lambda k: [
        k.Bidirectional(k.LSTM(4, activation="gelu", return_sequences=True)),
        k.Bidirectional(k.GRU(4, activation="selu"), merge_mode="sum"),
    ],
    "both ways in one": lambda k: [
        k.Bidirectional(k.SimpleRNN(4, activation="gelu", return_sequences=True), "mul"),
        k.LSTM(3),
    ],
    "zero output": lambda k: [
        k.LSTM(4, activation="gelu", return_sequences=True, zero_output_for_mask=True),
        k.SimpleRNN(3, activation="gelu", zero_output_for_mask=True, go_backwards=True),
    ],
}


@pytest.mark.long
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("case", STEP_BY_STEP)
@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_recurrent_layer_step_by_step(framework: Framework, case: str, *, masked: bool) -> None:
    """ONNX's recurrent nodes do not have these functions."""
    model = helpers.sequential(framework, lambda k: [*([k.Masking()] if masked else []), *STEP_BY_STEP[case](k)])
    graph = helpers.assert_same(model, helpers.masked_windows() if masked else helpers.windows())
    assert not {"Loop", "Scan"} & set(helpers.operators(graph))


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_too_many_steps_for_that_are_refused(framework: Framework) -> None:
    keras = helpers.framework(framework)
    k = keras.layers
    window = keras.Input((unrolled.STEPS + 1, 2))
    model = keras.Model(window, k.Dense(1)(k.LSTM(2, activation="gelu", name="odd")(window)))
    with pytest.raises(Refused, match=f"^odd: .* {unrolled.STEPS + 1} steps, and at most {unrolled.STEPS}"):
        network.build(model, (unrolled.STEPS + 1, 2))
