"""States of recurrent layers that are given and returned, in saved files, compared with the framework itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from convert.errors import Refused
from convert.graph import Keras
from convert.layers import network
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers

# Keras 3 cannot read a functional model with masks from HDF5.
CASES: list[tuple[bool, Framework, str]] = [
    (True, "tf_keras", ".h5"),
    (True, "keras", ".keras"),
    (False, "keras", ".h5"),
]


def states_of(k: Any, x: Keras) -> list[Keras]:  # noqa: ANN401 - a module
    """Layers of each kind that return their states, and layers that start from them."""
    y, h, c = k.LSTM(4, return_state=True)(x)
    sequences, *others = k.LSTM(4, return_sequences=True, return_state=True, go_backwards=True)(x, initial_state=[h, c])
    _, state = k.GRU(4, return_state=True, name="gru_of_state")(x, initial_state=c)
    backwards, *both = k.Bidirectional(k.LSTM(4, return_state=True))(x, initial_state=[h, c, state, others[0]])
    again = k.Bidirectional(k.GRU(4, return_sequences=True, reset_after=False), merge_mode="sum")(
        x, initial_state=[both[0], both[3]]
    )
    simple, last = k.SimpleRNN(4, return_state=True)(again, initial_state=[state])
    return [y, h, c, sequences, *others, state, backwards, *both, again, simple, last]


@pytest.mark.long
@pytest.mark.parametrize(("masked", "framework", "suffix"), CASES)
def test_states(*, masked: bool, framework: Framework, suffix: str, tmp_path: Path) -> None:
    keras, k = helpers.framework(framework), helpers.framework(framework).layers
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    outputs = states_of(k, k.Masking()(window) if masked else window)
    model = helpers.reread(helpers.randomised(keras.Model(window, outputs)), tmp_path, suffix)
    graph = helpers.assert_each_output(model, helpers.masked_windows() if masked else helpers.windows())
    found = helpers.operators(graph)
    assert [found.count(op) for op in ("LSTM", "GRU", "RNN", "Loop", "Scan")] == [3, 2, 1, 0, 0]


@pytest.mark.parametrize(("framework", "suffix"), [("tf_keras", ".h5"), ("keras", ".keras")])
def test_encoder_and_decoder(framework: Framework, suffix: str, tmp_path: Path) -> None:
    keras, k = helpers.framework(framework), helpers.framework(framework).layers
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    y, h, c = k.LSTM(5, return_state=True)(window)
    x = k.LSTM(5, return_sequences=True)(k.RepeatVector(3)(y), initial_state=[h, c], training=False)
    x = k.TimeDistributed(k.Dense(2, activation="tanh"))(x)
    model = keras.Model(window, k.Dense(1, activation="sigmoid")(k.Flatten()(x)))
    loaded = helpers.saved(helpers.randomised(model), tmp_path, suffix)
    helpers.assert_same(loaded.model, helpers.windows())


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_model_of_several_outputs_inside_a_model(framework: Framework, tmp_path: Path) -> None:
    keras, k = helpers.framework(framework), helpers.framework(framework).layers
    inner_window = keras.Input((helpers.STEPS, helpers.FEATURES))
    inner = keras.Model(inner_window, k.LSTM(4, return_sequences=True, return_state=True)(inner_window), name="inner")
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    sequences, h, c = inner(window)
    y = k.LSTM(4)(sequences, initial_state=[h, c])
    model = helpers.randomised(keras.Model(window, k.Dense(1, activation="sigmoid")(k.Concatenate()([y, h, c]))))
    loaded = helpers.saved(model, tmp_path, ".keras" if framework == "keras" else ".h5")
    helpers.assert_same(loaded.model, helpers.windows())


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_an_active_recurrent_dropout_is_refused(framework: Framework) -> None:
    keras, k = helpers.framework(framework), helpers.framework(framework).layers
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    y = k.LSTM(3, dropout=0.5, name="odd")(window, training=True)
    with pytest.raises(Refused, match="odd: LSTM is called with training=True"):
        network.build(keras.Model(window, k.Dense(1)(y)), (helpers.STEPS, helpers.FEATURES))
