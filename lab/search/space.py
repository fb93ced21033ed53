"""The values that a trial of each kind chooses from."""

from __future__ import annotations

from typing import TypeAlias

from optuna import Trial

from lab.networks import NetworkSettings
from lab.search.candidates import MEAN, NETWORKS, PARTS, TREES, Candidate
from lab.trees import TreeSettings

# The network in the mean of both kinds: the quickest one.
MEMBER = "tcn"
WINDOWS = (24, 40, 60, 86, 120)
# Rows of engineered features have a memory of their own; 120 of them would be 4,000 columns for the trees.
_FEW_ROWS = (1, 4, 12)
Seed: TypeAlias = int


def suggest(trial: Trial, kind: str, seed: Seed) -> Candidate:
    """The candidate of a trial. Every kind has the same number of epochs, and the same choice of features."""
    features = trial.suggest_categorical("features", ("bar", "bar_clock", "engineered", "engineered_clock"))
    network = _network(trial, kind if kind in NETWORKS else MEMBER, seed) if kind != TREES else None
    ensemble = _trees(trial, seed, engineered=features.startswith("engineered")) if kind in {TREES, MEAN} else None
    return Candidate(features, network, ensemble)


def _network(trial: Trial, kind: str, seed: Seed) -> NetworkSettings:
    convolutions = kind == "tcn"
    return NetworkSettings(
        kind,
        window=trial.suggest_categorical("window", WINDOWS),
        width=trial.suggest_categorical("width", (16, 32)),
        # Three strided convolutions are the most that a window of 24 bars has room for.
        depth=trial.suggest_int("depth", 1, 3 if convolutions else 2),
        dropout=trial.suggest_float("dropout", 0.0, 0.4, step=0.1),
        learning_rate=trial.suggest_float("learning_rate", 5e-4, 1e-2, log=True),
        epochs=PARTS,
        batch_size=trial.suggest_categorical("batch_size", (128, 256)),
        seed=seed,
    )


def _trees(trial: Trial, seed: Seed, *, engineered: bool) -> TreeSettings:
    window = (
        trial.suggest_categorical("rows_of_trees", _FEW_ROWS)
        if engineered
        else trial.suggest_categorical("window_of_trees", (1, *WINDOWS))
    )
    return TreeSettings(
        window=window,
        trees=trial.suggest_int("trees", 60, 300, step=60),
        leaves=trial.suggest_categorical("leaves", (7, 15, 31)),
        learning_rate=trial.suggest_float("tree_learning_rate", 0.02, 0.1, log=True),
        min_data_in_leaf=trial.suggest_categorical("min_data_in_leaf", (100, 400, 1000)),
        feature_fraction=trial.suggest_categorical("feature_fraction", (0.15, 0.5, 1.0)),
        l2=trial.suggest_categorical("l2", (0.0, 10.0)),
        seed=seed,
    )
