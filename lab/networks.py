"""The networks that the search compares, in Keras, and how one is fitted on windows of the panel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from core.features.candles import Floats
from lab.calibration import logits
from lab.panel import Panel, Rows

BATCH_SIZE = 512
_WARM_UP = 100  # steps, but at most a fifth of all
# Weights are averaged over about this many steps; the last ones alone depend on the last batches.
_AVERAGED = 200
_PREDICTED_AT_ONCE = 4096


class NetworkSettings(NamedTuple):
    """One network. kind: a key of KINDS. width: of its hidden layers. depth: of its layers of the same kind."""

    kind: str
    window: int
    width: int = 32
    depth: int = 3
    dropout: float = 0.1
    learning_rate: float = 2e-3
    epochs: int = 4
    batch_size: int = BATCH_SIZE
    seed: int = 1


def tcn(inputs: Any, settings: NetworkSettings) -> Any:  # noqa: ANN401 - Keras has no types
    """Convolutions over time that halve the steps (Bai et al. 2018, with strides instead of dilations)."""
    x = inputs
    for _ in range(settings.depth):
        x = _convolution(x, settings.width, 4, activation="relu")
    return keras.layers.Flatten()(x)


def _convolution(x: Any, width: int, kernel: int, activation: str | None = None) -> Any:  # noqa: ANN401 - as above
    """A convolution with strides of half of its kernel. Of steps that are left over, the oldest are dropped.

    Keras drops those at the end, which is the newest bar.
    """
    left_over = (x.shape[1] - kernel) % (kernel // 2)
    if left_over:
        x = keras.layers.Cropping1D((left_over, 0))(x)
    return keras.layers.Conv1D(width, kernel, strides=kernel // 2, activation=activation)(x)


def lstm(inputs: Any, settings: NetworkSettings) -> Any:  # noqa: ANN401 - Keras has no types
    """LSTM layers; the last one gives its last step (Hochreiter and Schmidhuber 1997)."""
    return _recurrent(keras.layers.LSTM, inputs, settings)


def gru(inputs: Any, settings: NetworkSettings) -> Any:  # noqa: ANN401 - Keras has no types
    """GRU layers; the last one gives its last step (Cho et al. 2014)."""
    return _recurrent(keras.layers.GRU, inputs, settings)


def _recurrent(layer: Any, inputs: Any, settings: NetworkSettings) -> Any:  # noqa: ANN401 - Keras has no types
    x = inputs
    for level in range(settings.depth):
        x = layer(settings.width, return_sequences=level < settings.depth - 1)(x)
    return x


def transformer(inputs: Any, settings: NetworkSettings) -> Any:  # noqa: ANN401 - Keras has no types
    """An encoder with normalisation before each block (Vaswani et al. 2017, Xiong et al. 2020).

    Neighbouring steps are merged into patches of eight with an offset of four (Nie et al. 2023). The bias of each patch
    is its learned position.
    """
    x = _convolution(inputs, settings.width, 8)
    x = keras.layers.EinsumDense("btf,fd->btd", output_shape=(x.shape[1], settings.width), bias_axes="td")(x)
    for _ in range(settings.depth):
        y = keras.layers.LayerNormalization()(x)
        y = keras.layers.MultiHeadAttention(4, max(settings.width // 4, 1), dropout=settings.dropout)(y, y)
        x = keras.layers.Add()([x, y])
        y = keras.layers.LayerNormalization()(x)
        y = keras.layers.Dense(2 * settings.width, activation="gelu")(y)
        y = keras.layers.Dense(settings.width)(y)
        x = keras.layers.Add()([x, y])
    x = keras.layers.LayerNormalization()(x)
    last = keras.layers.Flatten()(keras.layers.Cropping1D((x.shape[1] - 1, 0))(x))
    return keras.layers.Concatenate()([keras.layers.GlobalAveragePooling1D()(x), last])


def perceptron(inputs: Any, settings: NetworkSettings) -> Any:  # noqa: ANN401 - Keras has no types
    """Dense layers over the whole window."""
    x = keras.layers.Flatten()(inputs)
    for _ in range(settings.depth):
        x = keras.layers.Dense(settings.width, activation="relu")(x)
    return x


KINDS: dict[str, Callable[[Any, NetworkSettings], Any]] = {
    "tcn": tcn,
    "lstm": lstm,
    "gru": gru,
    "transformer": transformer,
    "perceptron": perceptron,
}


def build(settings: NetworkSettings, num_features: int, name: str = "detector") -> Any:  # noqa: ANN401 - Keras has no types
    """Float32 (batch, window, num_features) -> (batch, 1), a probability."""
    inputs = keras.layers.Input((settings.window, num_features))
    x = KINDS[settings.kind](inputs, settings)
    x = keras.layers.Dropout(settings.dropout)(x)
    x = keras.layers.Dense(32, activation="relu")(x)
    x = keras.layers.Dense(16, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x), name=name)


class FittedNetwork(NamedTuple):
    """A network and the scaler that it was fitted with."""

    settings: NetworkSettings
    scaler: StandardScaler
    network: Any

    def logits(self, panel: Panel, rows: Rows) -> Floats:
        """The network's answers for the windows that end at these rows."""
        scaled = scaled_features(self.scaler, panel)
        parts = [
            self.network(windows(scaled, rows[start : start + _PREDICTED_AT_ONCE], self.settings.window)).numpy()[:, 0]
            for start in range(0, len(rows), _PREDICTED_AT_ONCE)
        ]
        return logits(np.concatenate(parts))


def fit(
    panel: Panel,
    rows: Rows,
    truth: NDArray[np.float32],
    settings: NetworkSettings,
    after_epoch: Callable[[int, FittedNetwork], None] | None = None,
) -> FittedNetwork:
    """Fit a network on the windows that end at `rows`; truth: 0 or 1 by row of the panel, (n,).

    The scaler sees the rows of these windows only. after_epoch: called with the number of epochs done.
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(settings.seed)
    scaler = fit_scaler(panel, rows, settings.window)
    scaled = tf.constant(scaled_features(scaler, panel))
    network = build(settings, len(panel.names))
    found = FittedNetwork(settings, scaler, network)
    batch_size = min(settings.batch_size, len(rows))
    total = len(rows) // batch_size * settings.epochs
    warm_up = min(_WARM_UP, total // 5 + 1)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(total - warm_up, 1), alpha=0.02, warmup_target=settings.learning_rate, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.Adam(
        schedule, use_ema=True, ema_momentum=1.0 - 1.0 / min(_AVERAGED, max(total // 10, 1)), clipnorm=1.0
    )
    network.compile(optimizer, "binary_crossentropy", jit_compile=False)
    offsets = tf.range(-settings.window + 1, 1)
    batches = (
        tf.data.Dataset.from_tensor_slices((rows.astype(np.int32), truth[rows]))
        .shuffle(len(rows), seed=settings.seed)
        .batch(batch_size, drop_remainder=True)
        .map(lambda row, y: (tf.gather(scaled, row[:, None] + offsets), y[:, None]), num_parallel_calls=1)
        .prefetch(2)
    )
    callbacks = []
    if after_epoch is not None:
        callbacks.append(keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: after_epoch(epoch + 1, found)))
    # At its end, fit puts the averaged weights in place.
    network.fit(batches, epochs=settings.epochs, verbose=0, callbacks=callbacks, shuffle=False)
    return found


def fit_scaler(panel: Panel, rows: Rows, window: int) -> StandardScaler:
    """A scaler of the bars in the windows that end at `rows`. Each bar counts once."""
    inside = np.zeros(len(panel) + 1, np.int64)
    np.add.at(inside, rows - window + 1, 1)
    np.add.at(inside, rows + 1, -1)
    return StandardScaler().fit(panel.features[np.cumsum(inside[:-1]) > 0])


def scaled_features(scaler: StandardScaler, panel: Panel) -> NDArray[np.float32]:
    """The scaled features of all rows, float32 (n, features); 0 where a row has none."""
    scaled: NDArray[np.float32] = np.nan_to_num(scaler.transform(panel.features).astype(np.float32))
    return scaled


def windows(scaled: NDArray[np.float32], rows: Rows, window: int) -> NDArray[np.float32]:
    """The windows that end at these rows: (len(rows), window, features), oldest step first."""
    found: NDArray[np.float32] = scaled[rows[:, None] + np.arange(-window + 1, 1)]
    return found


def temper(network: Any, temperature: float) -> None:  # noqa: ANN401 - Keras has no types
    """Divide the logits of a network by the temperature, in the weights of its last layer."""
    last = network.layers[-1]
    last.set_weights([values / temperature for values in last.get_weights()])
