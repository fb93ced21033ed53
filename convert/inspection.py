"""Look at the files of all versions before the first is converted, without TensorFlow, and report all problems at once.

A conversion takes ten seconds and more a stage, so a mistake in the last version would otherwise be told late.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from convert.errors import Problems, Refused
from convert.networks import windows
from convert.networks.windows import Arrangement
from convert.sources import classes, training_data, versions
from convert.sources.versions import StageFiles, StageSource, Version
from convert.trees import columns as of_trees
from convert.untrusted import contained
from convert.untrusted.contained import Contents, FileRefused, Role
from convert.untrusted.models import architecture, permitted, verdicts
from convert.untrusted.models.architecture import Output, Shape
from convert.untrusted.models.permitted import Permitted
from convert.untrusted.records import KerasFile, ScalerFile, ScalerRecord, TreesFile
from convert.untrusted.scalers.columns import columns
from core.features import catalogue
from core.features.candles import MAX_CANDLES
from core.features.catalogue import UnknownFeature

if TYPE_CHECKING:
    from convert.scalers.scaler import Scaler

Check: TypeAlias = Callable[[StageSource, Mapping[str, Contents]], None]


class Inspected(NamedTuple):
    """What was read. stages: by version and stage. contents: of models and scalers, by file name."""

    stages: dict[str, dict[str, StageSource]]
    contents: dict[str, Contents]


def inspect(source: Path, chosen: Mapping[str, Version], rules: Permitted = permitted.DEFAULT) -> Inspected:
    """Read and check the files of these versions. rules: what models may contain.

    Raises ManyRefused, or Refused for a single problem.
    """
    problems = Problems()
    stages: dict[str, dict[str, StageSource]] = {}
    for name, version in chosen.items():
        with problems.at(""):
            stages[name] = versions.read_stages(source, name, version)
    contents, refused = _read_files(source, chosen, rules)
    for place, message in refused:
        with problems.at(place):
            raise Refused(message)
    # A file that was refused can be hostile. Then scikit-learn, which takes 150 MiB and a second, stays out.
    checks: list[Check] = [_check_columns if refused else _check_scaler, _check_ranges, _check_models]
    for name, labelled in stages.items():
        for label, stage in labelled.items():
            for check in checks:
                with problems.at(f"{name} {label}"):
                    check(stage, contents)
        with problems.at(name):
            if chosen[name].inputs == "candles":
                _check_candles(labelled, contents)
    problems.raise_any()
    return Inspected(stages, contents)


def _read_files(
    source: Path, chosen: Mapping[str, Version], rules: Permitted
) -> tuple[dict[str, Contents], list[tuple[str, str]]]:
    """Read the models and scalers that exist, each once. Returns the contents by file name, and places and refusals."""
    places: dict[str, list[str]] = {}
    roles: dict[str, Role] = {}
    for name, version in chosen.items():
        for label, files in version.stages.items():
            given: list[tuple[Role, str | None]] = [("scaler", files.scaler)]
            given += [("model", model) for model in files.models]
            for role, file in given:
                if file is not None and (source / file).is_file():
                    roles.setdefault(file, role)
                    places.setdefault(file, []).append(f"{name} {label}")
    found, refused = {}, []
    results = contained.read_all([(role, source / file) for file, role in roles.items()], rules)
    for file, result in zip(roles, results, strict=True):
        if isinstance(result, FileRefused):
            refused += [(place, str(result)) for place in places[file]]
        else:
            found[file] = result
    return found, refused


def scaler_of(stage: StageSource, contents: Mapping[str, Contents]) -> Scaler | None:
    """The scaler of a stage, which fits its features. Raises Refused."""
    if stage.files.scaler is None:
        return None
    file = contents[stage.files.scaler].contents
    if not isinstance(file, ScalerFile):
        raise Refused.at(stage.files.scaler, "it is named as a model too; a file is a model or a scaler")
    from convert.scalers.scaler import Scaler  # noqa: PLC0415 - imports scikit-learn, which takes a second

    scaler = Scaler(file)
    scaler.check_features(stage.features, stage.column_names)
    scaler.part(len(stage.features))
    return scaler


def models_of(stage: StageSource, contents: Mapping[str, Contents]) -> dict[str, KerasFile | TreesFile]:
    """The models of a stage that were read, by file name. Raises Refused."""
    found = {}
    for name in stage.files.models:
        file = contents[name].contents if name in contents else None
        if isinstance(file, ScalerFile):
            raise Refused.at(name, "it is named as a scaler too; a file is a model or a scaler")
        if isinstance(file, KerasFile | TreesFile):
            found[name] = file
    return found


def _check_scaler(stage: StageSource, contents: Mapping[str, Contents]) -> None:
    if stage.files.scaler in contents:
        scaler_of(stage, contents)


def _check_columns(stage: StageSource, contents: Mapping[str, Contents]) -> None:
    """The part of `_check_scaler` that needs only the record of the scaler."""
    found = contents.get(stage.files.scaler or "")
    if found is not None and isinstance(found.contents, ScalerFile):
        _, count, names = columns(found.contents)
        if count not in (None, len(stage.features)):
            raise Refused.at(found.contents.name, f"fitted on {count} features, the stage has {len(stage.features)}")
        if names and names != stage.column_names:
            raise Refused.at(
                found.contents.name,
                f"fitted on the columns {', '.join(names[:20])[:400]}, but {stage.files.features} has other names",
            )


def _check_ranges(stage: StageSource, _contents: Mapping[str, Contents]) -> None:
    training_data.training_ranges(stage)


def _check_models(stage: StageSource, contents: Mapping[str, Contents]) -> None:
    problems = Problems()
    for name, file in models_of(stage, contents).items():
        with problems.at(name):
            if isinstance(file, TreesFile):
                _check_trees(file, stage, contents)
            else:
                _check_keras(file, stage)
    problems.raise_any()
    found = [each for each in models_of(stage, contents).values() if not of_trees.is_of_last_step(each, stage.features)]
    lengths = sorted({steps for file in found for steps in _steps(file, stage)})
    if len(lengths) > 1:
        counts = " and ".join(map(str, lengths))
        raise Refused.at(
            "model", f"its models take windows of {counts} steps, but see the same; train them on one length"
        )


def _check_keras(file: KerasFile, stage: StageSource) -> None:
    problems = Problems()
    config = json.loads(file.model.config)
    shapes, outputs = architecture.inputs(config), architecture.outputs(config)
    with problems.at(""):
        _check_window(shapes, stage)
    with problems.at(""):
        _check_head(outputs, stage.files)
    with problems.at(""):
        verdicts.check_weights(file)
    problems.raise_any()


def _check_trees(file: TreesFile, stage: StageSource, contents: Mapping[str, Contents]) -> None:
    files = stage.files
    found = of_trees.find(len(file.columns), len(stage.features), files)
    scaler = contents.get(files.scaler or "")
    # Other scalers can change the order of the columns, so that the names are compared when the scaler is loaded.
    keeps_order = scaler is None or not isinstance(scaler.contents, ScalerFile) or _is_single(scaler.contents)
    if file.is_named and keeps_order:
        of_trees.check_names(found, file.columns, stage.column_names, files.features)
    if files.output is not None:
        raise Refused("a tree ensemble has one output, without a name; remove `output`")
    if file.outputs == 1 and files.classes is not None:
        raise Refused("answers one value, but `classes` names several; remove `classes`")
    if file.outputs > 1 and len(files.models) > 1:
        raise Refused(f"answers {file.outputs} values, but a mean is of models that answer one")
    if file.outputs > 1 and not classes.serves_both(files.classes):
        raise Refused(
            f"answers {file.outputs} values; name them in `classes` of stage1, in the order of its labels, such as"
            ' ["hold", "long", "short"]'
        )


def _is_single(scaler: ScalerFile) -> bool:
    return isinstance(scaler.scaler, ScalerRecord)


def _check_window(shapes: list[Shape], stage: StageSource) -> None:
    verdicts.check_inputs(shapes)
    for shape in shapes:
        _arrangement(shape, stage)


def _arrangement(shape: Shape, stage: StageSource) -> Arrangement:
    files = stage.files
    stated = windows.StatedWindow(files.features, len(stage.features), files.layout)
    return windows.find(shape[1:], files.sequence_length, stated)


def _check_head(outputs: list[Output], files: StageFiles) -> None:
    """Check that one output is chosen, and its activation where the layer itself states it."""
    names = [each.name for each in outputs]
    if files.output is None and len(names) > 1:
        raise Refused(f"the model has {len(names)} outputs; name one with `output`: {', '.join(names[:20])[:400]}")
    named = [each for each in outputs if files.output in (None, each.name)]
    if len(named) == 1:
        verdicts.check_head(named[0])


def _steps(file: KerasFile | TreesFile, stage: StageSource) -> list[int]:
    """The steps of each input that states its shape."""
    if isinstance(file, TreesFile):
        return [of_trees.find(len(file.columns), len(stage.features), stage.files).steps]
    return [_arrangement(shape, stage).steps for shape in architecture.inputs(json.loads(file.model.config))]


def _check_candles(stages: Mapping[str, StageSource], contents: Mapping[str, Contents]) -> None:
    """Raise Refused if a request cannot have enough candles for the windows, where the file states their length."""
    most = 0
    for stage in stages.values():
        try:
            steps = [n for file in models_of(stage, contents).values() for n in _steps(file, stage)]
            needed = [catalogue.required_candles(stage.features, length) for length in steps]
        except (Refused, UnknownFeature):  # reported for the stage, or a version that takes no candles
            continue
        most = max([most, *needed])  # no model was read if all of them are refused
    if most > MAX_CANDLES:
        raise Refused(f"the features and window need {most} candles, but a request has at most {MAX_CANDLES}")
