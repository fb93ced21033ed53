"""Keras files: which framework reads one, what is in it, and loading it without running code of its own."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import h5py

from convert import activations, layers
from convert.errors import Refused
from convert.graph import Keras

Framework: TypeAlias = Literal["keras", "tf_keras"]

# Where a wrapper such as Bidirectional keeps the layers that it wraps.
_WRAPPED = ("layer", "backward_layer")
# The modules of Keras whose objects a layer's configuration may hold.
_PARTS = frozenset({"activations", "constraints", "dtype_policies", "initializers", "layers", "regularizers"})


class KerasFile(NamedTuple):
    """What a file says of itself. `keras_version` is None in files of the first years."""

    path: Path
    keras_version: str | None
    config: dict[str, Any]

    @property
    def framework(self) -> Framework:
        """Keras 3 refuses files of Keras 2, or computes other numbers from them; tf_keras is Keras 2."""
        return "keras" if self.keras_version and int(self.keras_version.partition(".")[0]) >= 3 else "tf_keras"  # noqa: PLR2004


def inspect(path: Path) -> KerasFile:
    """Read and check a model's configuration, without TensorFlow; raises Refused, without its name.

    Every layer must be in the table of layers before the file is loaded: a Lambda holds code, other layers read other
    files, and custom ones need code that is not there.
    """
    try:
        file = _read_h5(path) if h5py.is_hdf5(path) else _read_zip(path)
        for layer in _layers(file.config):
            _check_layer(layer)
    except (AttributeError, KeyError, OSError, RecursionError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise Refused(f"not a Keras model: {error}") from None
    return file


def load(file: KerasFile) -> Keras:
    """The model, not compiled: a loss or optimizer that cannot be imported does no harm. Raises Refused, likewise."""
    framework = import_framework(file.framework)
    try:
        return framework.models.load_model(file.path, compile=False, safe_mode=True)
    except Exception as error:  # noqa: BLE001 - Keras raises whatever its layers raise
        first_line = str(error).strip().partition("\n")[0]
        raise Refused(f"{file.framework} cannot load it: {type(error).__name__}: {first_line}") from None


def import_framework(name: Framework) -> Keras:
    """Import tf_keras or keras, with TensorFlow quiet and on the CPU."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    # oneDNN sums in an order of its own; parity is measured against the plain kernels.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    if name == "keras":
        import keras  # noqa: PLC0415 - takes seconds, and needs the environment above

        return keras
    import tf_keras  # noqa: PLC0415

    return tf_keras


def _read_h5(path: Path) -> KerasFile:
    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise Refused("holds weights only; save the whole model")
        version, config = file.attrs.get("keras_version"), file.attrs["model_config"]
    return KerasFile(path, _version(version), json.loads(config))


def _read_zip(path: Path) -> KerasFile:
    with zipfile.ZipFile(path) as archive:
        metadata, config = (json.loads(archive.read(name)) for name in ("metadata.json", "config.json"))
    return KerasFile(path, _version(metadata.get("keras_version")), config)


def _version(value: bytes | str | None) -> str | None:
    text = value.decode() if isinstance(value, bytes) else value
    if text is not None and not re.match(r"\d+\.", text):
        raise ValueError(f"its keras_version is {text!r}")
    return text


def _layers(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A serialised layer, then all those inside it: a model's, a wrapper's, and activations that are layers."""
    yield config
    inner = config.get("config") or {}
    if isinstance(inner, list):  # the Sequential of the first years
        inner = {"layers": inner}
    for value in (*inner.get("layers", ()), *(inner.get(key) for key in _WRAPPED)):
        if isinstance(value, dict):
            yield from _layers(value)


def _check_layer(layer: dict[str, Any]) -> None:
    kind, inner = str(layer.get("class_name")), layer.get("config")
    name = layer.get("name") or (inner.get("name") if isinstance(inner, dict) else None) or kind
    place = f"layer {name!r}"
    layers.check_known(place, kind, layer.get("module"))
    for role in ("activation", "recurrent_activation"):
        value = inner.get(role) if isinstance(inner, dict) else None
        if isinstance(value, dict) and value.get("class_name") in layers.KNOWN:
            _check_layer(value)
            continue
        function = value.get("config") if isinstance(value, dict) else value
        if value is not None and not (isinstance(function, str) and activations.is_known(function)):
            raise Refused.at(place, f"{role} {function!r} cannot be converted")
    if isinstance(inner, dict):
        _check_modules(place, {key: value for key, value in inner.items() if key not in {"layers", *_WRAPPED}})


def _is_own_part(module: str) -> bool:
    root, *inner = module.split(".")
    return root in {"builtins", "keras", "tf_keras"} and (not inner or bool(_PARTS.intersection(inner)))


def _check_modules(place: str, value: object) -> None:
    """Whatever else a configuration names must be one of Keras' own parts of a layer: not a tool such as get_file."""
    if isinstance(value, dict):
        module = value.get("module")
        if isinstance(module, str) and not _is_own_part(module):
            raise Refused.at(place, f"{value.get('class_name')} of {module} is not one of Keras' own parts of a layer")
        for part in value.values():
            _check_modules(place, part)
    elif isinstance(value, list):
        for part in value:
            _check_modules(place, part)
