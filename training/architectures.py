"""The two networks, with the layers of the users' detectors."""

from __future__ import annotations

from typing import Any

from tf_keras import Sequential
from tf_keras.layers import LSTM, Dense, Dropout, Input
from tf_keras.regularizers import L2


def reversal_detector(sequence_length: int, num_features: int) -> Any:  # noqa: ANN401 - tf_keras has no types
    """Stage 1: P(reversal). Float32 (batch, sequence_length, num_features) -> (batch, 1)."""
    l2 = L2(1e-4)
    return Sequential(
        [
            Input((sequence_length, num_features)),
            LSTM(64, return_sequences=True, kernel_regularizer=l2),
            Dropout(0.2),
            LSTM(32, kernel_regularizer=l2),
            Dropout(0.2),
            Dense(32, activation="relu", kernel_regularizer=l2),
            Dropout(0.1),
            Dense(16, activation="relu", kernel_regularizer=l2),
            Dense(1, activation="sigmoid"),
        ],
        name="reversal_detector",
    )


def direction_classifier(sequence_length: int, num_features: int) -> Any:  # noqa: ANN401 - tf_keras has no types
    """Stage 2: P(short), given a reversal. Float32 (batch, sequence_length, num_features) -> (batch, 1)."""
    return Sequential(
        [
            Input((sequence_length, num_features)),
            LSTM(48, return_sequences=True),
            Dropout(0.3),
            LSTM(24),
            Dropout(0.3),
            Dense(16, activation="relu"),
            Dense(1, activation="sigmoid"),
        ],
        name="direction_classifier",
    )
