"""A small model's file, and files with another configuration than Keras wrote."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import h5py

from convert.graph import Keras
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers

Edit: TypeAlias = Callable[[dict[str, Any]], None]


def small(framework: Framework) -> Keras:
    return helpers.sequential(
        framework,
        lambda k: [k.Bidirectional(k.LSTM(3, return_sequences=True)), k.Dropout(0.1), k.GRU(3), k.LeakyReLU()],
    )


def edited(path: Path, edit: Edit) -> Path:
    """Change the configuration inside a file."""
    if h5py.is_hdf5(path):
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            edit(config)
            file.attrs["model_config"] = json.dumps(config)
        return path
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    edit(config)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def with_weights(path: Path, write: Callable[[h5py.File, h5py.File], None]) -> Path:
    """Write the weights of a .keras file anew: `write` gets the old HDF5 file and an empty one."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    made = io.BytesIO()
    with h5py.File(io.BytesIO(members["model.weights.h5"])) as old, h5py.File(made, "w") as new:
        write(old, new)
    members["model.weights.h5"] = made.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def of_class(config: dict[str, Any], name: str) -> dict[str, Any]:
    return next(layer for layer in config["config"]["layers"] if layer["class_name"] == name)


def saved_small(framework: Framework, path: Path) -> Path:
    """The file of a small model."""
    path.write_bytes(_small_file(framework, path.suffix))
    return path


@cache
def _small_file(framework: Framework, suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return helpers.save(small(framework), Path(folder, f"model{suffix}")).read_bytes()
