"""All problems of all versions, found together and without TensorFlow."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from convert import inspection
from convert.errors import ManyRefused, Problems, Refused
from convert.sources import versions
from tests.convert.edits import edited, of_class
from tests.market import ROOT

DETECTORS = ROOT / "models" / "keras"
FILES = {
    "one.h5": "reversal_detector_stage1.h5",
    "two.h5": "direction_classifier_stage2.h5",
    "scaler.pkl": "feature_scaler.pkl",
    "features.json": "selected_features.json",
}
VERSIONS = """\
order = ["a", "b"]
[versions.a]
name = "A"
threshold = 0.5
[versions.a.stage1]
model = "one.h5"
scaler = "scaler.pkl"
features = "features.json"
[versions.a.stage2]
model = "two.h5"
scaler = "scaler.pkl"
features = "features.json"
positive = "short"
[versions.b]
name = "B"
threshold = 0.5
[versions.b.stage1]
model = "two.h5"
features = "other.json"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, origin in FILES.items():
        shutil.copy(DETECTORS / origin, tmp_path / name)
    shutil.copy(tmp_path / "features.json", tmp_path / "other.json")
    (tmp_path / "versions.toml").write_text(VERSIONS)
    return tmp_path


def inspect(folder: Path) -> inspection.Inspected:
    return inspection.inspect(folder, versions.read(folder).versions)


def problems(folder: Path) -> list[str]:
    with pytest.raises(Refused) as refused:
        inspect(folder)
    return refused.value.messages if isinstance(refused.value, ManyRefused) else [str(refused.value)]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def unknown_layers(config: dict[str, Any]) -> None:
    for kind, name in (("Dropout", "Lambda"), ("Dense", "MyAttention")):
        of_class(config, kind)["class_name"] = name


def test_files_without_a_problem_are_read_once(folder: Path) -> None:
    found = inspect(folder)
    assert sorted(found.contents) == ["one.h5", "scaler.pkl", "two.h5"]
    assert {name: list(stages) for name, stages in found.stages.items()} == {"a": ["stage1", "stage2"], "b": ["stage1"]}


def test_problems_of_all_versions_are_found_together(folder: Path) -> None:
    edited(folder / "one.h5", unknown_layers)
    (folder / "scaler.pkl").write_bytes(b"junk")
    (folder / "other.json").write_text('["Close", "close"]')
    found = problems(folder)
    assert len(found) == 3
    assert any(each.startswith("a stage1: one.h5: 2 layers cannot be converted: ") for each in found)
    assert any(each.startswith("a stage1: scaler.pkl: ") and each.endswith("(also a stage2)") for each in found)
    assert any("other.json: the server cannot compute 'Close'" in each for each in found)


def test_scaler_has_the_columns_of_a_mapping(folder: Path) -> None:
    names = json.loads((folder / "features.json").read_text())["features"]
    columns = [f"My {name}" for name in names]
    scaler = StandardScaler().fit(np.random.default_rng(0).normal(size=(9, len(names))))
    scaler.feature_names_in_ = np.array(columns, dtype=object)
    (folder / "scaler.pkl").write_bytes(pickle.dumps(scaler))
    assert all("scaler.pkl: fitted on the column 'My " in each for each in problems(folder))
    (folder / "features.json").write_text(json.dumps({"features": dict(zip(names, columns, strict=True))}))
    found = inspect(folder).stages["a"]["stage1"]
    assert (found.features, found.column_names) == (tuple(names), tuple(columns))
    (folder / "features.json").write_text(json.dumps(dict(zip(names, reversed(columns), strict=True))))
    assert all("scaler.pkl: fitted on the column 'My " in each for each in problems(folder))
    edited(folder / "two.h5", unknown_layers)  # then only the record of the scaler is looked at
    assert any("fitted on the columns My " in each for each in problems(folder))


def width(folder: Path) -> str:
    (folder / "other.json").write_text('["close", "macd"]')
    return "b stage1: two.h5: takes windows of 12 features, but other.json names 2"


def scaler_width(folder: Path) -> str:
    (folder / "features.json").write_text('["close", "macd"]')
    return "a stage1: scaler.pkl: fitted on 12 features, the stage has 2"


def length(folder: Path) -> str:
    edit(folder / "versions.toml", 'features = "other.json"', 'features = "other.json"\nsequence_length = 9')
    return "b stage1: two.h5: sequence_length is 9, but the model's window is 20 steps long"


def open_length(folder: Path) -> str:
    def leave_open(config: dict[str, Any]) -> None:
        config["config"]["layers"][0]["config"]["batch_input_shape"] = [None, None, 12]

    edited(folder / "two.h5", leave_open)
    return "a stage2: two.h5: the model does not fix the length of the window; set `sequence_length`"


def regression(folder: Path) -> str:
    edited(folder / "two.h5", lambda config: config["config"]["layers"][-1]["config"].update(activation="linear"))
    return "ends in a linear activation: a price regression?"


def outputs(folder: Path) -> str:
    layers: list[dict[str, Any]] = [
        {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 20, 12]}}
    ]
    for name in ("first", "second"):
        head = {"class_name": "Dense", "name": name, "config": {"name": name, "units": 1, "activation": "sigmoid"}}
        layers.append({**head, "inbound_nodes": [[["in", 0, 0, {}]]]})
    ends = {"input_layers": [["in", 0, 0]], "output_layers": [["first", 0, 0], ["second", 0, 0]]}

    def two_heads(config: dict[str, Any]) -> None:
        config.update(class_name="Functional", config={"name": "model", "layers": layers, **ends})

    edited(folder / "two.h5", two_heads)
    return "two.h5: the model has 2 outputs; name one with `output`: first, second"


def nan(folder: Path) -> str:
    with h5py.File(folder / "two.h5", "r+") as file:
        file["model_weights/dense_1/dense_1/bias:0"][...] = np.nan
    return "two.h5: weights that are NaN or infinite, so the training failed: dense_1/dense_1/bias:0; "


def candles(folder: Path) -> str:
    names = json.loads((folder / "features.json").read_text())
    names = names["features"] if isinstance(names, dict) else names
    (folder / "other.json").write_text(json.dumps([*names[:-1], "sma_1990"]))
    return "b: the features and window need 2009 candles, but a request has at most 2000"


def missing(folder: Path) -> str:
    (folder / "two.h5").unlink()
    return "versions.toml: versions.\"b\".stage1.model: no file 'two.h5'"


def saved_model(folder: Path) -> str:
    (folder / "two.h5").unlink()
    (folder / "two.h5").mkdir()
    (folder / "two.h5" / "saved_model.pb").touch()
    return "'two.h5' is a TensorFlow SavedModel"


def both(folder: Path) -> str:
    edit(folder / "versions.toml", 'scaler = "scaler.pkl"', 'scaler = "one.h5"')
    return "one.h5: "


@pytest.mark.parametrize(
    "change",
    [width, scaler_width, length, open_length, regression, outputs, nan, candles, missing, saved_model, both],
)
def test_problem_is_found(change: Callable[[Path], str], folder: Path) -> None:
    words = change(folder)
    assert any(words in each for each in problems(folder)), problems(folder)


def test_command_shows_all_problems_and_never_imports_tensorflow(folder: Path) -> None:
    edited(folder / "one.h5", unknown_layers)
    width(folder)
    script = (
        "import sys; from convert.__main__ import main; code = main(sys.argv[1:]);"
        "heavy = {'tensorflow', 'keras', 'tf_keras', 'onnxruntime'} & sys.modules.keys();"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    command = [sys.executable, "-c", script, "--source", str(folder), "--output", str(folder / "out")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 1, found.stderr
    lines = found.stderr.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("error: a stage1: one.h5: ")
    assert lines[1].startswith("error: b stage1: two.h5: takes ")
    assert lines[2] == "2 problems; nothing was published"
    assert not (folder / "out").exists()


def test_shared_problem_is_shown_once() -> None:
    found = Problems()
    for place in ("a", "b", "b", "c"):
        with found.at(place):
            refuse(Refused("x"))
    with found.at("d"):
        refuse(ManyRefused(["x", "y"]))
    with found.at("e"):
        refuse(ValueError("z"))
    with pytest.raises(ManyRefused) as refused:
        found.raise_any()
    assert refused.value.messages == ["a: x (also b, c, d)", "d: y", "e: ValueError: z"]


def refuse(error: Exception) -> None:
    raise error
