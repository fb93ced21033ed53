"""Keras files: check their contents, and load what was checked, without running code from them."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import threading
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeAlias

import h5py

from convert.errors import Refused
from convert.graph import Keras
from convert.untrusted import limits
from convert.untrusted.models import allocations, archive, hdf5, keras_config, sizes
from convert.untrusted.records import ArrayRecord, Buffer, KerasFile, Model, array

Framework: TypeAlias = Literal["keras", "tf_keras"]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_NO_MEMORY = "memory allocation failed"  # HDF5's words
_ZIP = b"PK\x03\x04"
_CONFIG, _VERSION, _GROUP = "model_config", "keras_version", "model_weights"  # names in the HDF5 file


class Kept:
    """Keeps the values of datasets in memory."""

    def __init__(self) -> None:
        self.values: list[Buffer] = []

    def put(self, size: int, pieces: Iterable[memoryview]) -> None:
        """Keep the values of the next dataset."""
        found = b"".join(pieces)
        if len(found) != size:
            raise ValueError(f"{len(found)} bytes of values instead of {size}")
        self.values.append(found)


def inspect(path: Path) -> KerasFile:
    """Read and check a model's file in this process. Raises Refused; the message does not name the file."""
    kept = Kept()
    return KerasFile(read(path, kept), kept.values)


def read(path: Path, sink: hdf5.Sink) -> Model:
    """Read and check a model's file, without TensorFlow. The values go to `sink`.

    Raises Refused; the message does not name the file. Keras chooses the way of loading by the file's name. So the
    contents must agree with the name; otherwise one part would be checked and another one loaded.
    """
    try:
        with path.open("rb") as opened:
            start = opened.read(len(_HDF5))
        size = _size(path)
        if path.suffix == ".keras":
            if start == _HDF5:
                raise Refused("it is an HDF5 file, but .keras stands for a zip archive; rename it to .h5")
            return _read_zip(path, sink)
        if start.startswith(_ZIP):
            raise Refused("it is a zip archive, not an HDF5 file; rename it to .keras")
        return _read_h5(path, size, sink)
    except (
        AttributeError,
        KeyError,
        NotImplementedError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        if _NO_MEMORY in str(error):
            raise MemoryError(str(error)) from None
        raise Refused(f"not a Keras model: {error}") from None


def _size(path: Path) -> int:
    """The size of a file in bytes. Raises Refused if it is too large, or larger than what the disk holds of it."""
    found = path.stat()
    if found.st_size > limits.MODEL_FILE:
        raise Refused(f"larger than {limits.in_mib(limits.MODEL_FILE)}, which no detector needs")
    held = 512 * found.st_blocks  # 0 on file systems that do not know it
    if held and found.st_size > limits.unpacked(held):
        raise Refused(
            f"{limits.in_mib(found.st_size)} long, but only {limits.in_mib(held)} of it exist; save the model again"
        )
    return found.st_size


def load(file: KerasFile) -> Keras:
    """Load the model without compiling it, so that a missing loss or optimizer has no effect. Raises Refused.

    Keras reads a file that is made here of the checked parts. It never reads the original, of which it could read more
    than was checked.
    """
    framework = import_framework(file.framework)
    with TemporaryDirectory() as folder:
        path = Path(folder, f"model{file.model.suffix}")
        _write(file, path)
        try:
            most = sizes.most(sum(prod(dataset.shape) for dataset in file.model.datasets))
            with _time_limit(), allocations.limited_weights(framework, most):
                return framework.models.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # noqa: BLE001 - Keras raises any error of its layers
            first_line = str(error).strip().partition("\n")[0]
            raise Refused(f"{file.framework} cannot load it: {type(error).__name__}: {first_line}") from None


@contextmanager
def _time_limit() -> Iterator[None]:
    """Raise TimeoutError if Keras does not end: it looks for ever for an input that a layer cannot have."""
    if threading.current_thread() is not threading.main_thread():  # signals need the main thread
        yield
        return

    def end(*_: object) -> None:
        raise TimeoutError(f"it takes more than {limits.BUILD_SECONDS} s of CPU time to build")

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, limits.BUILD_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


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


def _read_h5(path: Path, size: int, sink: hdf5.Sink) -> Model:
    with h5py.File(path, "r") as file:
        if _CONFIG not in file.attrs:
            raise Refused("holds weights only; save the whole model")
        for name in {_CONFIG, _VERSION} & file.attrs.keys():
            hdf5.check_attribute(name, file, name, limits.CONFIG)
        version = _version(file.attrs.get(_VERSION))
        config = _rebuilt(file.attrs[_CONFIG])
        if not isinstance(file.get(_GROUP, getlink=True), h5py.HardLink):
            raise Refused(f"{_GROUP} is missing or a link, possibly to another file; save the model again")
        reader = hdf5.Reader(size, sink)
        reader.read(file[_GROUP], _GROUP)
    return _model(".h5", version, config, reader)


def _read_zip(path: Path, sink: hdf5.Sink) -> Model:
    members = archive.read(path)
    version = _version(json.loads(members.metadata).get(_VERSION))
    config = _rebuilt(members.config)
    with h5py.File(io.BytesIO(members.weights), "r") as file:
        reader = hdf5.Reader(len(members.weights), sink)
        reader.read(file, "")
    return _model(".keras", version, config, reader)


def _rebuilt(text: str | bytes) -> dict[str, Any]:
    if len(text) > limits.CONFIG:
        raise Refused(f"its configuration is larger than {limits.in_mib(limits.CONFIG)}, far more than layers need")
    return keras_config.rebuilt(json.loads(text))


def _model(suffix: Literal[".h5", ".keras"], version: str | None, config: dict[str, Any], reader: hdf5.Reader) -> Model:
    sizes.check(config, reader.elements)
    return Model(suffix, version, json.dumps(config), reader.groups, reader.datasets)


def _write(file: KerasFile, path: Path) -> None:
    """Write the checked parts as Keras wrote the file."""
    model = file.model
    if model.suffix == ".h5":
        with h5py.File(path, "w") as made:
            made.attrs[_CONFIG] = model.config
            _write_weights(file, made)
        return
    weights = path.with_name(archive.WEIGHTS)
    with h5py.File(weights, "w") as made:
        _write_weights(file, made)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(archive.METADATA, json.dumps({"keras_version": model.keras_version}))
        packed.writestr(archive.CONFIG, model.config)
        packed.write(weights, archive.WEIGHTS)


def _write_weights(file: KerasFile, made: h5py.File) -> None:
    for group in file.model.groups:
        place = made.require_group(group.path or "/")
        for name, value in group.attributes.items():
            if value is None:
                place.attrs[name] = h5py.Empty("f4")
            else:
                place.attrs[name] = value.value() if isinstance(value, ArrayRecord) else value
    for dataset, values in zip(file.model.datasets, file.values, strict=True):
        made.create_dataset(dataset.path, data=array(dataset.dtype, dataset.shape, values))


def _version(value: bytes | str | None) -> str | None:
    text = value.decode() if isinstance(value, bytes) else value
    if text is not None and not re.match(r"\d{1,9}\.", text):
        raise ValueError(f"its keras_version is {text[:80]!r}")
    return text
