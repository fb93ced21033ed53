"""Write the networks of the corpus as files of every form, and a source folder around each."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from benchmarks.converter_corpus import FEATURES, STEPS, Network, made
from convert.graph import Keras

_WEIGHTS = "model.weights.h5"


def write(network: Network, folder: Path) -> None:
    """Write the files of one version, "v1", whose stage 1 is the network."""
    model = made(network)
    name = f"model{network.form.partition(',')[0].split()[-1]}"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="You are saving your model as an HDF5 file")
        model.save(folder / name)
    if network.form.endswith("Windows"):
        _as_on_windows(folder / name)
    if network.form in {"Keras 2.0 .h5", "Keras 2.3 .h5"}:
        _as_before_tensorflow_2(folder / name, model, network.form.split()[1])
    (folder / "features.json").write_text(json.dumps(FEATURES))
    stage = {"model": name, "features": "features.json", **network.stage}
    lines = [
        *('order = ["v1"]', "[versions.v1]", f"name = {json.dumps(network.name)}", "threshold = 0.5"),
        *("[versions.v1.stage1]", *(f"{key} = {json.dumps(value)}" for key, value in stage.items())),
    ]
    (folder / "versions.toml").write_text("\n".join(lines))


def _as_on_windows(path: Path) -> None:
    r"""Name one group `layers\lstm\cell` where there are three, as Keras 2.12 to 2.15 did on Windows."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    changed = io.BytesIO()
    with h5py.File(io.BytesIO(members[_WEIGHTS])) as old, h5py.File(changed, "w") as new:
        names: list[str] = []
        old.visit(names.append)
        new.create_group("vars")
        for name in names:
            if name.endswith("/vars"):
                group = new.create_group(name.removesuffix("/vars").replace("/", "\\")).create_group("vars")
                for key, values in old[name].items():
                    group[key] = values[()]
    members[_WEIGHTS] = changed.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def _as_before_tensorflow_2(path: Path, model: Keras, version: str) -> None:
    """Rewrite the file as Keras 2.0 to 2.3: no modules, no input layer, short names of weights.

    The configuration of 2.0 is the list of the layers itself.
    """
    with h5py.File(path, "r+") as file:
        layers = json.loads(file.attrs["model_config"])["config"]["layers"][1:]
        for layer in layers:
            _forget(layer)
        layers[0]["config"]["batch_input_shape"] = [None, STEPS, len(FEATURES)]
        config = layers if version == "2.0" else {"name": "sequential_1", "layers": layers}
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config}).encode()
        weights = file["model_weights"]
        for root in (file, weights):
            del root.attrs["keras_version"]
            root.attrs["keras_version"] = f"{version}.1".encode()
        weights.attrs["layer_names"] = np.array([layer.name.encode() for layer in model.layers])


def _forget(layer: dict[str, Any]) -> None:
    """Leave out what Keras before TensorFlow 2 did not write, in a layer and in those that it wraps."""
    for key in ("module", "registered_name", "build_config"):
        layer.pop(key, None)
    for key in ("dtype", "time_major", "zero_output_for_mask"):
        layer["config"].pop(key, None)
    for inner in layer["config"].values():
        if isinstance(inner, dict) and "class_name" in inner and "config" in inner:
            _forget(inner)
