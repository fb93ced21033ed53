"""Operators between layers in saved files of each framework and format, compared with the framework itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.errors import Refused
from convert.graph import Keras
from convert.layers import network
from convert.layers.operators import names
from convert.untrusted.models import keras_files
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers
from tests.convert.edits import edited

# A test gets the framework, its functions (keras.ops or tensorflow), and the window.
Build = Callable[[Any, Any, Keras], list[Keras]]

# Keras 3 reads no operators from HDF5.
FILES: list[tuple[Framework, str]] = [("tf_keras", ".h5"), ("tf_keras", ".keras"), ("keras", ".keras")]
ROWS = np.linspace(-1.0, 1.0, 18, dtype=np.float32).reshape(6, 3)

KERAS: dict[str, Build] = {
    "arithmetic": lambda _k, o, x: [
        x + 2 * x,
        1.0 - x,
        x * ROWS,
        x + o.convert_to_tensor(ROWS[:1]),
        x / 3.0,
        o.divide(x, 2.0),
        -x,
        x**2,
        o.maximum(x, 0.1),
        o.minimum(x, ROWS[None]),
        o.power(o.absolute(x), 1.5),
        o.subtract(x, x[:, ::-1]),
        o.reciprocal(o.exp(x)),
        o.log(o.square(x) + 1.0),
        o.log1p(o.square(x)),
        o.sqrt(o.abs(x)),
        o.rsqrt(o.square(x) + 0.5),
        o.sin(x) + o.cos(x),
        o.sign(x),
        o.clip(x, -0.5, 0.7),
        o.stop_gradient(x) * 2.0,
        o.cast(x, "float32") * 3.0,
    ],
    "activations": lambda k, o, x: [
        o.relu(x),
        o.relu6(4.0 * x),
        o.leaky_relu(x, 0.3),
        o.elu(x, 0.7),
        o.selu(x),
        o.gelu(x),
        o.gelu(x, approximate=False),
        o.silu(x),
        o.sigmoid(x),
        o.hard_sigmoid(2.0 * x),
        o.log_sigmoid(x),
        o.softplus(x),
        o.softsign(x),
        o.tanh(x),
        o.softmax(x, axis=1),
        o.log_softmax(x),
        k.activations.relu(x, negative_slope=0.1, max_value=0.5),
    ],
    "reductions": lambda _k, o, x: [
        o.mean(x, axis=1),
        o.mean(x, axis=-1, keepdims=True),
        o.sum(x, axis=(1, 2)),
        o.max(x, axis=1),
        o.min(x, axis=2),
        o.prod(x, axis=1, keepdims=True),
        o.var(x, axis=1),
        o.std(x, axis=-1),
        o.mean(o.mean(x, axis=1), axis=-1, keepdims=True),
    ],
    "axes": lambda _k, o, x: [
        x[:, -1],
        x[:, -1, :],
        x[:, 1:-1:2],
        x[..., 0],
        x[..., -1:],
        x[:, 2, None, 1:],
        x[:, ::-1, ::2],
        o.expand_dims(x, -1) * 2.0,
        o.squeeze(o.expand_dims(x, 1), 1),
        o.reshape(x, (-1, 18)),
        o.reshape(x, (-1, 3, 6)),
        o.transpose(x, (0, 2, 1)),
        o.swapaxes(x, 1, 2),
        o.concatenate([x, 2.0 * x], axis=-1),
        o.concatenate([x, x[:, :2]], axis=1),
        o.stack([x, -x], axis=2),
        *o.split(x, 3, axis=1),
        *o.split(x, [1, 4], axis=1),
        *o.unstack(x, axis=2),
        o.flip(x, axis=1),
        o.tile(x, (1, 1, 2)),
        o.matmul(x, o.transpose(x, (0, 2, 1))),
        o.matmul(x, ROWS.T),
    ],
}
TENSORFLOW: dict[str, Build] = {
    "arithmetic": lambda _k, tf, x: [
        x + 2 * x,
        tf.add(x, x[:, ::-1]),
        1.0 - x,
        x * ROWS,
        x + tf.constant(ROWS[:1]),
        x / 3.0,
        tf.divide(x, 2.0),
        -x,
        x**2,
        tf.maximum(x, 0.1),
        tf.minimum(x, ROWS[None]),
        tf.pow(tf.abs(x), 1.5),
        tf.math.reciprocal(tf.exp(x)),
        tf.math.log(tf.square(x) + 1.0),
        tf.math.log1p(tf.square(x)),
        tf.sqrt(tf.abs(x)),
        tf.math.rsqrt(tf.square(x) + 0.5),
        tf.sin(x) + tf.cos(x),
        tf.sign(x),
        tf.clip_by_value(x, -0.5, 0.7),
        tf.stop_gradient(x) * 2.0,
        tf.identity(x) * 2.0,
        tf.cast(x, tf.float32) * 3.0,
    ],
    "activations": lambda k, tf, x: [
        tf.nn.relu(x),
        tf.nn.relu6(4.0 * x),
        tf.nn.leaky_relu(x),
        tf.nn.leaky_relu(x, alpha=0.3),
        tf.nn.elu(x),
        tf.nn.selu(x),
        tf.nn.gelu(x),
        tf.nn.gelu(x, approximate=True),
        tf.nn.silu(x),
        tf.nn.sigmoid(x),
        tf.math.log_sigmoid(x),
        tf.nn.softplus(x),
        tf.nn.softsign(x),
        tf.nn.tanh(x),
        tf.nn.softmax(x, axis=1),
        tf.nn.softmax(x),
        tf.nn.log_softmax(x),
        k.activations.tanh(x),
    ],
    "reductions": lambda k, tf, x: [
        tf.reduce_mean(x, axis=1),
        tf.reduce_mean(x, axis=-1, keepdims=True),
        tf.reduce_sum(x, axis=[1, 2]),
        tf.reduce_max(x, 1),
        tf.reduce_min(x, axis=2),
        tf.reduce_prod(x, axis=1, keepdims=True),
        tf.math.reduce_variance(x, axis=1),
        tf.math.reduce_std(x, axis=-1),
        k.backend.sum(x, axis=1),
    ],
    "axes": lambda _k, tf, x: [
        x[:, -1],
        x[:, -1, :],
        x[:, 1:-1:2],
        x[:, :, 0],
        x[:, 2, tf.newaxis, 1:],
        tf.expand_dims(x, -1) * 2.0,
        tf.squeeze(tf.expand_dims(x, 1), axis=1),
        tf.reshape(x, (-1, 18)),
        tf.reshape(x, (tf.shape(x)[0], 3, -1)),
        tf.transpose(x, [0, 2, 1]),
        tf.concat([x, 2.0 * x], axis=-1),
        tf.concat([x, x[:, :2]], 1),
        tf.stack([x, -x], axis=2),
        *tf.split(x, 3, axis=1),
        *tf.split(x, [1, 4, 1], axis=1),
        *tf.unstack(x, axis=2),
        tf.reverse(x, axis=[1]),
        tf.tile(x, [1, 1, 2]),
        tf.matmul(x, x, transpose_b=True),
        tf.matmul(x, ROWS.T),
        tf.linalg.matmul(x, x, transpose_a=True),
    ],
}


def functions(framework: Framework) -> Any:  # noqa: ANN401 - a module
    if framework == "keras":
        return helpers.framework("keras").ops
    helpers.framework("tf_keras")
    import tensorflow as tf  # noqa: PLC0415 - takes seconds

    return tf


@pytest.mark.parametrize(("framework", "suffix"), FILES)
@pytest.mark.parametrize("case", KERAS)
def test_operators(case: str, framework: Framework, suffix: str, tmp_path: Path) -> None:
    keras = helpers.framework(framework)
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    build = (KERAS if framework == "keras" else TENSORFLOW)[case]
    model = keras.Model(window, build(keras, functions(framework), window))
    helpers.assert_each_output(helpers.reread(model, tmp_path, suffix), helpers.windows())


@pytest.mark.parametrize(("framework", "suffix"), FILES)
def test_operators_on_the_outputs_of_a_recurrent_layer(framework: Framework, suffix: str, tmp_path: Path) -> None:
    keras, k = helpers.framework(framework), helpers.framework(framework).layers
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    x = k.LSTM(4, return_sequences=True)(window)
    y = k.GRU(4, return_sequences=True)(x)
    last = y[:, -1]
    model = helpers.randomised(
        keras.Model(window, [last, x + y, y * 2.0, y[:, 2, 1:], k.SimpleRNN(3)(x * y), y[:, 1:]])
    )
    helpers.assert_each_output(helpers.reread(model, tmp_path, suffix), helpers.windows())


@pytest.mark.parametrize(("framework", "suffix"), FILES)
def test_a_mask_ends_at_an_operator(framework: Framework, suffix: str, tmp_path: Path) -> None:
    keras, k = helpers.framework(framework), helpers.framework(framework).layers
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    x = k.Masking()(window)
    model = keras.Model(window, [k.SimpleRNN(3)(x * 1.5), k.SimpleRNN(3)(x), k.SimpleRNN(3)(x[:, 1:])])
    loaded = helpers.reread(helpers.randomised(model), tmp_path, suffix)
    helpers.assert_each_output(loaded, helpers.masked_windows())


def test_module_of_older_releases_of_keras_2(tmp_path: Path) -> None:
    keras = helpers.framework("tf_keras")
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    y = keras.layers.LSTM(3, return_sequences=True)(window * 0.5)[:, -1]
    model = helpers.randomised(keras.Model(window, keras.layers.Dense(1, activation="sigmoid")(y)))
    path = helpers.save(model, tmp_path / "model.keras")

    def edit(config: dict[str, Any]) -> None:
        for layer in config["config"]["layers"]:
            if layer["class_name"] in names.WRAPPERS:
                layer["module"] = "keras.src.layers.core.tf_op_layer"

    loaded = keras_files.load(keras_files.inspect(edited(path, edit)))
    helpers.assert_same(loaded, helpers.windows())


@pytest.mark.parametrize(("framework", "suffix"), FILES)
def test_positions(framework: Framework, suffix: str, tmp_path: Path) -> None:
    """Both frameworks write an Embedding of constants as its values, if nothing depends on the window."""
    keras, k, f = helpers.framework(framework), helpers.framework(framework).layers, functions(framework)
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    x = k.Dense(4)(window)
    counting = f.arange(helpers.STEPS) if framework == "keras" else f.range(start=0, limit=helpers.STEPS, delta=1)
    outputs = [x + k.Embedding(8, 4)(counting), x + k.Embedding(8, 4)(f.expand_dims(counting, 0))]
    if framework == "tf_keras":  # the length is read from the window
        places = f.range(start=0, limit=f.shape(window)[1], delta=1)
        outputs += [x + k.Embedding(8, 4)(places), x + k.Embedding(8, 4)(places[f.newaxis] + 1)]
        repeated = f.tile(f.expand_dims(f.range(f.shape(window)[1]), 0), [f.shape(window)[0], 1])
        outputs.append(x + k.Embedding(8, 4)(repeated))
    model = helpers.randomised(keras.Model(window, outputs))
    helpers.assert_each_output(helpers.reread(model, tmp_path, suffix), helpers.windows())


def test_every_operator_is_a_name_of_its_framework() -> None:
    tf = functions("tf_keras")
    for name in names.TENSORFLOW:
        place = tf
        for part in name.split("."):
            place = getattr(place, part)
        assert callable(place), name
    keras = helpers.framework("keras")
    modules = [keras.src.ops.numpy, keras.src.ops.nn, keras.src.ops.core, keras.src.ops.math]
    modules.append(keras.src.activations.activations)
    for name in names.KERAS:
        assert any(issubclass(getattr(module, name, int), keras.Operation) for module in modules), name


REFUSED: dict[str, tuple[Build, str]] = {
    "over the batch": (lambda _k, f, x: [function_of(f, "mean")(x, axis=0)], "along axis 0"),
    "over all axes": (lambda _k, f, x: [function_of(f, "sum")(x)], "over all axes"),
    "reshape across windows": (lambda _k, f, x: [f.reshape(x, (-1, 9))], r"a reshape of \(batch, 6, 3\)"),
    "transpose of the batch": (lambda _k, f, x: [f.transpose(x, (1, 0, 2))], "a transpose to the order"),
    "part of the batch": (lambda _k, _f, x: [x[0, :]], "the part"),
    "unequal axes": (lambda _k, _f, x: [x + x[:, 0]], "only on equally many axes"),
}


def function_of(functions: Any, name: str) -> Any:  # noqa: ANN401 - a module
    return getattr(functions, name, None) or getattr(functions, f"reduce_{name}")


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
@pytest.mark.parametrize("case", REFUSED)
def test_operator_that_mixes_windows_is_refused(case: str, framework: Framework) -> None:
    build, message = REFUSED[case]
    keras = helpers.framework(framework)
    window = keras.Input((helpers.STEPS, helpers.FEATURES))
    model = keras.Model(window, build(keras, functions(framework), window))
    with pytest.raises(Refused, match=message):
        network.build(model, (helpers.STEPS, helpers.FEATURES))
