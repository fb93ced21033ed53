"""Windows: in which forms a model may take them, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from convert.errors import Refused
from convert.graph import Keras
from convert.layers import network
from convert.networks import windows
from convert.networks.keras_model import KerasModel
from convert.sources.versions import Layout
from convert.untrusted.models import keras_files
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers
from tests.convert.stages import REVERSAL, assert_same, assert_same_in_memory, run, write

FIRST: Layout = "features_first"

both = pytest.mark.parametrize("framework", helpers.FRAMEWORKS)


def stated(features: int, layout: Layout = "steps_first") -> windows.StatedWindow:
    return windows.StatedWindow("list.json", features, layout)


@pytest.mark.parametrize(
    ("shape", "features", "length", "steps"),
    [
        ((6, 3), 3, None, 6),
        ((None, 3), 3, 9, 9),
        ((1, 3), 3, None, 1),
        ((6, 1), 1, None, 6),
        ((1, 6), 1, None, 6),
        ((18,), 3, None, 6),
        ((18,), 3, 6, 6),
        ((3,), 3, None, 1),
        ((6,), 1, None, 6),
        ((1,), 1, None, 1),
        ((1, 18), 3, None, 6),
        ((18, 1), 3, None, 6),
        ((3, 1), 3, None, 1),
        ((1, 6, 3), 3, None, 6),
        ((6, 3, 1), 3, None, 6),
        ((6, 1, 3), 3, None, 6),
        ((1, 6, 3, 1), 3, None, 6),
        ((1, None, 3), 3, 7, 7),
        ((2, 3, 3), 3, 6, 6),
        ((2, 3, 1), 1, 6, 6),
        ((3, 3), 3, None, 3),
    ],
)
def test_steps_first(shape: windows.Shape, features: int, length: int | None, steps: int) -> None:
    found = windows.find(shape, length, stated(features))
    assert (found.steps, found.features, found.turned) == (steps, features, False)
    given = helpers.windows(4, steps, features)
    arranged = found.of_array(given)
    np.testing.assert_array_equal(arranged.ravel(), given.ravel(), "values keep their order")
    assert arranged.shape == (4, *(steps if n is None else n for n in shape))


@pytest.mark.parametrize(
    ("shape", "features", "length", "steps"),
    [
        ((3, 6), 3, None, 6),
        ((3, None), 3, 9, 9),
        ((18,), 3, None, 6),
        ((1, 18), 3, 6, 6),
        ((1, 3, 6), 3, None, 6),
        ((3, 6, 1), 3, None, 6),
        ((3, 3), 3, None, 3),
        ((3, 1), 3, None, 1),
        ((1, 6), 1, None, 6),
        ((6, 1), 1, None, 6),
    ],
)
def test_features_first(shape: windows.Shape, features: int, length: int | None, steps: int) -> None:
    found = windows.find(shape, length, stated(features, FIRST))
    assert (found.steps, found.features) == (steps, features)
    given = helpers.windows(4, steps, features)
    expected = [[window[step, feature] for feature in range(features) for step in range(steps)] for window in given]
    np.testing.assert_array_equal(found.of_array(given).reshape(4, -1), expected)


@pytest.mark.parametrize(
    ("shape", "features", "length", "layout", "message"),
    [
        ((3, 6), 3, None, "steps_first", r'\(batch, 3, 6\).*layout = "features_first"'),
        ((1, 3, 6), 3, None, "steps_first", 'layout = "features_first"'),
        ((6, 3), 3, None, FIRST, 'layout = "steps_first"'),
        ((6, 4), 3, None, "steps_first", r"windows of 4 features, but list\.json names 3"),
        ((4, 6), 3, None, FIRST, r"windows of 4 features, but list\.json names 3"),
        ((1, 6, 4), 3, None, "steps_first", r"4 features, but list\.json names 3"),
        ((20,), 3, None, "steps_first", r"20 values .*list\.json names 3 features"),
        ((20, 1), 3, None, "steps_first", r"20 values .*list\.json names 3 features"),
        ((18,), 3, 5, "steps_first", r"5, .* 6 steps"),
        ((6, 3), 3, 5, "steps_first", r"5, .* 6 steps"),
        ((None, 3), 3, None, "steps_first", "set `sequence_length`"),
        ((None, 4), 3, 6, "steps_first", r"4 features, but list\.json names 3"),
        ((None, None), 3, 6, "steps_first", "several axes"),
        ((2, 3, 3), 3, None, "steps_first", "set `sequence_length = 6`"),
        ((6_003,), 3, None, "steps_first", "2,001 steps"),
    ],
)
def test_a_window_that_does_not_fit_is_refused(
    shape: windows.Shape, features: int, length: int | None, layout: Layout, message: str
) -> None:
    with pytest.raises(Refused, match=message):
        windows.find(shape, length, stated(features, layout))


def after(*before: Callable[[Keras], Keras]) -> Callable[[Keras, Keras], Keras]:
    """The output of an LSTM behind layers that are made with `keras.layers`."""

    def make(layers: Keras, x: Keras) -> Keras:
        for layer in before:
            x = layer(layers)(x)
        return layers.Dense(1, activation="sigmoid")(layers.LSTM(3)(x))

    return make


MODELS: dict[str, tuple[tuple[int, ...], Layout, Callable[[Keras, Keras], Keras]]] = {
    "features first": ((3, 6), FIRST, after()),
    "features first, turned inside": ((3, 6), FIRST, after(lambda k: k.Permute((2, 1)))),
    "square": ((3, 3), FIRST, after()),
    "flat": ((18,), "steps_first", after(lambda k: k.Reshape((6, 3)))),
    "flat, features first": ((18,), FIRST, after(lambda k: k.Reshape((3, 6)))),
    "one step of all values": ((1, 18), "steps_first", after()),
    "leading axis": ((1, 6, 3), "steps_first", after(lambda k: k.Reshape((6, 3)))),
    "trailing axis": ((6, 3, 1), "steps_first", after(lambda k: k.TimeDistributed(k.Flatten()))),
    "trailing axis, features first": ((3, 6, 1), FIRST, after(lambda k: k.Reshape((3, 6)))),
}


def of_model(name: str, framework: Framework) -> tuple[Keras, helpers.Floats32]:
    """The model, and its answers to 16 windows in its own layout."""
    shape, layout, make = MODELS[name]
    keras = helpers.framework(framework)
    window = keras.Input(shape)
    model = helpers.randomised(keras.Model(window, make(keras.layers, window)))
    given = helpers.windows(16, np.prod(shape, dtype=int) // helpers.FEATURES)
    turned = given.transpose(0, 2, 1) if layout == FIRST else given
    return model, np.asarray(model(np.ascontiguousarray(turned).reshape(16, *shape), training=False))


@both
def test_the_graph_takes_steps_and_features_whatever_the_model_takes(framework: Framework) -> None:
    for name, (_, layout, _) in MODELS.items():
        model, expected = of_model(name, framework)
        assert_same_in_memory(name, model, expected, REVERSAL, stated(helpers.FEATURES, layout))


@both
def test_the_layout_of_a_file(framework: Framework, tmp_path: Path) -> None:
    model, expected = of_model("trailing axis, features first", framework)
    file = keras_files.inspect(helpers.save(model, tmp_path / "model.h5"))
    stage = KerasModel(file, None, None, stated(helpers.FEATURES, FIRST), REVERSAL)
    assert stage.window == (6, 3)
    assert_same(stage, expected)
    assert stage.seconds(runs=1) > 0.0
    assert len(stage.notes) == 1
    assert stage.mask_axes == (1, 2)


@both
@pytest.mark.parametrize("turned_inside", [False, True])
def test_masks_count_in_the_models_layout(framework: Framework, *, turned_inside: bool) -> None:
    """A Masking layer in front of (features, steps) hides features; behind a Permute it hides steps."""
    keras = helpers.framework(framework)
    layers = keras.layers
    permuted = [layers.Permute((2, 1))] if turned_inside else []
    model = keras.Sequential(
        [layers.Input((3, 6)), *permuted, layers.Masking(), layers.LSTM(3), layers.Dense(1, activation="sigmoid")]
    )
    helpers.randomised(model)
    given = helpers.masked_windows()
    if not turned_inside:
        hidden = np.random.default_rng(5).random((64, 1, 3)) < 0.4
        given = np.where(hidden, np.float32(0.0), helpers.windows(64))
    arranged = windows.find((3, 6), None, stated(3, FIRST))
    graph = network.build(model, (6, 3), arranged.emit)
    expected = np.asarray(model(given.transpose(0, 2, 1), training=False))
    np.testing.assert_allclose(helpers.graph_answers(graph, given), expected, atol=helpers.TOLERANCE)


def test_the_layout_of_the_file_is_used_and_a_wrong_one_is_named(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keras = helpers.framework("tf_keras")
    window = keras.Input((3, 4))
    model = helpers.randomised(keras.Model(window, after()(keras.layers, window)))
    write(source, "turned", model, 'layout = "features_first"')
    write(source, "straight", model, "")
    assert run(source, tmp_path / "output", "turned") == 0
    assert "4 steps of 3 features, features first" in " ".join(capsys.readouterr().out.split())
    assert run(source, tmp_path / "output", "straight") == 1
    assert "straight stage1: straight.h5: its input (batch, 3, 4)" in (error := capsys.readouterr().err)
    assert 'layout = "features_first"' in error
