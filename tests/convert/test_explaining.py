"""`--explain`: each kind of file, its exit code and width, and that TensorFlow is not needed."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from convert.__main__ import main
from tests.convert import helpers
from tests.convert.edits import edited, of_class
from tests.convert.trees import boosted
from tests.market import ROOT

DETECTORS = ROOT / "models" / "keras"
MODEL, SCALER, FEATURES = "reversal_detector_stage1.h5", "feature_scaler.pkl", "selected_features.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (MODEL, SCALER, FEATURES):
        shutil.copy(DETECTORS / name, tmp_path / name)
    return tmp_path


def explained(capsys: pytest.CaptureFixture[str], *paths: Path) -> tuple[int, str]:
    code = main(["--explain", *map(str, paths)])
    shown = capsys.readouterr()
    assert not shown.err
    too_long = [each for each in shown.out.splitlines() if len(each) > 80 and not each.startswith('{"features"')]
    assert not too_long
    return code, shown.out


def words(text: str) -> str:
    return " ".join(text.split())


def test_model_is_described_with_a_block_for_versions_toml(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = explained(capsys, folder / MODEL, folder / SCALER, folder / FEATURES)
    assert code == 0
    text = words(shown)
    for part in (
        "a Keras model: HDF5, written by Keras 2.",
        "input: 20 steps, 12 features",
        "33,729 weights in ",
        "LSTM units=64, activation=tanh, return_sequences",
        "Dense units=1, activation=sigmoid",
        ": sigmoid will convert, by the table of layers",
        "a scaler: StandardScaler, written by scikit-learn",
        "fitted on 12 columns",
        "a feature list of 12 features: close, high, low",
    ):
        assert part in text
    block = tomllib.loads(shown[shown.index("order = ") :])
    stage = block["versions"]["v1"]["stage1"]
    assert stage == {"model": MODEL, "features": FEATURES, "scaler": SCALER}


def test_all_reasons_against_a_model_are_given(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def edit(config: dict[str, Any]) -> None:
        of_class(config, "Dropout").update(class_name="Lambda")
        of_class(config, "Dense").update(class_name="MyLayer")
        config["config"]["layers"][-1]["config"]["activation"] = "linear"

    edited(folder / MODEL, edit)
    (folder / FEATURES).write_text('["close"]')
    code, shown = explained(capsys, folder / MODEL, folder / FEATURES)
    assert code == 1
    text = words(shown)
    for part in ("2 layers cannot be converted", "a price regression?", f"takes 12 columns, but {FEATURES} names 1"):
        assert part in text
    assert "! " in shown
    assert "versions.toml" not in text


def test_scaler_with_names_gets_a_mapping(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scaler = StandardScaler().fit(np.random.default_rng(0).normal(size=(9, 3)))
    scaler.feature_names_in_ = np.array(["Close", "moving_avg_5", "secret"], dtype=object)
    (folder / SCALER).write_bytes(pickle.dumps(scaler))
    code, shown = explained(capsys, folder / SCALER)
    assert code == 0
    (offered,) = [each for each in shown.splitlines() if each.startswith('{"features"')]
    assert json.loads(offered.partition("}}")[0] + "}}") == {"features": {"close": "Close", "sma_5": "moving_avg_5"}}


def test_mapping_is_a_line_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["Close", *(f"Odd{'x' * i}" for i in range(10))]
    scaler = StandardScaler().fit(np.arange(22.0).reshape(2, 11))
    scaler.feature_names_in_ = np.array(names, dtype=object)
    (tmp_path / SCALER).write_bytes(pickle.dumps(scaler))
    code, shown = explained(capsys, tmp_path / SCALER)
    assert code == 0
    (pasted,) = [each for each in shown.splitlines() if each.startswith("{")]
    assert json.loads(pasted) == {"features": {"close": "Close"}}
    assert "none is near 'Odd', " in words(shown)
    assert "'Oddxxxxxxx' and 2 more" in words(shown)


@pytest.mark.parametrize(("kind", "options"), [("LeakyReLU", {"alpha": 0.3}), ("ReLU", {}), ("ELU", {"alpha": 1.0})])
def test_head_that_is_an_activation_layer_is_refused(
    kind: str, options: dict[str, float], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def edit(config: dict[str, Any]) -> None:
        last = {"class_name": kind, "config": {"name": "last", "trainable": True, "dtype": "float32", **options}}
        config["config"]["layers"].append(last)

    edited(folder / MODEL, edit)
    code, shown = explained(capsys, folder / MODEL)
    assert code == 1
    assert f"last: ends in a{'n' if kind == 'ELU' else ''} {kind} activation: a price regression?" in words(shown)


def test_model_with_several_inputs_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keras = helpers.framework("keras")
    windows = [keras.Input((20, 3)), keras.Input((20, 5))]
    y = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Concatenate()(windows)[:, -1])
    keras.Model(windows, y).save(tmp_path / "two.keras")
    code, shown = explained(capsys, tmp_path / "two.keras")
    assert code == 1
    text = words(shown)
    assert "will not convert: the model has 2 inputs, of the shapes (None, 20, 3), (None, 20, 5); a stage" in text
    assert "order = " not in text


def test_other_files_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "saved").mkdir()
    (folder / "saved" / "saved_model.pb").touch()
    (folder / "m.onnx").write_bytes(b"\x08\x08onnx")
    (folder / "arch.json").write_text('{"class_name": "Sequential", "config": []}')
    (folder / "names.json").write_text('["Close", "SMA 20"]')
    (folder / "evil.pkl").write_bytes(b"cos\nsystem\n.")
    expected = {
        "saved": "SavedModel",
        "m.onnx": "ONNX model",
        "arch.json": "model_from_json",
        "names.json": '"sma_20": "SMA 20"',
        "evil.pkl": "neither a Keras or LightGBM model, a scaler, nor a feature list",
        "missing.h5": "no such file",
    }
    code, shown = explained(capsys, *(folder / name for name in expected))
    assert code == 1
    text = words(shown)
    for part in expected.values():
        assert part in text, part


def test_metadata_and_versions_are_described(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "meta.json").write_text('{"metrics": {"auc": 0.5}, "seed": 1}')
    (folder / "versions.toml").write_text(
        f'order = ["v1"]\n[versions.v1]\nname = "One"\nthreshold = 0.5\n[versions.v1.stage1]\n'
        f'model = "{MODEL}"\nfeatures = "{FEATURES}"\nscaler = "{SCALER}"\n'
    )
    code, shown = explained(capsys, folder / "meta.json", folder / "versions.toml")
    assert code == 0
    assert "keys metrics, seed" in words(shown)
    assert "v1 (One): threshold 0.5, stage1" in words(shown)
    (folder / SCALER).unlink()
    assert explained(capsys, folder / "versions.toml")[0] == 1


def test_file_is_explained_in_a_pipe_without_tensorflow(folder: Path) -> None:
    script = (
        "import sys; from convert.__main__ import main; code = main(sys.argv[1:]);"
        "heavy = {'tensorflow', 'keras', 'tf_keras', 'onnxruntime', 'sklearn', 'h5py'} & sys.modules.keys();"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    command = [sys.executable, "-c", script, "--explain", str(folder / MODEL), str(folder / SCALER)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "will convert" in found.stdout


def test_hostile_texts_are_printable_and_bounded(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def edit(config: dict[str, Any]) -> None:
        for layer in config["config"]["layers"]:
            layer["config"]["name"] = "\x1b[2J" + "n" * 5_000
            layer["config"]["activation"] = "a" * 5_000

    edited(folder / MODEL, edit)
    code, shown = explained(capsys, folder / MODEL)
    assert code == 1
    assert "\x1b" not in shown
    assert len(shown) < 10_000


@pytest.mark.parametrize("name", ["pipe.json", "device.json", "versions.toml"])
def test_file_without_an_end_is_not_read(name: str, tmp_path: Path) -> None:
    if name == "device.json":
        (tmp_path / name).symlink_to("/dev/zero")
    else:
        os.mkfifo(tmp_path / name)
    command = [sys.executable, "-m", "convert", "--explain", str(tmp_path / name)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (found.returncode, found.stderr) == (1, "")
    assert "not a regular file" in words(found.stdout)


def test_huge_file_with_holes_is_refused_before_it_is_hashed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.truncate(folder / MODEL, 1 << 40)
    code, shown = explained(capsys, folder / MODEL)
    assert code == 1
    assert "larger than 1,024 MiB" in words(shown)


def test_tree_ensemble_is_described_and_fits_lists_of_its_features(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = boosted.train(5, names=boosted.NAMES)
    model, whole = boosted.save(trained, tmp_path / "last.txt"), tmp_path / "whole.txt"
    boosted.save(boosted.train(5, whole=True), whole)
    listed = tmp_path / "features.json"
    listed.write_text(json.dumps(boosted.NAMES))
    code, shown = explained(capsys, model, whole, listed)
    assert code == 0
    for part in (
        "a tree ensemble, written by LightGBM: 5 trees of 75 leaves, up to ",
        "objective binary, so the answer is a sigmoid",
        "takes 4 columns: as many features (the last step of a window), or that of all steps",
        "columns: rsi_14, macd, stoch_k, close will convert, from its trees, if its graph proves equal",
        "takes 20 columns",
    ):
        assert part in words(shown)
    assert tomllib.loads(shown[shown.index("order = ") : shown.rindex("versions.toml, in")])
    listed.write_text('["close", "rsi_14", "macd"]')
    code, shown = explained(capsys, model, listed)
    assert (code, "takes 4 columns, but features.json names 3" in words(shown)) == (1, True)
    (tmp_path / "dump.json").write_text(json.dumps(trained.dump_model()))
    (tmp_path / "pickled.pkl").write_bytes(pickle.dumps(trained))
    code, shown = explained(capsys, tmp_path / "dump.json", tmp_path / "pickled.pkl")
    assert (code, words(shown).count("save_model('model.txt')")) == (1, 3)
