"""Keras files: which framework reads one, what is in it, and loading it without running code of its own."""

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
_WEIGHTS = "model.weights.h5"  # in the zip


class KerasFile(NamedTuple):
    """What a file says of itself. `keras_version` is None in files of the first years.

    copy: a file of the same kind, made of the rebuilt configuration and the weights alone.
    """

    suffix: Literal[".h5", ".keras"]
    keras_version: str | None
    copy: bytes

    @property
    def framework(self) -> Framework:
        """Keras 3 refuses files of Keras 2, or computes other numbers from them; tf_keras is Keras 2."""
        return "keras" if self.keras_version and int(self.keras_version.partition(".")[0]) >= 3 else "tf_keras"  # noqa: PLR2004


def inspect(path: Path) -> KerasFile:
    """Read and check a model's file, without TensorFlow; raises Refused, without its name.

    Keras chooses how to load a file by its name, so what it holds must agree: else one thing is checked and another is
    loaded.
    """
    try:
        with path.open("rb") as opened:
            start = opened.read(len(_HDF5))
        if path.suffix == ".keras":
            if start == _HDF5:
                raise Refused("it is an HDF5 file, not the zip archive that .keras stands for: rename it to .h5")
            return _read_zip(path)
        if start.startswith(_ZIP):
            raise Refused("it is a zip archive, not an HDF5 file: rename it to .keras")
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
    """The model, not compiled: a loss or optimizer that cannot be imported does no harm. Raises Refused, likewise.

    What is loaded is the copy, never the file that was given: of that, Keras may read more than was checked.
    """
    framework = import_framework(file.framework)
    with TemporaryDirectory() as folder:
        path = Path(folder, f"model{file.suffix}")
        path.write_bytes(file.copy)
        try:
            return framework.models.load_model(path, compile=False, safe_mode=True)
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
    """Refuse what HDF5 reads from elsewhere: any file of this machine would pass for weights."""
    links: list[tuple[str, object]] = []
    # An error cannot leave the visit: h5py crashes on its way out.
    file.visititems_links(lambda name, link: links.append((name, link)))
    for name, link in links:
        if not isinstance(link, h5py.HardLink):
            raise Refused(f"{name} is a link, possibly to another file; save the model anew")
        found = file[name]
        if isinstance(found, h5py.Dataset) and (found.external or found.is_virtual):
            raise Refused(f"{name} has its values in another file; save the model anew")


def _version(value: bytes | str | None) -> str | None:
    text = value.decode() if isinstance(value, bytes) else value
    if text is not None and not re.match(r"\d+\.", text):
        raise ValueError(f"its keras_version is {text!r}")
    return text
