"""Files that are no Keras models: what is said about each."""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from convert.errors import Refused
from convert.untrusted.models import formats, keras_files


def refusal(path: Path) -> str:
    with pytest.raises(Refused) as refused:
        keras_files.inspect(path)
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("saved_model.pb", b"\x08\x01\x12\xb0", "graph of TensorFlow"),
        ("frozen.pb", b"\n\x10", "graph of TensorFlow"),
        ("m.tflite", b"\x1c\0\0\0TFL3", "TensorFlow Lite"),
        ("m", b"\x1c\0\0\0TFL3", "TensorFlow Lite"),
        ("m.onnx", b"\x08\x08\x12\x07pytorch", "ONNX model"),
        ("m.pt", b"\x80\x02ctorch\n", "PyTorch"),
        ("m.pth", b"\x80\x02", "PyTorch"),
        ("m.pkl", pickle.dumps({"a": 1}), "pickle"),
        ("checkpoint", b'model_checkpoint_path: "m"', "checkpoint"),
        ("m.ckpt", b"\0", "checkpoint"),
        ("m.index", b"\0", "checkpoint"),
        ("m.data-00000-of-00001", b"\0", "checkpoint"),
        ("model.json", b' {"class_name": "Sequential", "config": []}', "model_from_json"),
        ("model.json", b"\xef\xbb\xbf" + b'{"class_name": "Functional"}', "model_from_json"),
        ("list.json", b'["close"]', "a JSON file"),
        ("m.npy", b"\x93NUMPY", "NumPy"),
        ("m.pkl", b"\x80\x04\x8c\x10lightgbm.sklearn", "`model.booster_.save_model('model.txt')`"),
        ("m.joblib", b"\x80\x04\x8c\x0fxgboost.sklearn", "an XGBoost model; of tree ensembles only LightGBM's"),
        ("m.pkl", b"\x80\x04\x8c\x18sklearn.ensemble._forest", "train the stage with LightGBM"),
        ("m.json", b'{"learner":{"attributes":{}', "an XGBoost model"),
        ("m.ubj", b"{L\0\0\0\0\0\0\0\x07learner", "an XGBoost model"),
        ("m.bin", b"binf\0learner", "an XGBoost model"),
        ("m", b"CBM1\0", "a CatBoost model"),
        ("m.json", b'{"name": "tree", "num_tree_per_iteration": 1', "a dump of a LightGBM model"),
        ("m.h5", b"", "empty file"),
        ("m.h5", b"junk", "neither an HDF5 file nor a zip archive"),
    ],
)
def test_file_of_another_kind_is_named(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert words in refusal(tmp_path / name)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (["detector/saved_model.pb", "detector/variables/variables.index"], "SavedModel"),
        (["m/data.pkl", "m/data/0"], "PyTorch"),
        (["a.npy", "b.npy"], "NumPy"),
        (["folder/detector.keras"], "holds 'folder/detector.keras'; unpack it"),
        (["folder/detector.h5", "readme.txt"], "holds 'folder/detector.h5'; unpack it"),
        (["config.json"], "has no metadata.json"),
    ],
)
def test_archive_of_another_kind_is_named(members: list[str], words: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as made:
        for name in members:
            made.writestr(name, b"x")
    assert words in refusal(tmp_path / "m.zip")


def test_hdf5_without_layers_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["layer_names"] = [b"lstm"]
    with h5py.File(tmp_path / "new.weights.h5", "w") as file:
        file.create_group("layers")
    with h5py.File(tmp_path / "table.h5", "w") as file:
        file["rows"] = np.zeros(3)
    for name, words in (("old.h5", "weights only"), ("new.weights.h5", "weights only"), ("table.h5", "no Keras model")):
        assert words in refusal(tmp_path / name)
    assert "load_weights('old.h5')" in refusal(tmp_path / "old.h5")


def test_folder_of_another_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / "detector").mkdir()
    assert formats.of_folder(tmp_path / "detector").startswith("a folder; ")
    (tmp_path / "detector" / "saved_model.pb").touch()
    assert "load_model('detector')" in formats.of_folder(tmp_path / "detector")
    for name in ("config.json", "model.weights.h5"):
        (tmp_path / name).touch()
    assert formats.of_folder(tmp_path).startswith("an unpacked .keras file")


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ([], "metadata.json is a list"),
        ({"keras_version": {"a": 1}}, "keras_version is an object"),
        ({"keras_version": 3}, "keras_version is a number"),
        ({"keras_version": "three"}, "keras_version is 'three'"),
        ({"keras_version": "1.2.2"}, "written by Keras 1.2.2"),
    ],
)
def test_metadata_of_another_form_is_refused_in_words(metadata: object, words: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as made:
        for name, data in (("metadata.json", json.dumps(metadata)), ("config.json", "{}"), ("model.weights.h5", "")):
            made.writestr(name, data)
    assert words in refusal(tmp_path / "m.keras")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("", "configuration is empty"),
        ("  ", "configuration is empty"),
        ("[]", "configuration is a list"),
        ("{", "configuration is not JSON"),
        ("[" * 50_000, "configuration is not JSON"),
        ('{"class_name": "Sequential", "config": 3}', "form that Keras writes"),
        (5, "no text"),
    ],
)
def test_configuration_of_another_form_is_refused_in_words(config: object, words: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_group("model_weights")
        file.attrs["model_config"] = config if isinstance(config, int) else np.bytes_(str(config).encode() or b"")
    said = refusal(tmp_path / "m.h5")
    assert words in said
    assert not re.search(r"object has no attribute|NoneType|'\w+' object", said)
