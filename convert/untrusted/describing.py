"""Describe a file of any kind. This runs in the process that reads users' files, also for files that are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from convert.errors import Refused, line
from convert.untrusted import limits
from convert.untrusted.models import architecture, archive, formats, keras_config, keras_files, verdicts
from convert.untrusted.records import Description, LayerLine
from convert.untrusted.scalers import unpickle
from convert.untrusted.scalers.columns import columns
from convert.untrusted.trees import text

# The first bytes of pickles, and of joblib's compressions.
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"x", b"\x1f\x8b", b"BZ", b"\xfd7zXZ", b"\x5d\x00")
_MODELS_ONLY = {".h5", ".hdf5", ".keras", ".model"}
_TEXT, _MOST = 60, 500  # characters of a text, and entries of a list
# The entries of a layer's configuration that say what it computes, in the order in which they are shown.
_SHOWN = (
    *("units", "filters", "kernel_size", "pool_size", "strides", "padding", "dilation_rate", "depth_multiplier"),
    *("num_heads", "key_dim", "rate", "dropout", "recurrent_dropout", "axis", "epsilon", "mask_value", "target_shape"),
    *("n", "size", "cropping", "alpha", "negative_slope", "merge_mode", "activation", "recurrent_activation"),
    *("reset_after", "return_sequences", "return_state", "stateful", "go_backwards", "unroll"),
)
# Values that are usual for any layer, or for these.
_USUAL: dict[str, tuple[object, ...]] = {
    "strides": (1, [1]),
    "dilation_rate": (1, [1]),
    "padding": ("valid",),
    "axis": (-1, [-1]),
    "epsilon": (0.001, 1e-3),
    "rate": (),
    "activation": ("linear",),
    "recurrent_activation": ("sigmoid",),
    "depth_multiplier": (1,),
}


def describe(path: Path) -> Description:
    """Describe a model or a scaler. Raises Refused, with a sentence that says what the file is, for any other."""
    with path.open("rb") as opened:
        start = opened.read(formats.START)
    if start.startswith((formats.HDF5, formats.ZIP)):
        return _model(path, start)
    if text.begins(start):
        return _trees(path)
    if (of_trees := formats.of_pickled_trees(start)) is not None:
        raise Refused(of_trees)
    if start.startswith(_PICKLES) and path.suffix.lower() not in _MODELS_ONLY:
        return _scaler(path)
    raise Refused(
        formats.of_file(path.name, start) or "neither a Keras or LightGBM model, a scaler, nor a feature list"
    )


def _model(path: Path, start: bytes) -> Description:
    refusals: list[str] = []
    is_zip = start.startswith(formats.ZIP)
    with keras_files.reading():
        keras_files.check_size(path)  # first: a file is hashed as well, once it is described
        if is_zip:
            members = archive.read(path)
            version, config = keras_files.zip_version(members), keras_files.parsed(members.config)
        else:
            version, text = keras_files.h5_texts(path)
            config = keras_files.parsed(text)
    way = ""
    with _collecting(refusals):
        file = keras_files.inspect(path)
        way = keras_config.way(json.loads(file.model.config))
    inputs, outputs = architecture.inputs(config), architecture.outputs(config)
    weights = None
    if not refusals:
        weights = sum(len(each) // 4 for each in file.values)
        with _collecting(refusals):
            verdicts.check_weights(file)
    with _collecting(refusals):
        verdicts.check_inputs(inputs)
    for output in outputs[:1] if len(outputs) == 1 else []:
        with _collecting(refusals):
            verdicts.check_head(output)
    return Description(
        "model",
        "Keras's zip archive (.keras)" if is_zip else "HDF5",
        written_by=f"Keras {line(version, _TEXT)}" if version else "an early Keras 2, which wrote no version",
        layers=[_line(layer) for layer in architecture.layers(config)[:_MOST]],
        inputs=[list(shape) for shape in inputs[:8]],
        outputs=[(line(each.name, _TEXT), line(each.activation or "", _TEXT)) for each in outputs[:20]],
        weights=weights,
        way=way,
        refusals=refusals,
    )


@contextmanager
def _collecting(refusals: list[str]) -> Iterator[None]:
    try:
        yield
    except Refused as error:
        refusals.append(line(str(error), 1_000))


def _line(layer: architecture.Layer) -> LayerLine:
    return LayerLine(
        line(layer.name, _TEXT),
        line(layer.kind, _TEXT),
        line(", ".join(_details(layer.config)), 300),
        layer.depth,
        keras_config.is_known(layer.whole),
    )


def _details(config: dict[str, Any]) -> Iterator[str]:
    for key in _SHOWN:
        value = config.get(key)
        if isinstance(value, dict):  # an activation of Keras 3, or a tuple
            value = value.get("items", value.get("config") if isinstance(value.get("config"), str) else None)
        if value is None or value is False or value in _USUAL.get(key, ()):
            continue
        if key in {"dropout", "recurrent_dropout"} and value == 0:
            continue
        yield key if value is True else f"{key}={str(value)[:40]}"


def _trees(path: Path) -> Description:
    file = text.read(path)
    return Description(
        "trees",
        f"{file.trees:,} trees of {file.value.shape[0]:,} leaves, up to {file.depth} splits deep",
        written_by="LightGBM",
        inputs=[[None, len(file.columns)]],
        outputs=[(file.objective, "softmax of 3" if file.outputs > 1 else "sigmoid")],
        columns=[line(name, _TEXT) for name in file.columns[: limits.FEATURES]] if file.is_named else [],
        fitted=len(file.columns),
        weights=file.parameters,
        way="trees",
    )


def _scaler(path: Path) -> Description:
    file = unpickle.read(path)
    kinds, count, names = columns(file)
    shown = kinds[0] if len(kinds) == 1 and not hasattr(file.scaler, "steps") else f"Pipeline of {', '.join(kinds)}"
    refusals = [] if kinds else ["a Pipeline without scalers"]
    if kinds and count is None:
        refusals.append("not fitted, so it has no constants")
    return Description(
        "scaler",
        shown[:300],
        f"scikit-learn {', '.join(file.versions)}"[:300],
        columns=[line(name, _TEXT) for name in names[: limits.FEATURES]],
        fitted=count,
        refusals=refusals,
    )
