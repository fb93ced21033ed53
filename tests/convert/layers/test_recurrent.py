"""LSTM, GRU and Bidirectional in all their options, compared with both frameworks."""

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

pytestmark = pytest.mark.parametrize("framework", helpers.FRAMEWORKS)

CASES: dict[str, Build] = {
    "lstm": lambda k: [k.LSTM(4)],
    "lstm sequences": lambda k: [k.LSTM(4, return_sequences=True), k.LSTM(3)],
    "lstm without bias": lambda k: [k.LSTM(4, use_bias=False)],
    "lstm backwards": lambda k: [k.LSTM(4, go_backwards=True)],
    "lstm sequences backwards": lambda k: [k.LSTM(4, go_backwards=True, return_sequences=True), k.LSTM(3)],
    "lstm unrolled": lambda k: [k.LSTM(4, unroll=True, return_sequences=True), k.LSTM(3, unroll=True)],
    "lstm with dropouts": lambda k: [k.LSTM(4, dropout=0.5, recurrent_dropout=0.5)],
    "lstm of hard sigmoid": lambda k: [k.LSTM(4, recurrent_activation="hard_sigmoid")],
    "lstm of hard sigmoid and elu": lambda k: [k.LSTM(4, recurrent_activation="hard_sigmoid", activation="elu")],
    "gru resetting after": lambda k: [k.GRU(4, reset_after=True)],
    "gru resetting before": lambda k: [k.GRU(4, reset_after=False)],
    "gru sequences": lambda k: [
        k.GRU(4, return_sequences=True),
        k.GRU(3, reset_after=False, return_sequences=True),
        k.GRU(3),
    ],
    "gru without bias": lambda k: [k.GRU(4, use_bias=False)],
    "gru without bias resetting before": lambda k: [k.GRU(4, use_bias=False, reset_after=False)],
    "gru backwards": lambda k: [k.GRU(4, go_backwards=True, return_sequences=True), k.GRU(3, go_backwards=True)],
    "gru unrolled with dropouts": lambda k: [k.GRU(4, unroll=True, dropout=0.5, recurrent_dropout=0.5)],
    "gru of hard sigmoid and linear": lambda k: [k.GRU(4, recurrent_activation="hard_sigmoid", activation="linear")],
    "bidirectional lstm": lambda k: [k.Bidirectional(k.LSTM(4))],
    "bidirectional gru": lambda k: [k.Bidirectional(k.GRU(4))],
    "bidirectional gru resetting before": lambda k: [k.Bidirectional(k.GRU(4, reset_after=False))],
    "bidirectional sequences": lambda k: [k.Bidirectional(k.LSTM(4, return_sequences=True)), k.Bidirectional(k.GRU(3))],
    "bidirectional of hard sigmoid": lambda k: [
        k.Bidirectional(k.LSTM(4, recurrent_activation="hard_sigmoid", activation="relu"))
    ],
    "bidirectional of two activations": lambda k: [
        k.Bidirectional(k.LSTM(4), backward_layer=k.LSTM(4, activation="softsign", go_backwards=True))
    ],
    "bidirectional unrolled with dropouts": lambda k: [k.Bidirectional(k.GRU(4, unroll=True, recurrent_dropout=0.5))],
}
for _mode in ("sum", "mul", "ave"):
    CASES[f"bidirectional {_mode}"] = lambda k, mode=_mode: [k.Bidirectional(k.LSTM(4), merge_mode=mode)]  # type: ignore[misc]
    CASES[f"bidirectional sequences {_mode}"] = lambda k, mode=_mode: [  # type: ignore[misc]
        k.Bidirectional(k.GRU(4, return_sequences=True), merge_mode=mode),
        k.LSTM(3),
    ]
for _activation in ("relu", "elu", "softplus", "softsign", "linear"):
    CASES[f"lstm of {_activation}"] = lambda k, name=_activation: [k.LSTM(4, activation=name)]  # type: ignore[misc]
    CASES[f"gru of {_activation}"] = lambda k, name=_activation: [k.GRU(4, activation=name)]  # type: ignore[misc]


@pytest.mark.parametrize("case", CASES)
def test_recurrent_layer(case: str, framework: Framework, tmp_path: Path) -> None:
    model = helpers.saved(helpers.sequential(framework, CASES[case]), tmp_path)
    graph = helpers.assert_same(model.model, helpers.windows())
    recurrent = sum("LSTM" in op or "GRU" in op for op in helpers.operators(graph))
    assert recurrent == len(CASES[case](helpers.framework(framework).layers)), "one fused node for each layer"
    assert not {"Loop", "Scan", "If", "Shape", "Expand"} & set(helpers.operators(graph))


def test_hard_sigmoid_is_that_of_the_framework(framework: Framework, tmp_path: Path) -> None:
    model = helpers.saved(helpers.sequential(framework, CASES["lstm of hard sigmoid"]), tmp_path)
    (node,) = [node for node in network.build(model.model, model.window).graph.node if node.op_type == "LSTM"]
    alphas = next(list(attribute.floats) for attribute in node.attribute if attribute.name == "activation_alpha")
    assert alphas[0] == np.float32({"tf_keras": 0.2, "keras": 1 / 6}[framework])


@pytest.mark.parametrize("kind", ["LSTM", "SimpleRNN"])
def test_stateful_model_starts_without_a_state(kind: str, framework: Framework, tmp_path: Path) -> None:
    keras = helpers.framework(framework)
    layers = keras.layers
    shape = {"batch_input_shape" if framework == "tf_keras" else "batch_shape": (4, helpers.STEPS, helpers.FEATURES)}
    model = keras.Sequential(
        [layers.InputLayer(**shape), getattr(layers, kind)(4, stateful=True), layers.Dense(1, activation="sigmoid")]
    )
    helpers.randomised(model)
    loaded = helpers.saved(model, tmp_path, ".keras" if framework == "keras" else ".h5")
    given = helpers.windows(42)  # not a multiple of the batch
    loaded.model.predict(given[:4], verbose=0)  # leaves a state behind
    found = helpers.graph_answers(network.build(loaded.model, loaded.window), given)
    np.testing.assert_allclose(found, loaded.predict(given), atol=helpers.TOLERANCE, rtol=0)
    carried = np.concatenate([np.asarray(loaded.model.predict_on_batch(given[i : i + 4])) for i in (0, 4)])
    assert np.abs(carried[4:] - found[4:8]).max() > 100 * helpers.TOLERANCE, "a carried state would change the output"


REFUSED: dict[str, tuple[Build, str]] = {
    "bidirectional of two kinds": (
        lambda k: [k.Bidirectional(k.LSTM(4), backward_layer=k.GRU(4, go_backwards=True), name="odd")],
        "odd: Bidirectional of .*LSTM.*GRU",
    ),
    "bidirectional of two sizes": (
        lambda k: [k.Bidirectional(k.LSTM(4), backward_layer=k.LSTM(3, go_backwards=True), name="odd")],
        "odd: Bidirectional of .*4.*3",
    ),
    "bidirectional of two resets": (
        lambda k: [
            k.Bidirectional(k.GRU(4), backward_layer=k.GRU(4, reset_after=False, go_backwards=True), name="odd")
        ],
        "odd: Bidirectional of .*True.*False",
    ),
    "bidirectional, backward first": (
        lambda k: [k.Bidirectional(k.LSTM(4, go_backwards=True), backward_layer=k.LSTM(4), name="odd")],
        "odd: Bidirectional of .* forward",
    ),
    "bidirectional of another layer": (
        lambda k: [k.Bidirectional(k.RNN(k.LSTMCell(4)), name="odd")],
        "odd: Bidirectional of RNN",
    ),
    "another recurrent layer": (lambda k: [k.RNN(k.GRUCell(4), name="odd")], "odd: a layer of class RNN of"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_option_is_named_with_its_layer(case: str, framework: Framework) -> None:
    build, message = REFUSED[case]
    model = helpers.sequential(framework, build)
    with pytest.raises(Refused, match=message):
        network.build(model, (helpers.STEPS, helpers.FEATURES))
