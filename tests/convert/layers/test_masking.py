"""Masks with holes, at both ends and over whole windows, compared with both frameworks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from convert.errors import Refused
from convert.graph import FLOAT, GraphBuilder, Keras, Tensor
from convert.layers import network
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers

Build = Callable[[Keras], list[Keras]]

both = pytest.mark.parametrize("framework", helpers.FRAMEWORKS)

CASES: dict[str, Build] = {
    "lstm": lambda k: [k.LSTM(4)],
    "gru": lambda k: [k.GRU(4)],
    "gru resetting before": lambda k: [k.GRU(4, reset_after=False)],
    "lstm unrolled": lambda k: [k.LSTM(4, unroll=True)],
    "lstm backwards": lambda k: [k.LSTM(4, go_backwards=True)],
    "stacked": lambda k: [k.LSTM(4, return_sequences=True), k.GRU(4, return_sequences=True), k.LSTM(3)],
    "stacked, backwards first": lambda k: [k.LSTM(4, go_backwards=True, return_sequences=True), k.LSTM(3)],
    "stacked, inert and dense between": lambda k: [
        k.LSTM(4, return_sequences=True),
        k.Dropout(0.2),
        k.BatchNormalization(),
        k.Dense(4, activation="tanh"),
        k.LayerNormalization(),
        k.GRU(3),
    ],
    "zero output": lambda k: [k.LSTM(4, return_sequences=True, zero_output_for_mask=True), k.Dense(2), k.LSTM(3)],
    "zero output at the end": lambda k: [k.LSTM(4, zero_output_for_mask=True)],
    "zero output at the end, backwards": lambda k: [k.GRU(4, zero_output_for_mask=True, go_backwards=True)],
    "bidirectional": lambda k: [k.Bidirectional(k.LSTM(4))],
    "bidirectional sequences": lambda k: [k.Bidirectional(k.GRU(4, return_sequences=True)), k.LSTM(3)],
    "bidirectional sequences, summed": lambda k: [
        k.Bidirectional(k.LSTM(4, return_sequences=True), merge_mode="sum"),
        k.Bidirectional(k.LSTM(3), merge_mode="mul"),
    ],
    "simple rnn": lambda k: [k.SimpleRNN(4, return_sequences=True), k.SimpleRNN(3, go_backwards=True)],
    "layers that pass the mask on": lambda k: [
        k.Activation("tanh"),
        k.ELU(),
        k.PReLU(),
        k.ReLU(threshold=0.1),
        k.Identity(),
        k.LayerNormalization(axis=1),
        k.UnitNormalization(),
        k.TimeDistributed(k.Dense(4)),
        k.LSTM(3),
    ],
    "layers that pass the mask on or not": lambda k: [
        k.Rescaling(0.5),
        k.Normalization(mean=0.1, variance=2.0, axis=None),
        k.LSTM(3),
    ],
    "layers without masks": lambda k: [k.ZeroPadding1D(1), k.Conv1D(3, 2), k.MaxPooling1D(2), k.LSTM(3)],
    "masked again": lambda k: [k.LSTM(4, return_sequences=True), k.Masking(mask_value=0.0), k.LSTM(3)],
}


@both
@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore:Layer '.*' .* was passed an input with a mask:UserWarning")
def test_masked_steps(case: str, framework: Framework) -> None:
    model = helpers.sequential(framework, lambda k: [k.Masking(), *CASES[case](k)])
    helpers.assert_same(model, helpers.masked_windows())


@both
@pytest.mark.parametrize("keepdims", [False, True])
def test_average_of_the_steps_that_count(*, keepdims: bool, framework: Framework) -> None:
    model = helpers.sequential(
        framework,
        lambda k: [k.Masking(), k.LSTM(3, return_sequences=True), k.GlobalAveragePooling1D(keepdims=keepdims)],
        flat=True,
    )
    given = helpers.masked_windows()
    helpers.assert_same(model, given[np.any(given != 0.0, axis=(1, 2))])  # Keras divides by zero if no step counts


@both
def test_softmax_and_models_at_masked_steps_are_refused(framework: Framework) -> None:
    inner = helpers.framework(framework).Sequential([helpers.framework(framework).layers.Dense(3)])
    for kind, build in (("Softmax", lambda k: k.Softmax()), ("Sequential", lambda _: inner)):
        model = helpers.sequential(
            framework,
            lambda k, build=build: [k.Masking(), k.TimeDistributed(build(k), name="odd"), k.LSTM(3)],  # type: ignore[misc]
        )
        with pytest.raises(Refused, match=f"^odd: TimeDistributed of {kind} for masked steps"):
            network.build(model, (helpers.STEPS, helpers.FEATURES))


def test_mask_that_keras_2_does_not_reverse_is_refused() -> None:
    """An unrolled backward layer of Keras 2 makes the wrong steps zero."""
    model = helpers.sequential(
        "tf_keras",
        lambda k: [k.Masking(), k.Bidirectional(k.LSTM(3, unroll=True, return_sequences=True), name="odd"), k.LSTM(2)],
    )
    with pytest.raises(Refused, match=r"^odd: unroll=True of a backward layer"):
        network.build(model, (helpers.STEPS, helpers.FEATURES))


@both
def test_mask_value(framework: Framework, tmp_path: Path) -> None:
    model = helpers.saved(helpers.sequential(framework, lambda k: [k.Masking(mask_value=-1.5), k.LSTM(3)]), tmp_path)
    helpers.assert_same(model.model, helpers.masked_windows(-1.5))
    assert model.mask_values == (-1.5,), "parity uses windows with such steps"


@both
def test_masked_steps_matter(framework: Framework) -> None:
    """The windows of these tests would show a graph that ignores its masks."""
    plain = helpers.sequential(framework, lambda k: [k.LSTM(4)])
    masked = helpers.sequential(framework, lambda k: [k.Masking(), k.LSTM(4)])
    given = helpers.masked_windows()
    first, second = (np.asarray(model(given)) for model in (plain, masked))
    assert np.abs(first - second).max() > 0.01


@both
def test_every_step_of_masked_sequences(framework: Framework) -> None:
    """Every output of a masked layer is compared, including those before the first step that counts."""
    keras = helpers.framework(framework)
    layers = keras.layers
    for zero in (False, True):
        for backwards in (False, True):
            window = keras.Input((helpers.STEPS, helpers.FEATURES))
            x = layers.Masking()(window)
            x = layers.LSTM(2, return_sequences=True, go_backwards=backwards, zero_output_for_mask=zero)(x)
            x = layers.LSTM(2, return_sequences=True)(x)
            y = layers.Dense(1, activation="sigmoid")(layers.Dense(3)(x))
            model = helpers.randomised(keras.Model(window, y))
            graph = _every_step(model)
            given = helpers.masked_windows()
            expected = np.asarray(model(given))[:, :, 0]
            np.testing.assert_allclose(helpers.graph_answers(graph, given), expected, atol=helpers.TOLERANCE, rtol=0)


@pytest.mark.long
@both
@pytest.mark.parametrize("merging", ["Add", "Average", "Maximum", "Minimum", "Multiply", "Concatenate"])
@pytest.mark.parametrize("inputs", ["the same mask", "two masks", "one mask"])
def test_merged_masks(merging: str, inputs: str, framework: Framework, tmp_path: Path) -> None:
    keras = helpers.framework(framework)
    layers = keras.layers
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    first = layers.Masking(mask_value=0.0)(window)
    second = {"the same mask": first, "two masks": layers.Masking(mask_value=-1.0)(window), "one mask": window}[inputs]
    x = getattr(layers, merging)()([layers.Dense(3)(first), second])
    x = layers.LSTM(3)(layers.GRU(4, return_sequences=True)(x))
    model = helpers.randomised(keras.Model(window, layers.Dense(1, activation="sigmoid")(x)))
    # Keras 3 cannot read a functional model with masks from HDF5.
    loaded = helpers.saved(model, tmp_path, ".keras" if framework == "keras" else ".h5")
    given = np.concatenate([helpers.masked_windows(0.0), helpers.masked_windows(-1.0)])
    helpers.assert_same(loaded.model, given)


@both
@pytest.mark.parametrize("inputs", ["two masks", "one mask", "one mask, later"])
def test_mask_of_steps_after_others(inputs: str, framework: Framework) -> None:
    keras = helpers.framework(framework)
    layers = keras.layers
    window = keras.Input((helpers.STEPS, 1))
    first = layers.Masking(mask_value=0.0)(window)
    second = layers.Masking(mask_value=-1.0)(window) if inputs == "two masks" else window
    both_parts = [second, first] if inputs == "one mask, later" else [first, second]
    x = layers.LSTM(3)(layers.GRU(4, return_sequences=True)(layers.Concatenate(axis=1)(both_parts)))
    model = helpers.randomised(keras.Model(window, layers.Dense(1, activation="sigmoid")(x)))
    given = np.concatenate([helpers.masked_windows(0.0), helpers.masked_windows(-1.0)])[:, :, :1]
    helpers.assert_same(model, given)


@both
@pytest.mark.parametrize("merging", ["Add", "Maximum", "Minimum", "Multiply"])
def test_masked_steps_and_a_vector(merging: str, framework: Framework) -> None:
    """The vector is the same for every step, and has no mask."""
    keras = helpers.framework(framework)
    layers = keras.layers
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    vector = layers.Dense(helpers.FEATURES)(layers.Flatten()(window))
    x = layers.LSTM(3)(getattr(layers, merging)()([layers.Masking()(window), vector]))
    model = helpers.randomised(keras.Model(window, layers.Dense(1, activation="sigmoid")(x)))
    helpers.assert_same(model, helpers.masked_windows())


@both
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.filterwarnings("ignore:Layer 'inner' .* was passed an input with a mask:UserWarning")
def test_mask_through_models_inside_models(*, sequences: bool, framework: Framework, tmp_path: Path) -> None:
    keras = helpers.framework(framework)
    layers = keras.layers
    inner = keras.Sequential(
        [layers.Input((helpers.STEPS, 4)), layers.GRU(3, return_sequences=sequences)], name="inner"
    )
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    x = layers.LSTM(4, return_sequences=True)(layers.Masking()(window))
    x = layers.LSTM(2)(inner(x)) if sequences else inner(x)
    model = keras.Model(window, layers.Dense(1, activation="sigmoid")(x))
    helpers.randomised(model)
    loaded = helpers.saved(model, tmp_path, ".keras" if framework == "keras" else ".h5")
    helpers.assert_same(loaded.model, helpers.masked_windows())


def test_a_mask_that_no_layer_produces_is_refused() -> None:
    keras = helpers.framework("keras")
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    mask = keras.ops.any(keras.ops.not_equal(window, 5.0), axis=-1)
    y = keras.layers.Dense(1)(keras.layers.LSTM(3, name="odd")(window, mask=mask))
    with pytest.raises(Refused, match=r"^odd: LSTM .* mask"):
        network.build(keras.Model(window, y), (helpers.STEPS, helpers.FEATURES))


def _every_step(model: Keras) -> Keras:
    """The graph of a model with the output (batch, steps, 1), flattened to (batch, steps)."""
    graph = GraphBuilder()
    (result,) = network._emit(graph, "", model, [Tensor("window", (helpers.STEPS, helpers.FEATURES))])  # noqa: SLF001
    flat = graph.value("Flatten", "end", graph.batch_major(result).name)
    return graph.finish(
        ("window", FLOAT, (helpers.STEPS, helpers.FEATURES)), ("probability", FLOAT, (helpers.STEPS,)), flat
    )
