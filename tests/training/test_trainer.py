"""The trainer from end to end, on few bars and for one epoch, and its command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tf_keras

from lab.history import History
from training import files, recipes, trainer
from training.fit import balanced
from training.trainer import Trained

# Enough for a swing low and a swing high in each part.
BARS = slice(1500)


@pytest.fixture(scope="module")
def trained(history: History) -> list[Trained]:
    return trainer.train(history.part(BARS), epochs=1)


def test_training_writes_only_the_listed_files(trained: list[Trained], tmp_path: Path) -> None:
    files.write(trained, tmp_path / "keras")
    files.write_versions(tmp_path / "keras")
    assert sorted(path.name for path in (tmp_path / "keras").iterdir()) == [
        "direction_classifier_stage2.h5",
        "feature_scaler.pkl",
        "profitable_feature_scaler.pkl",
        "profitable_reversal_detector_stage1.h5",
        "profitable_selected_features.json",
        "profitable_stage1_background.npy",
        "profitable_stage1_metadata.json",
        "reversal_detector_stage1.h5",
        "selected_features.json",
        "stage1_background.npy",
        "stage1_metadata.json",
        "stage2_background.npy",
        "stage2_metadata.json",
        "versions.toml",
    ]
    for one in trained:
        written = tf_keras.models.load_model(tmp_path / "keras" / one.recipe.model_file, compile=False)
        for found, fitted in zip(written.get_weights(), one.network.get_weights(), strict=True):
            assert np.array_equal(found, fitted)
        described = json.loads((tmp_path / "keras" / one.recipe.metadata_file).read_text())
        assert described["trained_on"]["bars"] == 1500
        assert described["training"]["kept_epoch"] == 1


def test_training_changes_the_weights(trained: list[Trained]) -> None:
    for one in trained:
        tf_keras.utils.set_random_seed(trainer.SEED)
        fresh = one.recipe.build(20, 12).get_weights()
        assert not any(np.array_equal(a, b) for a, b in zip(fresh, one.network.get_weights(), strict=True))


# `make test` repeats only the first recipe, because the others differ from it only in their examples.
@pytest.mark.parametrize("count", [1, pytest.param(3, marks=pytest.mark.long)])
def test_training_again_gives_the_same_networks_and_scores(
    trained: list[Trained], history: History, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = trainer._train  # noqa: SLF001
    kept = [one.recipe.model_file for one in trained[:count]]
    monkeypatch.setattr(trainer, "_train", lambda recipe, *rest: recipe.model_file in kept and train(recipe, *rest))
    again_trained = [one for one in trainer.train(history.part(BARS), epochs=1) if one]
    for first, again in zip(trained[:count], again_trained, strict=True):
        for a, b in zip(first.network.get_weights(), again.network.get_weights(), strict=True):
            assert a == pytest.approx(b, abs=1e-4)
        assert first.metadata["metrics"] == pytest.approx(again.metadata["metrics"], abs=1e-3)


def test_stage2_shares_the_scaler_of_v30(trained: list[Trained]) -> None:
    swing, direction, profitable = trained
    assert (swing.recipe, direction.recipe) == (recipes.SWING, recipes.DIRECTION)
    assert np.array_equal(swing.scaler.mean_, direction.scaler.mean_)
    assert not np.array_equal(swing.scaler.mean_, profitable.scaler.mean_)


def test_weights_give_both_classes_the_same_total() -> None:
    truth = np.array([1, 0, 0, 0], dtype=np.float32)
    assert balanced(truth, truth).tolist() == pytest.approx([2.0, 2 / 3, 2 / 3, 2 / 3])
    assert balanced(np.array([0, 1], dtype=np.float32), truth).tolist() == pytest.approx([2 / 3, 2.0])


def test_command_refuses_bad_data_in_one_line_and_writes_nothing(tmp_path: Path) -> None:
    bad = tmp_path / "bars.csv"
    bad.write_text("time,close\n")
    command = [sys.executable, "-m", "training", "--data", str(bad), "--output", str(tmp_path / "out")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert ended.returncode == 2
    (error,) = [line for line in ended.stderr.splitlines() if "error: " in line]
    assert "bars.csv: the header is ['time', 'close'], expected ['timestamp'," in error
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "out").exists()
