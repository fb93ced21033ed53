"""Keras files: check their contents, and load what was checked, without running code from them."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import threading
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import h5py
import msgspec

from convert.errors import Refused
from convert.graph import Keras
from convert.untrusted import limits
from convert.untrusted.models import (
    allocations,
    archive,
    formats,
    hdf5,
    keras_config,
    memory,
    permitted,
    places,
    sizes,
)
from convert.untrusted.models.permitted import Permitted
from convert.untrusted.records import ArrayRecord, Buffer, KerasFile, Model, array

Framework: TypeAlias = Literal["keras", "tf_keras"]

_NO_MEMORY = "memory allocation failed"  # HDF5's words
_WEIGHTS_LEFT_OUT = ("Skipping nested container", "Skipping object", "could not be loaded")
_UNKNOWN = "neither an HDF5 file nor a zip archive, so no Keras model; and not the text of a LightGBM model"
_OLDEST = 2  # Keras 1 had other layers
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


def inspect(path: Path, rules: Permitted = permitted.DEFAULT) -> KerasFile:
    """Read and check a model's file in this process. Raises Refused; the message does not name the file."""
    kept = Kept()
    return KerasFile(read(path, kept, rules), kept.values)


def read(path: Path, sink: hdf5.Sink, rules: Permitted = permitted.DEFAULT) -> Model:
    """Read and check a model's file, without TensorFlow. The values go to `sink`. rules: what it may contain.

    Raises Refused; the message does not name the file. The first bytes decide how the file is read, not its name: until
    Keras 2.11, HDF5 files could be named .keras too. The framework loads a copy of what was read here, so it cannot
    read the file in another way.
    """
    with reading(), permitted.within(rules) as used:
        with path.open("rb") as opened:
            start = opened.read(formats.START)
        size = check_size(path)
        if start.startswith(formats.ZIP):
            return msgspec.structs.replace(_read_zip(path, sink), custom=sorted(used))
        if start.startswith(formats.HDF5):
            return msgspec.structs.replace(_read_h5(path, size, sink), custom=sorted(used))
        raise Refused(formats.of_file(path.name, start) or _UNKNOWN)


@contextmanager
def reading() -> Iterator[None]:
    """Turn the errors of libraries into Refused: of a damaged file, and of a configuration of another form."""
    try:
        yield
    except (AttributeError, KeyError, TypeError):
        raise Refused("not a Keras model: its configuration does not have the form that Keras writes") from None
    except (NotImplementedError, OSError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        if _NO_MEMORY in str(error):
            raise MemoryError(str(error)) from None
        raise Refused(f"not a Keras model: {error}") from None


def check_size(path: Path) -> int:
    """The size of a model's file. Raises Refused if it is too large, or larger than what the disk holds of it."""
    found = path.stat()
    if found.st_size > limits.MODEL_FILE:
        raise Refused(f"larger than {limits.in_mib(limits.MODEL_FILE)}, which no detector needs")
    held = 512 * found.st_blocks  # 0 on file systems that do not know it
    if held and found.st_size > limits.unpacked(held):
        raise Refused(
            f"{limits.in_mib(found.st_size)} long, but only {limits.in_mib(held)} of it exist; save the model again"
        )
    return found.st_size


def load(file: KerasFile, custom: Mapping[str, Any] = MappingProxyType({})) -> Keras:
    """Load the model without compiling it, so that a missing loss or optimizer has no effect. Raises Refused.

    custom: the user's own classes and functions that the file names.

    Keras reads a file that is made here of the checked parts. It never reads the original, of which it could read more
    than was checked.
    """
    framework = import_framework(file.framework)
    with TemporaryDirectory() as folder:
        path = Path(folder, f"model{file.model.suffix}")
        try:
            _write(file, path)
            most = sizes.most(sum(prod(dataset.shape) for dataset in file.model.datasets))
            bounds = (_time_limit(), memory.limited(file), allocations.limited_weights(framework, most))
            with bounds[0], bounds[1], bounds[2], warnings.catch_warnings():
                # Keras 3 leaves random weights where it finds none in the file, and only warns.
                for words in _WEIGHTS_LEFT_OUT:
                    warnings.filterwarnings("error", message=f"(?s).*{words}")
                model = framework.models.load_model(path, custom_objects=dict(custom), compile=False, safe_mode=True)
        except Refused:
            raise
        except Exception as error:  # noqa: BLE001 - Keras raises any error of its layers
            first_line = str(error).strip().partition("\n")[0]
            raise Refused(f"{file.framework} cannot load it: {type(error).__name__}: {first_line}") from None
    return model


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
    version, text = h5_texts(path)
    config = _rebuilt(text)
    with h5py.File(path, "r") as file:
        if not isinstance(file.get(_GROUP, getlink=True), h5py.HardLink):
            raise Refused(f"{_GROUP} is missing or a link, possibly to another file; save the model again")
        reader = hdf5.Reader(size, sink)
        reader.read(file[_GROUP], _GROUP)
    return _model(".h5", version, config, reader)


def _read_zip(path: Path, sink: hdf5.Sink) -> Model:
    members = archive.read(path)
    version, config = zip_version(members), _rebuilt(members.config)
    with h5py.File(io.BytesIO(members.weights), "r") as file:
        reader = hdf5.Reader(len(members.weights), sink)
        reader.read(file, "")
    reader.groups, reader.datasets = places.normalised(reader.groups, reader.datasets)
    return _model(".keras", version, config, reader)


def h5_texts(path: Path) -> tuple[str | None, str | bytes]:
    """The version of Keras that an HDF5 file states, and its configuration."""
    with h5py.File(path, "r") as file:
        if _CONFIG not in file.attrs:
            raise Refused(formats.of_hdf5(file.attrs.keys(), file.keys(), path.name))
        for name in {_CONFIG, _VERSION} & file.attrs.keys():
            hdf5.check_attribute(name, file, name, limits.CONFIG)
        return _version(file.attrs.get(_VERSION)), file.attrs[_CONFIG]


def zip_version(members: archive.ModelMembers) -> str | None:
    """The version of Keras that a .keras file states."""
    found = _json(archive.METADATA, members.metadata)
    if not isinstance(found, dict):
        raise Refused(f"not a Keras model: {archive.METADATA} is {_kind(found)}, not an object")
    return _version(found.get(_VERSION))


def parsed(text: object) -> dict[str, Any]:
    """The configuration as it stands in the file. Raises Refused unless it is a JSON object."""
    if not isinstance(text, str | bytes):
        raise Refused(f"not a Keras model: its {_CONFIG} is no text")
    if len(text) > limits.CONFIG:
        raise Refused(f"its configuration is larger than {limits.in_mib(limits.CONFIG)}, far more than layers need")
    found = _json("its configuration", text)
    if not isinstance(found, dict):
        raise Refused(f"not a Keras model: its configuration is {_kind(found)}, not an object")
    return found


def _rebuilt(text: object) -> dict[str, Any]:
    return keras_config.rebuilt(parsed(text))


def _json(what: str, text: str | bytes) -> object:
    if not text.strip():
        raise Refused(f"not a Keras model: {what} is empty")
    try:
        return json.loads(text)
    except (RecursionError, ValueError) as error:
        raise Refused(f"not a Keras model: {what} is not JSON: {error}") from None


def _kind(value: object) -> str:
    """The kind of a JSON value, for a message."""
    kinds = {list: "a list", dict: "an object", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


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


def _version(value: object) -> str | None:
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    if text is None:
        return None
    if not isinstance(text, str):
        raise Refused(f"not a Keras model: its keras_version is {_kind(text)}, not a text such as 3.5.0")
    if not re.match(r"\d{1,9}\.", text):
        raise Refused(f"not a Keras model: its keras_version is {text[:80]!r}")
    if int(text.partition(".")[0]) < _OLDEST:
        raise Refused(
            f"written by Keras {text[:20]}, whose layers Keras 2 computes in another way; "
            "load it with Keras 2.2 and save it again"
        )
    return text
