"""Attention in saved files of each framework and format, compared with the framework itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.errors import Refused
from convert.graph import Keras
from convert.layers import network
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers

Build = Callable[[Any, Keras, Keras], Keras]

FILES: list[tuple[Framework, str]] = [("tf_keras", ".h5"), ("keras", ".h5"), ("keras", ".keras")]
LARGE = 1e-5  # values of up to 20
SEEN = np.tri(helpers.STEPS, helpers.STEPS, 1)

# A test gets the layers, steps of width 4, which may be masked, and other steps.
MULTI_HEAD: list[Build] = [
    lambda k, x, _y: k.MultiHeadAttention(2, 3)(x, x),
    lambda k, x, _y: k.MultiHeadAttention(2, 4, use_bias=False)(x, x, use_causal_mask=True),
    lambda k, x, y: k.MultiHeadAttention(3, 4, value_dim=5, dropout=0.2)(x, y, use_causal_mask=True),
    lambda k, x, y: k.MultiHeadAttention(1, 4, output_shape=7)(y, x),
    lambda k, x, y: k.MultiHeadAttention(2, 4, output_shape=(2, 3))(query=x, value=y, key=x, training=False),
    lambda k, x, y: k.MultiHeadAttention(2, 4)(y, y, x),
]
DENSE: list[Build] = [
    lambda k, x, y: k.Attention()([x, y]),
    lambda k, x, y: k.Attention(use_scale=True, dropout=0.2)([y, x, y]),
    lambda k, x, _y: k.Attention()([x, x], use_causal_mask=True),
    lambda k, x, y: k.AdditiveAttention()([x, y]),
    lambda k, x, y: k.AdditiveAttention(use_scale=False)([y, x, x], use_causal_mask=True),
]
CONCAT: list[Build] = [
    lambda k, x, y: k.Attention(score_mode="concat")([x, y]),
    lambda k, x, y: k.Attention(score_mode="concat", use_scale=True)([x, y]),
]


def model_of(framework: Framework, builds: list[Build], *, masked: bool) -> Keras:
    keras, k = helpers.framework(framework), helpers.framework(framework).layers
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    start = k.Masking()(window) if masked else window
    other = k.GRU(4, return_sequences=True)(window)
    # Each of them gets masked steps of its own, because MultiHeadAttention takes masks off.
    outputs = [build(k, k.Dense(4)(start), other) for build in builds]
    return helpers.randomised(keras.Model(window, outputs))


@pytest.mark.long
@pytest.mark.parametrize(
    ("framework", "suffix", "masked"),
    [(*file, masked) for file in FILES for masked in (False, True) if not (masked and file == ("keras", ".h5"))],
)
def test_attention(*, masked: bool, framework: Framework, suffix: str, tmp_path: Path) -> None:
    builds = MULTI_HEAD + DENSE + CONCAT
    if (framework, suffix) == ("keras", ".h5"):
        # From HDF5, Keras 3 reads neither masks nor Attention, whose score_mode it takes for a loss.
        builds = MULTI_HEAD[:3] + DENSE[3:]
    model = helpers.reread(model_of(framework, builds, masked=masked), tmp_path, suffix)
    given = helpers.masked_windows() if masked else helpers.windows()
    graph = helpers.assert_each_output(model, given, LARGE)
    assert not {"Loop", "Scan", "If"} & {*helpers.operators(graph)}


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_masks_matter(framework: Framework) -> None:
    """The windows of these tests would show a graph that ignores its masks."""
    for build in MULTI_HEAD[:1] + DENSE[:1]:
        given = helpers.masked_windows()
        one, other = (np.asarray(model_of(framework, [build], masked=masked)(given)) for masked in (False, True))
        assert np.abs(one - other).max() > 0.01


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_layers_after_an_attention_of_masked_steps(framework: Framework, tmp_path: Path) -> None:
    """Keras 3 takes the masks off the inputs of MultiHeadAttention while it runs, but not while it builds."""
    keras, k = helpers.framework(framework), helpers.framework(framework).layers
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    x = k.LSTM(4, return_sequences=True)(k.Masking()(window))
    y = k.LayerNormalization()(k.Add()([x, k.MultiHeadAttention(2, 3)(x, x)]))
    z = k.Add()([y, k.MultiHeadAttention(2, 3)(y, y)])
    outputs = [k.LSTM(3)(y), k.MultiHeadAttention(1, 3)(z, x), k.Attention()([z, y]), k.GlobalAveragePooling1D()(z)]
    model = helpers.reread(helpers.randomised(keras.Model(window, outputs)), tmp_path, ".keras")
    given = helpers.masked_windows()
    helpers.assert_each_output(model, given[np.any(given != 0.0, axis=(1, 2))], LARGE)


def test_attention_mask_of_keras_3(tmp_path: Path) -> None:
    """Keras 2 writes a constant mask as a list, which it cannot read."""
    keras = helpers.framework("keras")
    k = keras.layers
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    x, masked = k.Dense(4)(window), k.Masking()(window)
    outputs = [
        k.MultiHeadAttention(2, 3)(x, x, attention_mask=SEEN),
        k.MultiHeadAttention(2, 3, dropout=0.1)(x, x, attention_mask=SEEN[None].astype(bool)),
        k.MultiHeadAttention(2, 3)(masked, masked, attention_mask=SEEN, use_causal_mask=True),
        k.MultiHeadAttention(2, 3, sliding_window=2)(x, x),
    ]
    model = helpers.reread(helpers.randomised(keras.Model(window, outputs)), tmp_path, ".keras")
    helpers.assert_each_output(model, helpers.masked_windows(), LARGE)


@pytest.mark.parametrize(("framework", "suffix"), FILES)
def test_dot(framework: Framework, suffix: str, tmp_path: Path) -> None:
    keras, k = helpers.framework(framework), helpers.framework(framework).layers
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    x, y = k.Dense(4)(window), k.GRU(4, return_sequences=True)(window)
    last, other = k.LSTM(4)(window), k.Dense(helpers.STEPS)(k.Flatten()(window))
    outputs = [
        k.Dot(axes=1)([x, y]),
        k.Dot(axes=(2, 2))([x, y]),
        k.Dot(axes=-1, normalize=True)([x, y]),
        k.Dot(axes=(2, 1))([x, last]),
        k.Dot(axes=(1, 1))([other, x]),
        k.Dot(axes=1, normalize=True)([last, k.GRU(4)(window)]),
    ]
    model = helpers.reread(helpers.randomised(keras.Model(window, outputs)), tmp_path, suffix)
    helpers.assert_each_output(model, helpers.windows(), LARGE)


@pytest.mark.parametrize(("framework", "suffix"), [("tf_keras", ".h5"), ("keras", ".keras")])
def test_transformer_block(framework: Framework, suffix: str, tmp_path: Path) -> None:
    keras, k = helpers.framework(framework), helpers.framework(framework).layers
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    x = k.Dense(8)(window)
    places = np.sin(np.arange(helpers.STEPS * 8).reshape(1, helpers.STEPS, 8)).astype(np.float32)
    x = x + places
    x = k.LayerNormalization(epsilon=1e-6)(x + k.Dropout(0.1)(k.MultiHeadAttention(2, 4)(x, x)))
    x = k.LayerNormalization(epsilon=1e-6)(x + k.Dense(8)(k.Dense(16, activation="relu")(x)))
    y = k.Dense(1, activation="sigmoid")(k.GlobalAveragePooling1D()(x))
    model = helpers.saved(helpers.randomised(keras.Model(window, y)), tmp_path, suffix)
    helpers.assert_same(model.model, helpers.windows())


REFUSED: dict[str, tuple[Build, str]] = {
    "scores": (
        lambda k, x, _y: k.MultiHeadAttention(2, 3, name="odd")(x, x, return_attention_scores=True)[0],
        "odd: MultiHeadAttention is called with return_attention_scores=True",
    ),
    "scores of dense attention": (
        lambda k, x, _y: k.Attention(name="odd")([x, x], return_attention_scores=True)[0],
        "odd: Attention is called with return_attention_scores=True",
    ),
    "training": (
        lambda k, x, _y: k.MultiHeadAttention(2, 3, dropout=0.5, name="odd")(x, x, training=True),
        "odd: MultiHeadAttention is called with training=True",
    ),
    "axes": (
        lambda k, x, _y: k.MultiHeadAttention(2, 3, attention_axes=(2,), name="odd")(
            k.Reshape((2, 3, 4))(x), k.Reshape((2, 3, 4))(x)
        ),
        r"odd: MultiHeadAttention of the shape \(2, 3, 4\)",
    ),
    "embedding of the window": (
        lambda k, x, _y: k.Embedding(10, 4, name="odd")(x),
        "odd: Embedding of values of the window",
    ),
}


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
@pytest.mark.parametrize("case", REFUSED)
def test_refused_option_is_named_with_its_layer(case: str, framework: Framework) -> None:
    build, message = REFUSED[case]
    with pytest.raises(Refused, match=message):
        network.build(model_of(framework, [build], masked=False), (helpers.STEPS, helpers.FEATURES))


def test_attention_between_encoder_and_decoder_in_hdf5_of_keras_3(tmp_path: Path) -> None:
    """Keras 3 reads the text `dot` of an Attention in HDF5 as its function of that name, and fails."""
    keras = helpers.framework("keras")
    k = keras.layers
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    _, h, c = k.LSTM(4, return_state=True)(window)
    decoded = k.LSTM(4, return_sequences=True)(k.RepeatVector(2)(h), initial_state=[h, c])
    found = k.Attention()([decoded, k.Dense(4)(window)])
    model = helpers.randomised(keras.Model(window, k.Dense(1, activation="sigmoid")(k.Flatten()(found))))
    helpers.assert_same(helpers.saved(model, tmp_path, ".h5").model, helpers.windows())


@pytest.mark.parametrize("kind", ["Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"])
def test_constant_positions_merged_by_a_layer_of_keras_3(kind: str, tmp_path: Path) -> None:
    """Keras 2 writes such a constant as one that it cannot read."""
    keras = helpers.framework("keras")
    k = keras.layers
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    x = k.Dense(4)(window)
    places = np.sin(np.arange(helpers.STEPS * 4).reshape(1, helpers.STEPS, 4)).astype(np.float32)
    merge = getattr(k, kind)
    masked = k.Masking()(window)
    outputs = [
        merge()([x, keras.ops.convert_to_tensor(places)]),
        merge()([x, keras.ops.convert_to_tensor(places[:, :1])]),
        k.LSTM(3)(merge()([masked, keras.ops.convert_to_tensor(places[:, :, :1])])),
    ]
    model = helpers.reread(helpers.randomised(keras.Model(window, outputs)), tmp_path, ".keras")
    helpers.assert_each_output(model, helpers.masked_windows(), LARGE)


def test_constant_of_another_rank_is_refused_by_its_shape(tmp_path: Path) -> None:
    keras = helpers.framework("keras")
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    steps = keras.ops.convert_to_tensor(np.ones((1, helpers.FEATURES), np.float32))
    y = keras.layers.Add(name="places")([keras.layers.Dense(helpers.FEATURES)(window), steps])
    model = helpers.reread(keras.Model(window, y), tmp_path, ".keras")
    with pytest.raises(Refused, match=r"places: a constant of the shape \(1, 3\) cannot be merged, only one of 3 axes"):
        network.build(model, (helpers.STEPS, helpers.FEATURES))
