"""A folder of small source files, like those of users: two versions that share Stage 2."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from tests.convert import helpers

STEPS = 5
FEATURES = {
    "selected_features.json": ["close", "sma_20", "rsi_14"],
    "profitable_selected_features.json": ["sma_20", "macd", "atr_14", "stoch_k"],
}
SCALERS = {"feature_scaler.pkl": 3, "profitable_feature_scaler.pkl": 4}
MODELS = {
    "reversal_detector_stage1.h5": 3,
    "profitable_reversal_detector_stage1.h5": 4,
    "direction_classifier_stage2.h5": 3,
}
VERSIONS = """\
order = ["v3.1", "v3.0"]

[versions."v3.1"]
name = "Profitable Reversal Detector"
description = "One stage of its own, one shared."
threshold = 0.5

[versions."v3.1".stage1]
model = "profitable_reversal_detector_stage1.h5"
scaler = "profitable_feature_scaler.pkl"
features = "profitable_selected_features.json"
metadata = "profitable_stage1_metadata.json"

[versions."v3.1".stage2]
model = "direction_classifier_stage2.h5"
scaler = "feature_scaler.pkl"
features = "selected_features.json"
positive = "short"

[versions."v3.0"]
name = "Swing Point Detector"
threshold = 0.2
confidence_weights = [0.25, 0.75]

[versions."v3.0".stage1]
model = "reversal_detector_stage1.h5"
features = "selected_features.json"
scaler = "feature_scaler.pkl"

[versions."v3.0".stage2]
model = "direction_classifier_stage2.h5"
scaler = "feature_scaler.pkl"
features = "selected_features.json"
positive = "short"
"""


@pytest.fixture(scope="session")
def _sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras")
    layers = helpers.framework("tf_keras").layers
    for seed, (name, features) in enumerate(MODELS.items()):
        model = helpers.framework("tf_keras").Sequential(
            [
                layers.Input((STEPS, features)),
                layers.LSTM(4, return_sequences=True),
                layers.Dropout(0.2),
                layers.LSTM(3),
                layers.Dense(1, activation="sigmoid"),
            ]
        )
        helpers.save(helpers.randomised(model, seed), folder / name)
    rng = np.random.default_rng(5)
    for name, features in SCALERS.items():
        rows = 1.1 + rng.standard_normal((200, features)) * np.logspace(-3, 1, features)
        (folder / name).write_bytes(pickle.dumps(StandardScaler().fit(rows)))
    for name, features_named in FEATURES.items():
        (folder / name).write_text(json.dumps({"features": features_named}))
    (folder / "profitable_stage1_metadata.json").write_text(json.dumps({"metrics": {"auc": 0.51}, "seed": 1}))
    (folder / "versions.toml").write_text(VERSIONS)
    return folder


@pytest.fixture
def source(_sources: Path, tmp_path: Path) -> Path:
    """A copy that a test can change."""
    return Path(shutil.copytree(_sources, tmp_path / "source"))
