"""Keras files: find the framework for a file, check its contents, and load it without running code from it."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple, TypeAlias

import h5py

from convert.errors import Refused
from convert.graph import Keras
from convert.untrusted import keras_config

Framework: TypeAlias = Literal["keras", "tf_keras"]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_WEIGHTS = "model.weights.h5"  # name in the zip archive


class KerasFile(NamedTuple):
    """A checked file. keras_version: None in files of early releases.

    copy: the bytes of a file of the same kind that holds only the rebuilt configuration and the weights.
    """

    suffix: Literal[".h5", ".keras"]
    keras_version: str | None
    copy: bytes

    @property
    def framework(self) -> Framework:
        """The framework for this file. Keras 3 refuses files of Keras 2, or computes other numbers from them."""
        return "keras" if self.keras_version and int(self.keras_version.partition(".")[0]) >= 3 else "tf_keras"  # noqa: PLR2004


def inspect(path: Path) -> KerasFile:
    """Read and check a model's file, without TensorFlow. Raises Refused; the message does not name the file.

    Keras chooses the way of loading by the file's name. So the contents must agree with the name; otherwise one part
    would be checked and another one loaded.
    """
    try:
        with path.open("rb") as opened:
            start = opened.read(len(_HDF5))
        if path.suffix == ".keras":
            if start == _HDF5:
                raise Refused("it is an HDF5 file, but .keras stands for a zip archive; rename it to .h5")
            return _read_zip(path)
        if start.startswith(_ZIP):
            raise Refused("it is a zip archive, not an HDF5 file; rename it to .keras")
        return _read_h5(path)
    except (
        AttributeError,
        KeyError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise Refused(f"not a Keras model: {error}") from None


def load(file: KerasFile) -> Keras:
    """Load the model without compiling it, so that a missing loss or optimizer has no effect. Raises Refused.

    The copy is loaded, never the original file, of which Keras could read more than was checked.
    """
    framework = import_framework(file.framework)
    with TemporaryDirectory() as folder:
        path = Path(folder, f"model{file.suffix}")
        path.write_bytes(file.copy)
        try:
            return framework.models.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # noqa: BLE001 - Keras raises any error of its layers
            first_line = str(error).strip().partition("\n")[0]
            raise Refused(f"{file.framework} cannot load it: {type(error).__name__}: {first_line}") from None


def import_framework(name: Framework) -> Keras:
    """Import tf_keras or keras, with TensorFlow on the CPU and without its log."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    # oneDNN sums in another order; parity is measured with the plain kernels.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    if name == "keras":
        import keras  # noqa: PLC0415 - takes seconds, and needs the environment above

        return keras
    import tf_keras  # noqa: PLC0415

    return tf_keras


def _read_h5(path: Path) -> KerasFile:
    copy = io.BytesIO()
    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise Refused("holds weights only; save the whole model")
        version = _version(file.attrs.get("keras_version"))
        config = keras_config.rebuilt(json.loads(file.attrs["model_config"]))
        _check_objects(file)
        with h5py.File(copy, "w") as made:
            made.attrs["model_config"] = json.dumps(config)
            file.copy("model_weights", made)
    return KerasFile(".h5", version, copy.getvalue())


def _read_zip(path: Path) -> KerasFile:
    with zipfile.ZipFile(path) as archive:
        metadata, config = (json.loads(archive.read(name)) for name in ("metadata.json", "config.json"))
        version = _version(metadata.get("keras_version"))
        config = keras_config.rebuilt(config)
        weights = archive.read(_WEIGHTS)
    with h5py.File(io.BytesIO(weights), "r") as file:
        _check_objects(file)
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as made:
        made.writestr("metadata.json", json.dumps({"keras_version": version}))
        made.writestr("config.json", json.dumps(config))
        made.writestr(_WEIGHTS, weights)
    return KerasFile(".keras", version, copy.getvalue())


def _check_objects(file: h5py.File) -> None:
    """Refuse references to other files: HDF5 would read any file of this machine as weights."""
    links: list[tuple[str, object]] = []
    # The visit only collects: h5py crashes if an error leaves it.
    file.visititems_links(lambda name, link: links.append((name, link)))
    for name, link in links:
        if not isinstance(link, h5py.HardLink):
            raise Refused(f"{name} is a link, possibly to another file; save the model again")
        found = file[name]
        if isinstance(found, h5py.Dataset) and (found.external or found.is_virtual):
            raise Refused(f"{name} has its values in another file; save the model again")


def _version(value: bytes | str | None) -> str | None:
    text = value.decode() if isinstance(value, bytes) else value
    if text is not None and not re.match(r"\d+\.", text):
        raise ValueError(f"its keras_version is {text!r}")
    return text
