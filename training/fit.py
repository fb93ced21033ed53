"""Fitting one network."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from training.dataset import Examples

# Chosen by hand on the validation part; nothing was chosen on the test part.
BATCH_SIZE = 128
LEARNING_RATE = 3e-3
# Training stops once the validation loss has not fallen for PATIENCE epochs. That number is high, because the loss of a
# part with 16 swing points is noisy.
MAX_EPOCHS = 80
PATIENCE = 20


def make_reproducible() -> None:
    """Make repeated runs on one machine give the same scores. Call it once, before TensorFlow runs anything."""
    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_inter_op_parallelism_threads(1)


def balanced(truth: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float32]:
    """A weight for each of `truth`, so that both classes of `reference` have the same total. The mean is about 1."""
    share = float(reference.mean())
    return np.where(truth == 1.0, 0.5 / share, 0.5 / (1.0 - share)).astype(np.float32)


def fit(network: Any, train: Examples, validation: Examples, epochs: int) -> tuple[int, int]:  # noqa: ANN401 - tf_keras has no types
    """Train in place and keep the weights with the lowest validation loss.

    Returns the number of epochs run, and the epoch of the kept weights (from 1). The loss is binary cross-entropy with
    balanced classes. The validation part has the weights of the training part; otherwise its loss would favour a
    network that never predicts the rare class.
    """
    network.compile(optimizer=tf_keras.optimizers.Adam(LEARNING_RATE), loss="binary_crossentropy", weighted_metrics=[])
    stop = tf_keras.callbacks.EarlyStopping(monitor="val_loss", patience=PATIENCE, restore_best_weights=True)
    past = network.fit(
        train.x,
        train.y,
        sample_weight=balanced(train.y, train.y),
        validation_data=(validation.x, validation.y, balanced(validation.y, train.y)),
        batch_size=BATCH_SIZE,
        epochs=epochs,
        callbacks=[stop],
        verbose=2,
    )
    losses = past.history["val_loss"]
    return len(losses), int(np.argmin(losses)) + 1


def predict(network: Any, x: NDArray[np.float32]) -> NDArray[np.float32]:  # noqa: ANN401 - tf_keras has no types
    """Probabilities, shape (n,)."""
    answer: NDArray[np.float32] = network.predict(x, batch_size=512, verbose=0)
    return answer[:, 0]
