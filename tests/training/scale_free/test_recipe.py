"""v3.2's recipe on a part of the real data, and the committed files against the data that they name."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import lightgbm
import numpy as np
import pytest

from core.features.catalogue import required_candles
from core.features.labels import LONG, NONE, SHORT
from lab import calibration, history, networks, scores, splits
from lab.history import BROKER_FILES, History
from lab.labels import TRADES_3_ATR
from training.scale_free import files, metrics, recipe
from training.scale_free.recipe import STAGE1, STAGE1_NAMES, STAGE2_NAMES, THRESHOLD, Material

KERAS = Path(__file__).parents[3] / "models" / "keras"


def committed(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((KERAS / f"scale_free_{name}_metadata.json").read_text())
    return found


@pytest.fixture(scope="module")
def some() -> list[History]:
    """The last years of two pairs, of which v3.2 leaves one out in its second training."""
    chosen = [each for each in history.read_all() if each.pair in {"USD/CHF", "EUR/GBP"}]
    return [each.part(slice(-9_000 - 6_200, None)) for each in chosen]


@pytest.fixture(scope="module")
def given(some: list[History]) -> Material:
    return recipe.material(some)


def test_the_backends_hundred_candles_are_what_stage_one_needs() -> None:
    assert required_candles(STAGE1_NAMES, STAGE1.window) == 100
    assert required_candles(STAGE2_NAMES, 1) <= 100


def test_a_training_writes_what_convert_reads(given: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = STAGE1._replace(epochs=1, width=4)
    monkeypatch.setattr(recipe, "STAGE1", quick)
    monkeypatch.setattr(metrics, "ON_WINDOW", metrics.ON_LAST_BAR)
    monkeypatch.setattr(recipe, "PRECISION", 0.2)
    detector = recipe.train(given)
    without = recipe.train(given, ["USD/CHF"])
    monkeypatch.setattr(splits, "LEFT_OUT", ("USD/CHF",))
    found = files.write(detector, without, given, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        path.name for path in KERAS.iterdir() if path.name.startswith("scale_free_")
    }
    network = keras.models.load_model(tmp_path / "scale_free_detector_stage1.keras", compile=False)
    panel = given.stage1
    rows = given.rows(splits.expanding(panel, 2020).test)
    windows = networks.windows(networks.scaled_features(detector.stage1.scaler, panel), rows, STAGE1.window)
    probability = network.predict(windows, batch_size=512, verbose=0)[:, 0]
    # The temperature is in the weights, and the scores are those of the written network.
    assert calibration.sigmoid(detector.stage1.logits(panel, rows)) == pytest.approx(probability, abs=1e-5)
    assert found["2020"]["auc"][0] == round(scores.auc(panel.opportunity[rows], probability), 4)
    assert found["2020"]["auc"][1] < found["2020"]["auc"][0] < found["2020"]["auc"][2]
    written = json.loads((tmp_path / "scale_free_stage1_metadata.json").read_text())
    assert np.load(tmp_path / "scale_free_stage1_background.npy").shape == (50, STAGE1.window, len(STAGE1_NAMES))
    assert np.array(written["background_window"]).shape == (STAGE1.window, len(STAGE1_NAMES))
    train = given.rows(splits.expanding(panel, 2020).train)
    seen = networks.windows(networks.scaled_features(detector.stage1.scaler, panel), train, STAGE1.window)
    assert np.array(written["background_window"]) == pytest.approx(seen.mean(axis=0), abs=1e-4)
    for name, column in zip(STAGE1_NAMES, seen.reshape(-1, len(STAGE1_NAMES)).T, strict=True):
        assert written["scaled_ranges"][name] == pytest.approx([column.min(), column.max()], abs=1e-5)


def test_no_label_of_training_or_validation_needs_a_bar_of_the_next_part(given: Material) -> None:
    """The bars of the untouched year are replaced by others; nothing that training sees changes."""
    split = splits.expanding(given.stage1, splits.UNTOUCHED)
    other = []
    for each in given.histories:
        rows = each.rows.copy()
        later = each.timestamps >= np.datetime64(f"{splits.UNTOUCHED}-01-01")
        rows[later, :4] = rows[later, :4] * 1.5 + np.random.default_rng(1).uniform(0, 0.1, later.sum())[:, None]
        rows[later, 1], rows[later, 2] = rows[later, :4].max(axis=1), rows[later, :4].min(axis=1)
        other.append(replace(each, rows=rows))
    changed = recipe.material(other)
    for part in (split.train, split.validation):
        assert np.array_equal(given.rows(part), changed.rows(part))
        assert np.array_equal(given.directions(part), changed.directions(part))
        for before, after in ((given.stage1, changed.stage1), (given.stage2, changed.stage2)):
            assert np.array_equal(before.labels[part], after.labels[part])
            assert np.array_equal(before.features[part], after.features[part], equal_nan=True)
    test = split.test
    assert not np.array_equal(given.stage1.labels[test], changed.stage1.labels[test])


def test_stage_two_learns_from_bars_with_a_direction_only(given: Material) -> None:
    rows = given.directions(np.ones(len(given.stage2), np.bool_))
    assert {LONG, SHORT} == set(given.stage2.labels[rows].tolist())
    assert NONE in given.stage2.labels


def test_the_committed_files_are_of_the_committed_data_and_recipe() -> None:
    for name, names in (("stage1", STAGE1_NAMES), ("stage2", STAGE2_NAMES)):
        metadata = committed(name)
        assert json.loads((KERAS / f"scale_free_{name}_features.json").read_text()) == {"features": list(names)}
        assert metadata["label"] == TRADES_3_ATR.values
        listed = {file: each["sha256"] for file, each in metadata["trained_on"]["files"].items()}
        there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in BROKER_FILES.glob("*.gz")}
        assert listed == there
        assert list(metadata["trained_on"]["parts"]) == ["train", "validation", "test"]
        assert metadata["trained_on"]["parts"]["train"]["last"] < "2019-01-01"
        assert metadata["trained_on"]["parts"]["test"]["first"].startswith("2020-01-0")
    versions = tomllib.loads((KERAS / "versions.toml").read_text())
    assert versions["versions"]["v3.2"]["threshold"] == committed("stage1")["threshold"] == THRESHOLD


def test_the_committed_scores_are_those_of_the_committed_files() -> None:
    """On the untouched year of three pairs: the AUC by pair in the metadata, computed again from the files."""
    chosen = [each for each in history.read_all() if each.pair in {"AUD/JPY", "EUR/GBP", "USD/CHF"}]
    given = recipe.material([each.part(slice(-6_600, None)) for each in chosen])
    network = keras.models.load_model(KERAS / "scale_free_detector_stage1.keras", compile=False)
    panel, test = given.stage1, splits.expanding(given.stage1, splits.UNTOUCHED).test
    rows = given.rows(test)
    scaled = networks.scaled_features(files.read_scaler(KERAS), panel)
    probability = network.predict(networks.windows(scaled, rows, STAGE1.window), batch_size=512, verbose=0)[:, 0]
    found = scores.by_group(panel.opportunity[rows], probability, panel.pair[rows], panel.pairs)
    by_pair = committed("stage1")["metrics"]["2020"]["auc_by_pair"]
    assert found == pytest.approx({pair: by_pair[pair] for pair in found}, abs=2e-4)
    booster = lightgbm.Booster(model_file=str(KERAS / "scale_free_direction_stage2.txt"))
    directions = given.directions(test)
    logit = np.asarray(booster.predict(given.stage2.features[directions], raw_score=True))
    found = scores.by_group(given.stage2.short[directions], logit, given.stage2.pair[directions], given.stage2.pairs)
    by_pair = committed("stage2")["metrics"]["2020"]["auc_by_pair"]
    assert found == pytest.approx({pair: by_pair[pair] for pair in found}, abs=2e-4)


def test_the_committed_detector_reaches_what_was_asked_of_it() -> None:
    metrics_of = committed("stage1")["metrics"]
    untouched = metrics_of["2020"]
    assert untouched["auc"][0] >= 0.61
    assert min(untouched["auc_by_pair"].values()) >= 0.54
    assert untouched["expected_calibration_error"] <= 0.03
    assert all(each["stage1_is_better_by"][1] > 0 for each in list(metrics_of["baselines"].values())[1:])
