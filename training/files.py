"""Write the files of a training, in the format that users' own training has and that convert reads."""

from __future__ import annotations

import json
import pickle
import shutil
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from training.trainer import Trained

VERSIONS = Path(__file__).with_name("versions.toml")


def write(trained: Iterable[Trained], output: Path) -> None:
    """Write networks (legacy Keras 2 HDF5), pickled scalers, feature lists, metadata and windows."""
    output.mkdir(parents=True, exist_ok=True)
    for one in trained:
        recipe, inputs = one.recipe, one.recipe.inputs
        with warnings.catch_warnings():
            # tf_keras warns that the format is legacy, but it is the format of the users' files.
            warnings.filterwarnings("ignore", "You are saving your model as an HDF5 file", UserWarning)
            one.network.save(output / recipe.model_file, save_format="h5", include_optimizer=False)
        (output / inputs.scaler_file).write_bytes(pickle.dumps(one.scaler))
        write_json(output / inputs.features_file, {"features": inputs.names})
        write_json(output / recipe.metadata_file, one.metadata)
        np.save(output / recipe.background_file, one.background)


def write_versions(output: Path) -> None:
    """Write versions.toml, which names the files of all versions."""
    shutil.copyfile(VERSIONS, output / VERSIONS.name)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file that people can read and compare."""
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
