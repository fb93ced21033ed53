"""Small Keras models with random weights, and the comparison of their outputs with those of their graphs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from math import prod
from pathlib import Path
from typing import TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray

from convert.graph import FLOAT, GraphBuilder, Keras, Tensor
from convert.layers import network
from convert.networks.keras_model import KerasModel
from convert.proof.parity import GraphSession
from convert.untrusted.models import allocations, keras_files
from convert.untrusted.models.keras_files import Framework

Floats32: TypeAlias = NDArray[np.float32]

FRAMEWORKS: tuple[Framework, ...] = ("tf_keras", "keras")
STEPS, FEATURES = 6, 3
TOLERANCE = 2e-6  # tighter than the gate's: these models are small


def framework(name: Framework) -> Keras:
    return keras_files.import_framework(name)


def randomised(model: Keras, seed: int = 7) -> Keras:
    """Draw every weight at random: zeros would hide a missing bias, and ones a missing scale."""
    rng = np.random.default_rng(seed)
    drawn = []
    for weight in model.weights:
        values = 0.9 * rng.standard_normal(tuple(weight.shape)).astype(np.float32)
        drawn.append(np.abs(values) + 0.2 if "variance" in weight.name else values)
    model.set_weights(drawn)
    return model


def sequential(name: Framework, build: Callable[[Keras], list[Keras]], *, flat: bool = False) -> Keras:
    """A Sequential of the layers that `build` makes, between a window and a probability."""
    keras = framework(name)
    layers = keras.layers
    end = [layers.Flatten()] if flat else []
    model = keras.Sequential(
        [layers.Input((STEPS, FEATURES)), *build(layers), *end, layers.Dense(1, activation="sigmoid")]
    )
    randomised(model)
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([0.2 * kernel, bias])  # otherwise many features saturate the sigmoid
    return model


def branched(name: Framework, builds: Iterable[Callable[[Keras], list[Keras]]]) -> Keras:
    """A functional model with one branch for each list of layers, so that one file can hold many layers."""
    keras = framework(name)
    layers = keras.layers
    window = keras.Input((STEPS, FEATURES))
    ends = []
    for build in builds:
        x = window
        for layer in build(layers):
            x = layer(x)
        ends.append(layers.Dense(2, activation="tanh")(layers.Flatten()(x)))
    model = randomised(keras.Model(window, layers.Dense(1, activation="sigmoid")(layers.Concatenate()(ends))))
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([0.2 * kernel, bias])
    return model


def windows(count: int = 40, steps: int = STEPS, features: int = FEATURES) -> Floats32:
    return np.random.default_rng(3).standard_normal((count, steps, features)).astype(np.float32)


def masked_windows(value: float = 0.0) -> Floats32:
    """Windows with masked steps at the start, inside, at the end and everywhere, and some without masked steps."""
    found = windows(64)
    masks = np.random.default_rng(4).random(found.shape[:2]) < 0.4
    masks[0] = True
    masks[1] = False
    masks[2] = [True, True, False, False, False, False]
    masks[3] = [False, False, False, False, True, True]
    masks[4] = [False, False, True, True, False, False]
    masks[5] = [True, False, True, False, True, True]
    masks[6] = [False, True, True, True, True, True]
    masks[7] = [True, True, True, True, True, False]
    found[masks] = value
    found[8, 0] = [value, value, value + 1.0]  # one feature that differs is enough for a step to count
    return found


def save(model: Keras, path: Path) -> Path:
    with warnings.catch_warnings():
        # Both frameworks warn about HDF5, but users have such files.
        warnings.filterwarnings("ignore", message="You are saving your model as an HDF5 file")
        model.save(path)
    return path


def saved(model: Keras, folder: Path, suffix: str = ".h5") -> KerasModel:
    """The model, written and read again as a conversion reads it."""
    path = save(model, folder / f"model{suffix}")
    return KerasModel(keras_files.inspect(path), None, None)


def graph_answers(graph: onnx.ModelProto, given: Floats32) -> Floats32:
    return GraphSession(graph.SerializeToString()).run(given)


def assert_same(model: Keras, given: Floats32, tolerance: float = TOLERANCE) -> onnx.ModelProto:
    """Check that the graph of `model` gives the model's outputs. Returns the graph."""
    graph = network.build(model, (given.shape[1], given.shape[2]))
    expected = np.asarray(model(given, training=False))
    found = graph_answers(graph, given)
    assert found.dtype == expected.dtype == np.float32
    assert found.shape == expected.shape
    assert np.ptp(expected) > 200 * tolerance, "with a constant output, agreement would prove nothing"
    np.testing.assert_allclose(found, expected, atol=tolerance, rtol=0.0)
    return graph


def operators(graph: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in graph.graph.node]


def reread(model: Keras, folder: Path, suffix: str) -> Keras:
    """A model of any outputs, written and read again as a conversion reads it."""
    file = keras_files.inspect(save(model, folder / f"model{suffix}"))
    loaded = keras_files.load(file)
    allocations.check_values(loaded, STEPS)
    return loaded


def assert_each_output(model: Keras, given: Floats32, tolerance: float = TOLERANCE) -> onnx.ModelProto:
    """Check the values of each output of a model of any outputs, in one graph. Returns the graph."""
    graph = GraphBuilder()
    window = (given.shape[1], given.shape[2])
    results = network._emit(graph, "", model, [Tensor("window", window)])  # noqa: SLF001 - it has many outputs
    flat = [graph.value("Flatten", "end", graph.batch_major(x).name) for x in results]
    width = sum(prod(x.shape) for x in results)
    built = graph.finish(
        ("window", FLOAT, window), ("values", FLOAT, (width,)), graph.value("Concat", "end", *flat, axis=1)
    )
    outputs = model(given, training=False)
    expected = [np.asarray(x) for x in (outputs if isinstance(outputs, list | tuple) else [outputs])]
    found = np.split(graph_answers(built, given), np.cumsum([prod(x.shape) for x in results])[:-1], axis=1)
    for wanted, got, result in zip(expected, found, results, strict=True):
        assert wanted.shape[1:] == result.shape, result.name
        assert np.ptp(wanted) > 200 * tolerance, f"with a constant output, agreement would prove nothing: {result.name}"
        flat_wanted = wanted.reshape(len(given), -1)
        np.testing.assert_allclose(got, flat_wanted, atol=tolerance, rtol=tolerance, err_msg=result.name)
    return built
