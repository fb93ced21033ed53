"""The forms of Keras files from 2.0 to today: each loads, and answers as the model that it was made from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from convert.errors import Refused
from convert.graph import Keras
from convert.networks.keras_model import KerasModel
from convert.untrusted.models import keras_files, places
from convert.untrusted.models.keras_files import Framework
from convert.untrusted.records import Dataset, Group
from tests.convert import helpers
from tests.convert.edits import edited, saved_small, small, with_weights


def assert_loads(path: Path, model: Keras) -> None:
    """The file answers as the model, in the framework and as a graph."""
    given = helpers.windows()
    loaded = KerasModel(keras_files.inspect(path), None, None)
    np.testing.assert_allclose(loaded.predict(given), np.asarray(model(given)), atol=1e-6)
    helpers.assert_same(loaded.model, given)


@pytest.mark.long
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_contents_decide_and_not_the_name(framework: Framework, suffix: str, tmp_path: Path) -> None:
    """Until Keras 2.11, a file named .keras was HDF5."""
    path = saved_small(framework, tmp_path / f"model{suffix}")
    expected = keras_files.inspect(path).model
    for name in ("a.hdf5", "b.model", "c", "d.h5", "e.keras", "f.zip"):
        (tmp_path / name).write_bytes(path.read_bytes())
        assert keras_files.inspect(tmp_path / name).model == expected
    assert_loads(tmp_path / ("e.keras" if suffix == ".h5" else "d.h5"), small(framework))


def as_on_windows(old: h5py.File, new: h5py.File) -> None:
    names: list[str] = []
    old.visit(names.append)
    new.create_group("vars")
    for name in names:
        if name.endswith("/vars"):
            group = new.create_group(name.removesuffix("/vars").replace("/", "\\")).create_group("vars")
            for each, values in old[name].items():
                group[each] = values[()]


def as_in_2_12(old: h5py.File, new: h5py.File) -> None:
    new.create_group("vars")
    old.copy("layers", new, name="_layer_checkpoint_dependencies")
    for group in new["_layer_checkpoint_dependencies"].values():
        if "layers" in group:
            group.move("layers", "_layer_checkpoint_dependencies")


def as_in_2_12_on_windows(old: h5py.File, new: h5py.File) -> None:
    as_on_windows(old, new)
    for name in set(new) - {"vars"}:
        new.move(name, name.replace("layers", "_layer_checkpoint_dependencies"))


@pytest.mark.long
@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
@pytest.mark.parametrize("write", [as_on_windows, as_in_2_12, as_in_2_12_on_windows])
def test_weights_of_other_places_are_found(
    write: Callable[[h5py.File, h5py.File], None], framework: Framework, tmp_path: Path
) -> None:
    keras = helpers.framework(framework)
    layers = keras.layers
    inner = keras.Sequential([layers.Input((6, 3)), layers.LSTM(3, return_sequences=True), layers.GRU(3)])
    model = keras.Sequential([layers.Input((6, 3)), inner, layers.Dense(1, activation="sigmoid")])
    path = with_weights(helpers.save(helpers.randomised(model), tmp_path / "model.keras"), write)
    assert_loads(path, model)


@pytest.mark.parametrize(
    ("groups", "datasets"),
    [
        (["", "layers", "layers/a", "layers\\a"], []),
        (["", "layers\\a"], ["layers/a"]),
        (["", "layers\\a\\b"], ["layers/a"]),
        (["", "layers\\\\a"], []),
        (["", "\\layers"], []),
        (["", "layers\\."], []),
        (["", "x\\y"], ["x/y", "x\\y"]),
    ],
)
def test_places_that_become_one_are_refused(groups: list[str], datasets: list[str]) -> None:
    with pytest.raises(Refused, match="save the model again"):
        places.normalised([Group(path, {}) for path in groups], [Dataset(path, "<f4", (1,)) for path in datasets])


def test_places_without_backslashes_stay() -> None:
    groups, datasets = [Group("", {}), Group("layers", {})], [Dataset("layers/0", "<f4", (1,))]
    assert places.normalised(groups, datasets) == (groups, datasets)


@pytest.mark.long
@pytest.mark.parametrize(("framework", "suffix"), [("tf_keras", ".keras"), ("keras", ".keras"), ("tf_keras", ".h5")])
def test_weights_of_the_optimizer_have_no_effect(framework: Framework, suffix: str, tmp_path: Path) -> None:
    model = small(framework)
    model.compile(optimizer="adam", loss="binary_crossentropy")
    given = helpers.windows()
    model.fit(given, np.zeros((len(given), 1)), verbose=0)
    assert_loads(helpers.save(model, tmp_path / f"model{suffix}"), model)


def old_keras(path: Path, version: str | None, *, as_list: bool, model: Keras) -> Path:
    """Rewrite an HDF5 file as Keras 2.0 to 2.3 wrote it: bytes, no module, no input layer, short names of weights."""
    with h5py.File(path, "r+") as file:
        layers = json.loads(file.attrs["model_config"])["config"]["layers"][1:]
        for layer in layers:
            config = layer["config"]
            for key in ("module", "registered_name", "build_config"):
                layer.pop(key, None)
            for key in ("dtype", "time_major", "reset_after"):
                config.pop(key, None)
        layers[0]["config"]["batch_input_shape"] = [None, helpers.STEPS, helpers.FEATURES]
        config = layers if as_list else {"name": "sequential_1", "layers": layers}
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config}).encode()
        weights = file["model_weights"]
        for root in (file, weights):
            del root.attrs["keras_version"]
            if version is not None:
                root.attrs["keras_version"] = version.encode()
        for name in list(weights):
            group = weights[name]
            found = [(path, group[path][()]) for path in group.attrs.get("weight_names", [])]
            for each in list(group):
                del group[each]
            short = [f"{name}/{path.split('/')[-1]}" for path, _ in found]
            for each, (_, values) in zip(short, found, strict=True):
                group[each] = values
            group.attrs["weight_names"] = np.array([each.encode() for each in short] or np.zeros(0))
        weights.attrs["layer_names"] = np.array([layer.name.encode() for layer in model.layers])
    return path


@pytest.mark.parametrize(("version", "as_list"), [("2.0.8", True), ("2.3.1", False), (None, True)])
def test_hdf5_of_keras_before_tensorflow_2(version: str | None, *, as_list: bool, tmp_path: Path) -> None:
    hard = {"recurrent_activation": "hard_sigmoid"}
    model = helpers.sequential(
        "tf_keras",
        lambda k: [k.LSTM(4, return_sequences=True, **hard), k.Dropout(0.1), k.GRU(3, reset_after=False, **hard)],
    )
    path = helpers.save(model, tmp_path / "model.h5")
    assert_loads(old_keras(path, version, as_list=as_list, model=model), model)


@pytest.mark.long
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_keras_3_of_other_releases(suffix: str, tmp_path: Path) -> None:
    """3.0 wrote dtypes as texts and shapes as lists; later releases add keys that are null."""

    def first(config: dict[str, Any]) -> None:
        for layer in config["config"]["layers"]:
            layer["config"]["dtype"] = "float32"
            layer.pop("registered_name", None)
            if layer["class_name"] == "InputLayer":
                layer["config"] = {"batch_shape": [None, 6, 3], "dtype": "float32", "sparse": False, "name": "in"}

    def last(config: dict[str, Any]) -> None:
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "Dense":
                layer["config"] |= {"quantization_config": None, "lora_rank": None}
                del layer["config"]["lora_rank"]

    for edit in (first, last):
        assert_loads(edited(saved_small("keras", tmp_path / f"model{suffix}"), edit), small("keras"))


def test_weights_that_keras_would_leave_random_are_refused(tmp_path: Path) -> None:
    def without_lstm(old: h5py.File, new: h5py.File) -> None:
        old.copy("layers", new)
        del new["layers/gru"]

    path = with_weights(saved_small("keras", tmp_path / "model.keras"), without_lstm)
    with pytest.raises(Refused, match=r"^keras cannot load it: "):
        keras_files.load(keras_files.inspect(path))
