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
# A detector stops once its validation loss has not fallen for PATIENCE epochs. The loss of a part with 16 swing points
# is noisy, so that takes long.
MAX_EPOCHS = 80
PATIENCE = 20


def make_reproducible() -> None:
    """Same scores from the same machine. To be called once, before TensorFlow runs anything."""
    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_inter_op_parallelism_threads(1)


def balanced(truth: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights under which both classes of `reference` count alike, one for each of `truth`; their mean is about 1."""
    share = float(reference.mean())
    return np.where(truth == 1.0, 0.5 / share, 0.5 / (1.0 - share)).astype(np.float32)


def fit(network: Any, train: Examples, validation: Examples, epochs: int) -> tuple[int, int]:  # noqa: ANN401 - tf_keras has no types
    """Train in place, leave the weights of the lowest validation loss; returns epochs run, and which it was (from 1).

    Binary cross-entropy, the classes balanced by weights; the validation part is weighted like the training part,
    else its loss would favour a network that never sees the rare class.
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
