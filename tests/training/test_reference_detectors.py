"""The committed detectors: their files, their scores, and that each gives every signal."""

from __future__ import annotations

import hashlib
import json
import pickle
import tomllib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tf_keras
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from core.features.indicators import Indicators
from lab.history import History
from training import fit, recipes, trainer
from training.__main__ import HISTORY
from training.dataset import fit_scaler, windows
from training.recipes import Recipe
from training.volatility import daily_share

KERAS = Path(__file__).parents[2] / "models" / "keras"
FILES = {
    *("reversal_detector_stage1.h5", "feature_scaler.pkl", "selected_features.json", "stage1_metadata.json"),
    *("profitable_reversal_detector_stage1.h5", "profitable_feature_scaler.pkl", "profitable_selected_features.json"),
    *("profitable_stage1_metadata.json", "direction_classifier_stage2.h5", "stage2_metadata.json", "versions.toml"),
    *("stage1_background.npy", "profitable_stage1_background.npy", "stage2_background.npy"),
    *("scale_free_detector_stage1.keras", "scale_free_feature_scaler.pkl", "scale_free_stage1_features.json"),
    *("scale_free_stage1_metadata.json", "scale_free_stage1_background.npy", "scale_free_direction_stage2.txt"),
    *("scale_free_stage2_features.json", "scale_free_stage2_metadata.json", "scale_free_stage2_background.npy"),
}
VERSIONS = tomllib.loads((KERAS / "versions.toml").read_text())


def scaler(file: str) -> StandardScaler:
    return pickle.loads((KERAS / file).read_bytes())  # noqa: S301 - a file of this repository


def network(file: str) -> Any:  # noqa: ANN401 - tf_keras has no types
    return tf_keras.models.load_model(KERAS / file, compile=False)


def probability(stage: dict[str, str], part: History) -> NDArray[np.float32]:
    """The outputs of one stage of versions.toml for every window of a part."""
    names = json.loads((KERAS / stage["features"]).read_text())["features"]
    return fit.predict(network(stage["model"]), windows(part.candles, names, scaler(stage["scaler"])))


@pytest.fixture(scope="module", params=["swing", "direction", "profitable"])
def recipe(request: pytest.FixtureRequest, parts: dict[str, History]) -> Recipe:
    known = {
        "swing": recipes.SWING,
        "direction": recipes.DIRECTION,
        "profitable": recipes.profitable(daily_share(parts["train"])),
    }
    return known[request.param]


@pytest.fixture(scope="module")
def metadata(recipe: Recipe) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((KERAS / recipe.metadata_file).read_text())
    return found


def test_the_folder_holds_only_the_listed_files() -> None:
    assert {path.name for path in KERAS.iterdir()} == FILES


def test_networks_are_in_the_legacy_format_of_keras_2(recipe: Recipe) -> None:
    file = KERAS / recipe.model_file
    with h5py.File(file) as content:
        assert content.attrs["keras_version"].startswith("2.")
        assert "model_config" in content.attrs
    assert file.stat().st_size < 2**20


def test_networks_load_with_the_users_number_of_parameters(recipe: Recipe) -> None:
    expected = 19_137 if recipe is recipes.DIRECTION else 33_729
    assert network(recipe.model_file).count_params() == expected


def test_feature_lists_are_those_of_the_recipes(recipe: Recipe) -> None:
    listed = json.loads((KERAS / recipe.inputs.features_file).read_text())
    assert listed == {"features": list(recipe.inputs.names)}


def test_a_swing_move_is_about_two_mean_hourly_ranges(parts: dict[str, History]) -> None:
    candles = parts["train"].candles
    pips = Indicators(candles, len(candles)).true_range().mean() / 1e-4
    assert pips == pytest.approx(14.3, abs=0.1)
    assert recipes.SWING_RULE.keywords["min_move_pips"] == pytest.approx(2 * pips, rel=0.1)


def test_scalers_are_fitted_on_the_training_part(recipe: Recipe, parts: dict[str, History]) -> None:
    found, refitted = scaler(recipe.inputs.scaler_file), fit_scaler(parts["train"].candles, recipe.inputs.names)
    assert found.n_samples_seen_ == refitted.n_samples_seen_
    assert found.mean_ == pytest.approx(refitted.mean_, rel=1e-9)
    assert found.scale_ == pytest.approx(refitted.scale_, rel=1e-9)
    assert not hasattr(found, "feature_names_in_")


def test_metadata_names_data_and_labels(metadata: dict[str, Any], recipe: Recipe, parts: dict[str, History]) -> None:
    trained_on = metadata["trained_on"]
    assert trained_on["file"] == HISTORY.name
    assert trained_on["sha256"] == hashlib.sha256(HISTORY.read_bytes()).hexdigest()
    assert {name: span["bars"] for name, span in trained_on["parts"].items()} == {n: len(p) for n, p in parts.items()}
    assert trained_on["parts"]["test"]["first"] == f"{parts['test'].timestamps[0]}Z"
    assert metadata["label"] == {"rule": recipe.rule.func.__name__, **recipe.rule.keywords, **recipe.measured}
    assert metadata["threshold"] == recipe.threshold
    if recipe.measured:
        label = metadata["label"]
        assert label["min_profit_pips"] == pytest.approx(30 * label["daily_share"])
        assert label["max_loss_pips"] == pytest.approx(50 * label["daily_share"])


def test_ranges_are_those_of_the_training_part(
    metadata: dict[str, Any], recipe: Recipe, parts: dict[str, History]
) -> None:
    fitted = scaler(recipe.inputs.scaler_file)
    x = windows(parts["train"].candles, recipe.inputs.names, fitted)
    for i, name in enumerate(recipe.inputs.names):
        assert metadata["scaled_ranges"][name] == pytest.approx([x[..., i].min(), x[..., i].max()], abs=1e-5)


def test_windows_to_compare_with_are_those_of_the_training_part(
    metadata: dict[str, Any], recipe: Recipe, parts: dict[str, History]
) -> None:
    x = trainer.examples(recipe, scaler(recipe.inputs.scaler_file), parts)["train"].x
    assert np.array(metadata["background_window"]) == pytest.approx(x.mean(axis=0, dtype=np.float64), abs=1e-6)
    stored = np.load(KERAS / recipe.background_file)
    assert stored.shape == (50, 20, 12)
    assert stored == pytest.approx(x[np.linspace(0, len(x) - 1, 50).round().astype(int)], abs=1e-6)
    bundle = json.loads((KERAS.parent / "onnx" / "v3.1" / "manifest.json").read_text())
    if recipe is not recipes.SWING:  # a stage of v3.1
        stage = bundle["stage2" if recipe is recipes.DIRECTION else "stage1"]
        assert stage["background"] == metadata["background_window"]
        published = KERAS.parent / "onnx" / "v3.1" / stage["background_windows"]["file"]
        assert np.array_equal(np.load(published), stored)


def test_scores_are_those_of_the_committed_network(
    metadata: dict[str, Any], recipe: Recipe, parts: dict[str, History]
) -> None:
    fitted = scaler(recipe.inputs.scaler_file)
    test = trainer.examples(recipe, fitted, parts)["test"]
    measured = trainer.evaluate(recipe, network(recipe.model_file), fitted, test)
    # A single window with another decision changes a score by 1e-3 or more; another processor changes the AUC by 1e-5.
    assert metadata["metrics"] == pytest.approx(measured, abs=1e-4)


def test_versions_name_the_files_and_thresholds_of_the_recipes() -> None:
    assert VERSIONS["order"] == ["v3.2", "v3.1", "v3.0"]
    stage2 = {**part(recipes.DIRECTION), "positive": "short"}
    versions = VERSIONS["versions"]
    assert versions["v3.0"]["stage1"] == part(recipes.SWING)
    assert versions["v3.1"]["stage1"] == part(recipes.profitable(1.0))
    assert versions["v3.0"]["stage2"] == versions["v3.1"]["stage2"] == stage2
    assert versions["v3.0"]["threshold"] == recipes.SWING.threshold == 0.2
    assert versions["v3.1"]["threshold"] == recipes.profitable(1.0).threshold == 0.5


def part(recipe: Recipe) -> dict[str, str]:
    """A stage's table in versions.toml."""
    return {
        "model": recipe.model_file,
        "scaler": recipe.inputs.scaler_file,
        "features": recipe.inputs.features_file,
        "metadata": recipe.metadata_file,
        "background": recipe.background_file,
    }


@pytest.mark.parametrize("version", ["v3.0", "v3.1"])
def test_each_version_gives_each_signal_on_3_percent_of_the_test_windows(
    version: str, parts: dict[str, History]
) -> None:
    described = VERSIONS["versions"][version]
    reversal = probability(described["stage1"], parts["test"]) >= np.float32(described["threshold"])
    short = probability(described["stage2"], parts["test"]) > np.float32(0.5)
    shares = {"hold": ~reversal, "long": reversal & ~short, "short": reversal & short}
    assert len(reversal) == len(short) == 820
    assert {signal: share.mean() for signal, share in shares.items() if share.mean() < 0.03} == {}
