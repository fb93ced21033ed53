"""Models as stages: their answers in the framework, in TensorFlow and in the graph, and versions of one stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from convert.__main__ import main
from convert.graph import Keras
from convert.layers import network
from convert.networks import heads, windows
from convert.networks.keras_model import KerasModel
from tests.convert import helpers

REVERSAL = heads.StatedHead("reversal")
WINDOW = windows.StatedWindow("features.json", helpers.FEATURES)


def assert_same_in_memory(
    name: str, model: Keras, expected: helpers.Floats32, head: heads.StatedHead, window: windows.StatedWindow = WINDOW
) -> heads.Head:
    """Check the three ways to a stage's answers on a model without a file. Returns the head."""
    arranged = windows.find(tuple(model.inputs[0].shape)[1:], None, window)
    found = heads.choose(model, model.outputs[0], arranged.steps, head)
    given = helpers.windows(len(expected), arranged.steps, arranged.features)
    graph = network.build(model, (arranged.steps, arranged.features), arranged.emit, found.emit)
    (dimensions,) = ([d.dim_param or d.dim_value for d in x.type.tensor_type.shape.dim] for x in graph.graph.input)
    assert dimensions == ["batch", arranged.steps, arranged.features]
    raw = model(arranged.of_array(given), training=False)
    same(
        name,
        expected,
        found.of_array(np.asarray(raw)),
        np.asarray(found.of_symbol(model(arranged.of_symbol(given), training=False))),
        helpers.graph_answers(graph, given),
    )
    return found


def assert_same(stage: KerasModel, expected: helpers.Floats32) -> None:
    """The same for a model that was read from a file."""
    import tensorflow as tf  # noqa: PLC0415 - takes seconds

    given = helpers.windows(len(expected), *stage.window)
    graph = network.build(stage.model, stage.window, stage.arrangement.emit, stage.head.emit)
    by_function = np.asarray(tf.function(stage.answer)(tf.constant(given)))
    same("file", expected, stage.predict(given), by_function, helpers.graph_answers(graph, given))


def same(name: str, expected: helpers.Floats32, *answers: helpers.Floats32) -> None:
    assert np.ptp(expected[:, 0]) > 1e-3, name
    for found in answers:
        assert (str(found.dtype), found.shape) == ("float32", expected.shape), name
        np.testing.assert_allclose(found, expected, atol=helpers.TOLERANCE, rtol=0.0, err_msg=name)


def write(source: Path, name: str, model: Keras, more: str, features: str = '["close", "rsi_14", "macd"]') -> None:
    """Add a version whose Stage 1 is this model, without a scaler."""
    helpers.save(model, source / f"{name}.h5")
    (source / f"{name}.json").write_text(features)
    with (source / "versions.toml").open("a") as file:
        file.write(
            f'\n[versions.{name}]\nname = "{name}"\nthreshold = 0.3\n'
            f'[versions.{name}.stage1]\nmodel = "{name}.h5"\nfeatures = "{name}.json"\n{more}\n'
        )


def run(source: Path, output: Path, name: str) -> int:
    return main(["--source", str(source), "--output", str(output), "--version", name])
