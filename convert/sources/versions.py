"""Read versions.toml, which names the files of each version, and check everything that needs no TensorFlow."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, TypeVar, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.errors import Problems, Refused
from convert.sources import background, classes, documents, feature_lists, vocabulary
from convert.untrusted import limits
from convert.untrusted.limits import in_mib
from convert.untrusted.models import formats
from core.bundles.manifest import (
    Direction,
    FileName,
    Inputs,
    ManifestError,
    VersionName,
    check_decision,
)

FILE_NAME = "versions.toml"
_POSITIVE = 'stage2.positive: expected "long" or "short", the meaning of an output of 1.0'
# A request distinguishes windows by version from windows by stage by the first two. The others are beside bundles.
# Quoted or bare parts of a dotted key. It starts at the beginning of a part only, so that it takes linear time.
_PART = r"""(?:(?<![A-Za-z0-9_-])[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+"""
_LONG_KEY = re.compile(f"(?:{_PART}){{{limits.KEY_PARTS}}}")
_RESERVED = re.compile(r"stage1|stage2|.*\.json|.*\.new")

T = TypeVar("T")
Layout: TypeAlias = Literal["steps_first", "features_first"]


class StageFiles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The files of one stage, names in the source folder.

    output: the name of the model's output that is the probability; needed only if there are several.
    sequence_length: needed only if the model does not fix it.
    layout: the order of the axes of the model's input. classes: those of the outputs of a softmax, in their order.
    background: windows that explanations compare with. model: one file, or several whose mean the stage answers.
    """

    model: FileName | Annotated[tuple[FileName, ...], msgspec.Meta(min_length=2, max_length=limits.MODELS)]
    features: FileName
    scaler: FileName | None = None
    metadata: FileName | None = None
    background: FileName | None = None
    output: str | None = None
    sequence_length: Annotated[int, msgspec.Meta(ge=1, le=limits.STEPS)] | None = None
    layout: Layout = "steps_first"
    classes: tuple[str, ...] | None = None

    @property
    def wanted(self) -> str:
        """The class whose probability the stage gives."""
        return classes.REVERSAL

    @property
    def models(self) -> tuple[str, ...]:
        """The files of its models, of which most stages have one."""
        return (self.model,) if isinstance(self.model, str) else self.model

    @property
    def by_role(self) -> dict[str, str]:
        """The file names by role; roles without a file are left out. Further models are model_2 and so on."""
        first, *others = self.models
        more = {f"model_{i}": file for i, file in enumerate(others, start=2)}
        roles = {"model": first, **more, "scaler": self.scaler, "features": self.features, "metadata": self.metadata}
        roles |= {"background": self.background}
        return {role: file for role, file in roles.items() if file is not None}

    @property
    def json_files(self) -> list[str]:
        """The names of the files that are read as JSON."""
        return [file for file in (self.features, self.metadata) if file is not None]


class DirectionStageFiles(StageFiles, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The files of Stage 2. positive: the meaning of an output of 1.0; not needed if there are `classes`."""

    positive: Direction | None = None

    @property
    def wanted(self) -> Direction:
        """The direction whose probability the stage gives. With `classes` that of column 1, unless the file says."""
        return self.positive or cast("Direction", (self.classes or ("", "short"))[1])


class Version(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table `[versions."…"]`.

    inputs: "features" for a version that takes ready-made features only; their names are then free.
    """

    name: str
    threshold: float
    stage1: StageFiles
    stage2: DirectionStageFiles | None = None
    description: str = ""
    confidence_weights: tuple[float, float] = (0.5, 0.5)
    inputs: Inputs = "candles"

    @property
    def stages(self) -> dict[str, StageFiles]:
        """The stages of the version by name, in the order in which they run."""
        return {"stage1": self.stage1} | ({"stage2": self.stage2} if self.stage2 else {})


class Versions(msgspec.Struct, frozen=True):
    """The contents of versions.toml. order: the fallback order; the first version that loads becomes active."""

    order: tuple[str, ...]
    versions: dict[str, Version]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    order: tuple[str, ...]
    versions: Annotated[dict[str, dict[str, Any]], msgspec.Meta(min_length=1)]


class StageSource(NamedTuple):
    """The files of a stage, and the contents of its JSON files, which are read once.

    features: in the order of the model's input. metadata: {} if the stage has none. hashes: the SHA-256 of the files
    that were read, by role. column_names: the user's names of the features, as in the scaler; the same as `features` if
    the list maps none. background: the stored windows, if there are any.
    """

    files: StageFiles
    features: tuple[str, ...]
    metadata: dict[str, Any]
    hashes: dict[str, str]
    column_names: tuple[str, ...] = ()
    background: NDArray[np.float32] | None = None


def read(source: Path) -> Versions:
    """Read `source`/versions.toml. Raises Refused, which names the place in the file, for all versions."""
    path = source / FILE_NAME
    try:
        text = documents.text(documents.contents(path, limits.VERSIONS_FILE)).replace("\r\n", "\n")
        if _LONG_KEY.search(text):
            raise Refused.at(FILE_NAME, f"a key has more than {limits.KEY_PARTS} parts")
        document = tomllib.loads(text)
    except FileNotFoundError:
        raise Refused.at(str(path), "no such file; docs/convert.md describes its contents") from None
    except OSError as error:
        raise Refused.at(str(path), error.strerror or error) from None
    except RecursionError:
        raise Refused.at(FILE_NAME, "tables or arrays nested too deeply") from None
    except ValueError as error:
        said = "an integer with more than 4,300 digits" if "set_int_max_str_digits" in str(error) else error
        raise Refused.at(FILE_NAME, said) from None
    file = _convert(document, _File, FILE_NAME)
    problems, versions = Problems(), {}
    for name, table in file.versions.items():
        with problems.at(""):
            versions[name] = _version(name, table)
    problems.raise_any()
    for name in file.order:
        if name not in versions:
            known = ", ".join(versions)
            raise Refused.at(f"{FILE_NAME}: order", f"unknown version {name!r}; this file has {known}")
        if file.order.count(name) > 1:
            raise Refused.at(f"{FILE_NAME}: order", f"{name!r} appears {file.order.count(name)} times; name it once")
    return Versions(file.order, versions)


def check_sizes(source: Path, versions: Iterable[Version]) -> None:
    """Raise Refused if the JSON files of all stages together are too large to be read. Missing files are left out."""
    files = [file for version in versions for stage in version.stages.values() for file in stage.json_files]
    size = sum((source / file).stat().st_size for file in files if (source / file).is_file())
    if size > limits.JSON_FILES:
        raise Refused.at(
            FILE_NAME,
            f"the feature lists and metadata of its stages have {in_mib(size)}, but at most "
            f"{in_mib(limits.JSON_FILES)} are read; convert some with --version, or shorten the metadata",
        )


def read_stages(source: Path, name: str, version: Version) -> dict[str, StageSource]:
    """Read the JSON files of each stage. Raises Refused for all missing files and all wrong contents."""
    found, problems = {}, Problems()
    for label, files in version.stages.items():
        place = f'{FILE_NAME}: versions."{name}".{label}'
        missing = [role for role, file in files.by_role.items() if not (source / file).is_file()]
        for role in missing:
            with problems.at(f"{place}.{role}"):
                raise Refused(_missing(source, files.by_role[role]))
        with problems.at(place):
            if not {"features", "metadata", "background"}.intersection(missing):
                found[label] = _read_stage(source, files, version.inputs)
    problems.raise_any()
    return found


def _missing(source: Path, file: str) -> str:
    if (source / file).is_dir():
        return f"{file!r} is {formats.of_folder(source / file)}"
    return f"no file {file!r} in {source}"


def _read_stage(source: Path, files: StageFiles, inputs: Inputs) -> StageSource:
    data = _bytes(source, files.features)
    listed = feature_lists.read(data, files.features)
    vocabulary.check(listed, files.features, inputs)
    hashes = {"features": hashlib.sha256(data).hexdigest()}
    metadata: dict[str, Any] = {}
    if files.metadata is not None:
        data = _bytes(source, files.metadata)
        hashes["metadata"] = hashlib.sha256(data).hexdigest()
        try:
            found = documents.decoded(data)
            documents.check_sendable(found)
        except Refused as error:
            raise Refused.at(files.metadata, error) from None
        metadata = _convert(found, dict[str, Any], files.metadata)
    windows = None
    if files.background is not None:
        data = documents.contents(source / files.background, limits.BACKGROUND_FILE)
        hashes["background"] = hashlib.sha256(data).hexdigest()
        windows = background.read(data, files.background)
        background.check_features(windows, files.background, len(listed.features))
    return StageSource(files, listed.features, metadata, hashes, listed.column_names, windows)


def _bytes(source: Path, file: str) -> bytes:
    return documents.contents(source / file, limits.JSON_FILE)


def _version(name: str, table: dict[str, Any]) -> Version:
    place = f'{FILE_NAME}: versions."{name}"'
    try:
        msgspec.convert(name, VersionName)
    except msgspec.ValidationError:
        raise Refused.at(
            place, "a version's name must have 1 to 64 letters, digits or _ . -, and not start with . or -"
        ) from None
    if _RESERVED.fullmatch(name):
        raise Refused.at(place, "reserved name; stage1, stage2 and names that end in .json or .new cannot be used")
    if not table.keys() & {"name", "threshold", "stage1"} and all(isinstance(part, dict) for part in table.values()):
        raise Refused.at(place, f'a name with a dot in it must be quoted: [versions."{name}.{next(iter(table), "")}"]')
    version = _convert(table, Version, place)
    _check_classes(version, place)
    try:
        check_decision(version.threshold, version.confidence_weights)
    except ManifestError as error:
        raise Refused.at(place, error) from None
    return version


def _check_classes(version: Version, place: str) -> None:
    for label, stage in version.stages.items():
        several = len(stage.models) > 1
        if several and (stage.classes is not None or stage.output is not None):
            raise Refused.at(
                f"{place}.{label}", "a mean of models has no `classes` and no `output`: each answers one value"
            )
        if len(set(stage.models)) < len(stage.models):
            raise Refused.at(f"{place}.{label}.model", "names a file twice")
        if stage.classes is not None:
            classes.check(stage.classes, f"{place}.{label}.classes", label, alone=version.stage2 is None)
    if version.stage2 is not None and version.stage2.positive is None and version.stage2.classes is None:
        raise Refused.at(place, _POSITIVE)


def _convert(value: object, kind: type[T], place: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Refused.at(place, _placed(error)) from None


def _placed(error: Exception) -> str:
    """msgspec's message with the place first: `stage1.model: Expected …`."""
    if "positive" in str(error) and "unknown field" not in str(error):
        return _POSITIVE
    # Only file names have a pattern.
    text = re.sub(r"^Expected `str` matching regex '.*'", "expected the name of a file in the same folder", str(error))
    match = re.fullmatch(r"(.*) - at `\$\.?(.*)`", text, re.DOTALL)
    return f"{match[2]}: {match[1]}" if match and match[2] else re.sub(r" - at `\$`$", "", text)
