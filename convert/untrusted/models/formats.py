"""What a file is that is no model, and how to make one from it: one sentence for each kind."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

HDF5, ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
START = 512  # bytes at the beginning of a file that say what it is

_WEIGHTS = "build the model in Python, `model.load_weights({name!r})`, then `model.save('model.keras')`"
_SAVED_MODEL = (
    "a TensorFlow SavedModel; convert reads Keras files. In Python: `model = tf_keras.models.load_model({name!r})`, "
    "then `model.save('model.keras')`"
)
_SENTENCES = {
    "saved model": _SAVED_MODEL,
    "part of a saved model": (
        "a graph of TensorFlow without its Keras layers; if it lies in a SavedModel folder, "
        "`model = tf_keras.models.load_model('the folder')`, then `model.save('model.keras')`"
    ),
    "weights": f"holds weights only, not the layers; {_WEIGHTS}",
    "checkpoint": f"a TensorFlow checkpoint, which holds weights only; {_WEIGHTS}",
    "architecture": (
        "the layers of a model without its weights; in Python: `model = keras.models.model_from_json(open({name!r})"
        ".read())`, `model.load_weights(…)`, then `model.save('model.keras')`"
    ),
    "tflite": "a TensorFlow Lite model, whose layers are lost; save the Keras model it was made from as .keras",
    "onnx": "an ONNX model; convert compares its own graph with Keras, so give the Keras model as .keras or .h5",
    "pytorch": "a PyTorch model; convert reads Keras models only, as .keras or .h5",
    "pickle": (
        "a pickle, which is a program and is never run as a model; load it where it was written, "
        "then `model.save('model.keras')`"
    ),
    "lightgbm": (
        "a pickle of a LightGBM model, which is a program and is never run; load it where it was written, then "
        "`model.booster_.save_model('model.txt')` (of a Booster `save_model('model.txt')`)"
    ),
    "lightgbm json": "a dump of a LightGBM model; save it with `booster.save_model('model.txt')`, which convert reads",
    "xgboost": "an XGBoost model; of tree ensembles only LightGBM's text is read, so train the stage with LightGBM",
    "catboost": "a CatBoost model; of tree ensembles only LightGBM's text is read, so train the stage with LightGBM",
    "sklearn": (
        "a pickle of a scikit-learn model; of tree ensembles only LightGBM's text is read, so train the stage with "
        "LightGBM, then `booster_.save_model('model.txt')`"
    ),
    "numpy": "NumPy arrays, not a model; save the Keras model with `model.save('model.keras')`",
    "other HDF5": "an HDF5 file, but no Keras model: it has no model_config; save the model as .keras",
    "json": "a JSON file, not a model; `model` names the file that `model.save('model.keras')` wrote",
    "empty": "an empty file; save the model again",
}
# Names at the beginning of a pickle, and keys of JSON, by which ensembles of trees are known.
_PICKLED = (
    *((b"lightgbm", "lightgbm"), (b"xgboost", "xgboost"), (b"catboost", "catboost")),
    *((b"sklearn.ensemble", "sklearn"), (b"sklearn.tree", "sklearn")),
)
_IN_JSON = {
    "learner": "xgboost",
    "num_tree_per_iteration": "lightgbm json",
    "oblivious_trees": "catboost",
    "class_name": "architecture",
    "config": "architecture",
}
_BY_SUFFIX = {
    ".ubj": "xgboost",
    ".xgb": "xgboost",
    ".cbm": "catboost",
    ".pb": "part of a saved model",
    ".pbtxt": "part of a saved model",
    ".index": "checkpoint",
    ".ckpt": "checkpoint",
    ".onnx": "onnx",
    ".tflite": "tflite",
    ".pt": "pytorch",
    ".pth": "pytorch",
    ".npy": "numpy",
    ".npz": "numpy",
}
_CHECKPOINT_DATA = re.compile(r".*\.data-\d{5}-of-\d{5}")
_NESTED_MODEL = re.compile(r"(?:.*/)?[^/]+\.(?:keras|h5|hdf5)")
_NAME = 60


def sentence(kind: str, name: str) -> str:
    """The sentence about a file, or folder, of this kind."""
    return _SENTENCES[kind].format(name=name[:_NAME])


def of_file(name: str, start: bytes) -> str | None:
    """The sentence about a file that is neither HDF5 nor zip, by its name and first bytes. None if unknown."""
    kind = _BY_SUFFIX.get(Path(name).suffix.lower()) or _of_trees(start)
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        kind = "empty"
    elif start[4:8] == b"TFL3":
        kind = "tflite"
    elif start.startswith(b"\x93NUMPY"):
        kind = "numpy"
    elif name == "checkpoint" or _CHECKPOINT_DATA.fullmatch(name):
        kind = "checkpoint"
    elif text.startswith((b"{", b"[")):
        kind = kind or next((of for key, of in _IN_JSON.items() if f'"{key}"'.encode() in text), "json")
    elif kind is None and start[:1] == b"\x80" and 2 <= start[1] <= 5:  # noqa: PLR2004 - protocols of pickle
        kind = "pytorch" if b"torch" in start else _first(_PICKLED, start) or "pickle"
    elif kind is None and start.startswith(b"\x08") and b"onnx" in start.lower():
        kind = "onnx"
    return None if kind is None else sentence(kind, name)


def of_json(value: dict[str, object]) -> str | None:
    """The kind of a model in a JSON object. None for another object."""
    kind = next((of for key, of in _IN_JSON.items() if key in value), None)
    return None if kind == "architecture" and not isinstance(value.get("class_name"), str) else kind


def of_pickled_trees(start: bytes) -> str | None:
    """The sentence about a pickle of a tree ensemble, by its first bytes. None for another file."""
    kind = _first(_PICKLED, start) if start[:1] == b"\x80" else None
    return None if kind is None else sentence(kind, "")


def _of_trees(start: bytes) -> str | None:
    """The kind of a binary file of XGBoost (also UBJSON) or CatBoost."""
    if start.startswith(b"CBM1"):
        return "catboost"
    return "xgboost" if start.startswith((b"binf", b"{L")) and b"learner" in start else None


def _first(known: Iterable[tuple[bytes, str]], start: bytes) -> str | None:
    return next((kind for part, kind in known if part in start), None)


def of_archive(name: str, members: Iterable[str]) -> str | None:
    """The sentence about a zip archive with these members, which is no .keras file. None if unknown."""
    names = list(members)
    inner = [each for each in names if _NESTED_MODEL.fullmatch(each) and not each.endswith(".weights.h5")]
    if any(Path(each).name == "saved_model.pb" for each in names):
        return f"a zip archive of {sentence('saved model', 'the folder')}, after unpacking it"
    if any(each.endswith("/data.pkl") for each in names):
        return sentence("pytorch", name)
    if names and all(each.endswith(".npy") for each in names):
        return sentence("numpy", name)
    if inner:
        return f"a zip archive that holds {inner[0][:_NAME]!r}; unpack it, and name that file"
    return None


def of_folder(path: Path) -> str:
    """The sentence about a folder where a file was expected. Only the names of its entries are read."""
    if (path / "saved_model.pb").exists():
        return sentence("saved model", path.name)
    if (path / "config.json").exists() and (path / "model.weights.h5").exists():
        return (
            "an unpacked .keras file; pack metadata.json, config.json and model.weights.h5 into a zip archive, "
            "or save the model again"
        )
    return "a folder; name the file that `model.save('model.keras')` wrote"


def of_hdf5(attributes: Iterable[str], entries: Iterable[str], name: str) -> str:
    """The sentence about an HDF5 file without a model's configuration, by its root's attributes and entries."""
    ours = {"layer_names", "keras_version", "layers", "_layer_checkpoint_dependencies", "model_weights"}
    return sentence("weights" if ours.intersection([*attributes, *entries]) else "other HDF5", name)
