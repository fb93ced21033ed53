"""`--explain`: what users' files are, and whether they will convert, without TensorFlow."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap

from convert import inspection
from convert.errors import ManyRefused, Refused, line
from convert.sources import documents, feature_lists, versions, vocabulary
from convert.untrusted import contained, limits
from convert.untrusted.contained import FileRefused
from convert.untrusted.models import formats
from convert.untrusted.records import Description

_WIDTH = 80
_LAYERS, _NAMES = 60, 100  # rows of the table, and names of columns
_WAYS = {
    "layers": "by the table of layers",
    "tf2onnx": "by tf2onnx, because the table does not have all layers",
    "trees": "from its trees",
}
_JSON = {".json", ".toml"}
_MODELS = {"model", "trees"}


class Explained:
    """The lines about one file, and what the block for versions.toml takes from it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[str] = []
        self.refusals: list[str] = []
        self.description: Description | None = None
        self.features: feature_lists.FeatureList | None = None

    def say(self, text: str, indent: int = 2) -> None:
        """Add a paragraph."""
        self.lines += wrap(text, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2))

    def raw(self, text: str) -> None:
        """Add a line to be pasted, which is not wrapped."""
        self.lines.append(text)


def explain(paths: Sequence[Path]) -> int:
    """Print what each file is. Returns the exit code: 0 if all will convert, else 1."""
    found = [Explained(path) for path in paths]
    binary = [each for each in found if not _is_text(each)]
    results = contained.read_all([("any", each.path) for each in binary if each.path.is_file()])
    by_path = dict(zip([each.path for each in binary if each.path.is_file()], results, strict=True))
    for each in found:
        try:
            _explain(each, by_path)
        except ManyRefused as error:
            each.refusals += error.messages
        except Refused as error:
            each.refusals.append(str(error))
        except OSError as error:
            each.refusals.append(error.strerror or str(error))
    _compare(found)
    for each in found:
        _verdict(each)
    lines = [text for each in found for text in (str(each.path)[:_WIDTH], *each.lines, "")]
    lines += _block(found)
    sys.stdout.write("".join(f"{line(text, 20_000)}\n" for text in lines))
    return 1 if any(each.refusals for each in found) else 0


def _is_text(each: Explained) -> bool:
    """Whether the file is JSON or TOML, by its name."""
    return each.path.suffix.lower() in _JSON


def _explain(each: Explained, results: dict[Path, contained.Contents | FileRefused]) -> None:
    path = each.path
    if path.is_dir():
        raise Refused(formats.of_folder(path))
    if path.suffix.lower() == ".toml":
        _versions(each)
    elif path.suffix.lower() == ".json":
        _json(each)
    elif not path.is_file():
        raise Refused("no such file")
    else:
        result = results[path]
        if isinstance(result, FileRefused):
            raise Refused(str(result).removeprefix(f"{path.name}: "))
        if isinstance(result.contents, Description):
            each.description = result.contents
            _described(each, result.contents)


def _described(each: Explained, found: Description) -> None:
    each.refusals += found.refusals
    if found.kind == "scaler":
        _scaler(each, found)
        return
    if found.kind == "trees":
        _trees(each, found)
        return
    each.say(f"a Keras model: {found.format}, written by {found.written_by}")
    for shape in found.inputs:
        each.say(f"input: {_shape(shape)}")
    if not found.inputs:
        each.say("its input shape is not stated; build the model and save it again")
    if found.weights is not None:
        each.say(f"{found.weights:,} weights in {len(found.layers)} layers")
    for name, kind, details, mark in _rows(found):
        start = f"  {mark} {name:22} {kind:20} "
        each.lines += wrap(details, _WIDTH, initial_indent=start, subsequent_indent=" " * 8) or [start.rstrip()]
    if len(found.layers) > _LAYERS:
        each.say(f"… and {len(found.layers) - _LAYERS} more layers")
    for name, activation in found.outputs:
        each.say(f"output {name!r}: {activation or 'activation not stated'}")


def _trees(each: Explained, found: Description) -> None:
    each.say(f"a tree ensemble, written by {found.written_by}: {found.format}")
    for name, activation in found.outputs:
        each.say(f"objective {name}, so the answer is a {activation}")
    each.say(f"takes {found.fitted} columns: as many features (the last step of a window), or that of all steps")
    if found.columns:
        each.say(f"columns: {_listed(found.columns)}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMES]) + (", …" if len(names) > _NAMES else "")


def _rows(found: Description) -> Iterator[tuple[str, str, str, str]]:
    for layer in found.layers[:_LAYERS]:
        name = " " * min(layer.depth, 4) + layer.name
        yield _short(name, 22), _short(layer.kind, 20), layer.details, " " if layer.known else "!"


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _shape(shape: list[int | None]) -> str:
    sizes = ["any number of" if n is None else str(n) for n in shape[1:]]
    if len(sizes) == 2:  # noqa: PLR2004
        return f"{sizes[0]} steps, {sizes[1]} features"
    return f"of the shape ({', '.join('any' if n is None else str(n) for n in shape[1:])})"


def _scaler(each: Explained, found: Description) -> None:
    each.say(f"a scaler: {found.format}, written by {found.written_by}")
    if found.fitted is not None:
        each.say(f"fitted on {found.fitted} columns")
    if not found.columns:
        each.say("without names of its columns; they must be in the order of the feature list")
        return
    each.say(f"columns: {_listed(found.columns)}")
    _offer(each, found.columns)


def _offer(each: Explained, names: Sequence[str]) -> None:
    if (offered := feature_lists.offered(names)) is not None:
        each.say("the nearest of our features, as a feature list; compare the formulas in docs/indicators.md:")
        listed, lacking = offered
        each.raw(listed)
        if lacking:
            each.say(lacking)
    else:
        each.say("no name is near to one of our features (docs/indicators.md)")


def _json(each: Explained) -> None:
    data = documents.contents(each.path, limits.JSON_FILE)
    value = documents.decoded(data)
    if isinstance(value, dict) and (of_model := formats.of_json(value)) is not None:
        raise Refused(formats.sentence(of_model, each.path.name))
    try:
        listed = feature_lists.read(data, each.path.name)
    except Refused:
        if not isinstance(value, dict) or "features" in value:
            raise
        keys = ", ".join(str(key)[:30] for key in list(value)[:12])
        each.say(f"a JSON object with the keys {keys}: metadata of a stage, or no file of a detector")
        documents.check_sendable(value)
        return
    each.features = listed
    each.say(f"a feature list of {len(listed.features)} features: {', '.join(listed.features[:_NAMES])}")
    if listed.column_names != listed.features:
        each.say(f"mapped from the columns {', '.join(listed.column_names[:_NAMES])}")
    vocabulary.check(listed, each.path.name, "candles")


def _versions(each: Explained) -> None:
    if each.path.name != versions.FILE_NAME:
        raise Refused(f"a TOML file; the one that convert reads is named {versions.FILE_NAME}")
    found = versions.read(each.path.parent)
    each.say(f"versions: {', '.join(found.versions)}; fallback order: {', '.join(found.order)}")
    for name, version in found.versions.items():
        each.say(f"{name} ({version.name[:60]}): threshold {version.threshold:g}, {' and '.join(version.stages)}")
    versions.check_sizes(each.path.parent, found.versions.values())
    inspection.inspect(each.path.parent, found.versions)


def _compare(found: Sequence[Explained]) -> None:
    """Refuse a scaler and a model that take another number of columns than the only feature list has."""
    lists = [each for each in found if each.features is not None]
    for each in found if len(lists) == 1 else []:
        model, (listed,) = each.description, lists
        count = len(listed.features.features) if listed.features else 0
        if model is None:
            continue
        widths = [shape[2] for shape in model.inputs if len(shape) == 3] if model.kind == "model" else [model.fitted]  # noqa: PLR2004
        if model.kind == "trees" and count and not (model.fitted or 0) % count:  # of some steps
            continue
        if len(widths) == 1 and widths[0] not in (None, count):
            each.refusals.append(f"takes {widths[0]} columns, but {listed.path.name} names {count}")


def _verdict(each: Explained) -> None:
    found = each.description
    if each.refusals:
        each.say("will not convert:" if len(each.refusals) > 1 else f"will not convert: {each.refusals[0]}")
        for refusal in each.refusals if len(each.refusals) > 1 else []:
            each.say(f"- {refusal}", 4)
    elif found is not None and found.kind in _MODELS:
        each.say(f"will convert, {_WAYS.get(found.way, found.way)}, if its graph proves equal")
    else:
        each.say("can be used")


def _block(found: Sequence[Explained]) -> Iterator[str]:
    """The entries of versions.toml for the models, with the other files that were given."""
    scaler = next((each for each in found if each.description and each.description.kind == "scaler"), None)
    listed = next((each for each in found if each.features is not None), None)
    for each in found:
        model = each.description
        if each.refusals or model is None or model.kind not in _MODELS:
            continue
        yield f"{versions.FILE_NAME}, in the same folder:"
        yield ""
        yield 'order = ["v1"]'
        yield ""
        yield '[versions."v1"]'
        yield f"name = {json.dumps(each.path.stem[:60], ensure_ascii=False)}"
        yield "threshold = 0.5"
        yield ""
        yield '[versions."v1".stage1]'
        yield f"model = {json.dumps(each.path.name, ensure_ascii=False)}"
        features = listed.path.name if listed else "features.json"
        yield f"features = {json.dumps(features, ensure_ascii=False)}"
        if scaler is not None:
            yield f"scaler = {json.dumps(scaler.path.name, ensure_ascii=False)}"
        else:
            yield '# scaler = "scaler.pkl"         # if the model takes scaled values'
        if len(model.outputs) > 1:
            names = ", ".join(name for name, _ in model.outputs)
            yield f"output = {json.dumps(model.outputs[0][0])}  # or another of {names}"[:_WIDTH]
        if model.outputs and model.outputs[0][0] == "multiclass":
            yield 'classes = ["hold", "long", "short"]  # in the order of its labels'
        if len(model.inputs) == 1 and len(model.inputs[0]) > 1 and model.inputs[0][1] is None:
            yield "sequence_length = 20            # the model leaves the number of steps open"
        yield ""
