"""The manifest of a bundle: its fields, and how to read, write and check it. convert writes it, core reads it.

A bundle is a folder that contains `manifest.json` and the graphs that the manifest names. The manifest has all that the
server needs to know about a detector. The name of a graph file contains its hash, so a new manifest never refers to old
bytes. docs/bundles.md lists the fields and the formats.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
import orjson

from core.bundles import limits, windows
from core.bundles.limits import Limits, Number, Numbers
from core.bundles.msgspec_errors import with_place_first
from core.features import catalogue
from core.features.candles import MAX_CANDLES

FILE_NAME = "manifest.json"
# convert writes this format. Bundles of all earlier formats are read too.
FORMAT_VERSION = 2
_EARLIER = (1,)
# convert writes this operator set, so the parity gate has tested no other.
OPSET = 17
# The second operator set of a graph with a tree ensemble. ONNX 1.12 released both.
TREES_OPSET = 3

# The longest name of a feature, in characters. Names in the catalogue are far shorter; other names are the user's.
FEATURE_NAME = 128

Direction: TypeAlias = Literal["long", "short"]
ClassName: TypeAlias = Literal["hold", "long", "short"]
Classes: TypeAlias = tuple[ClassName, ClassName, ClassName]
Inputs: TypeAlias = Literal["candles", "features"]
Sha256: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
# One path segment without a leading dot, so that no name leads out of the folder. Other characters are allowed.
FileName: TypeAlias = Annotated[
    str, msgspec.Meta(pattern=r"\A[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*\Z", max_length=128)
]
VersionName: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z")]
Positive: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]


class ManifestError(ValueError):
    """The manifest is invalid; the message names the field."""


class File(msgspec.Struct, frozen=True):
    """A file name and the SHA-256 of the file."""

    file: FileName
    sha256: Sha256


class WindowsFile(File, frozen=True, kw_only=True):
    """A file of `count` windows of scaled inputs, as core.bundles.windows reads it."""

    count: Annotated[int, msgspec.Meta(ge=1, le=windows.MOST)]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One network with its own features and scaler.

    network: float32 (batch, sequence_length, features) -> float32 (batch, 1), a probability; or (batch, 3), the
    probabilities of `classes`.
    scaler: float64 -> float32, both of the network's input shape; null if the model was trained on raw values.
    limits: of the training values; null in bundles of versions before limits existed, and if they are unknown.
    classes: the classes of a network that serves both stages, in the order of its outputs; null for a probability.
    training_ranges: the smallest and the largest scaled value of each feature in training, in the order of the
    features; null if they are unknown.
    background: a window of scaled inputs, (sequence_length, features), that explanations compare with, such as the mean
    window of the training part; null if there is none. background_windows: a file with several of them.
    scaled_features: the features in the order of the scaled values and of the limits, if the scaler changes the order.
    """

    features: tuple[str, ...]
    classes: Classes | None = None
    sequence_length: Positive
    parameters: Positive
    opset: int
    network: File
    scaler: File | None
    sources: dict[str, File]
    parity: dict[str, Any]
    limits: Limits | None = None
    training_ranges: tuple[tuple[Number, Number], ...] | None = None
    background: tuple[Numbers, ...] | None = None
    background_windows: WindowsFile | None = None
    scaled_features: tuple[str, ...] | None = None

    @property
    def num_features(self) -> int:
        """The number of features, which is the width of the stage's window."""
        return len(self.features)

    def takes_same_window(self, other: Stage) -> bool:
        """Whether one scaled window serves both stages: same features, same length, same scaler."""
        return (self.features, self.sequence_length, self._scaler_hash) == (
            other.features,
            other.sequence_length,
            other._scaler_hash,
        )

    @property
    def _scaler_hash(self) -> str | None:
        return self.scaler.sha256 if self.scaler else None


class DirectionStage(Stage, frozen=True, kw_only=True):
    """Stage 2. `positive` is the direction that an output of 1.0 means.

    It has no default, because a wrong guess would invert every trade.
    """

    positive: Direction


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All metadata of one detector version.

    inputs: what a request may hold: candles or features, or ready-made features only.
    label_rule: the meaning of Stage 1's labels in training, as core.experiments.label_rule reads it; null if unknown.
    """

    format_version: int
    version: VersionName
    name: str
    description: str
    threshold: float
    confidence_weights: tuple[float, float]
    inputs: Inputs = "candles"
    label_rule: Any = None
    stage1: Stage
    stage2: DirectionStage | None
    metrics: dict[str, Any]
    metadata: dict[str, Any]
    tools: dict[str, str]

    @property
    def classes(self) -> Classes | None:
        """The classes of the network that serves both stages; None for a version with probabilities."""
        return self.stage1.classes

    @property
    def positive(self) -> Direction | None:
        """The direction that p2 = 1 means (core.inference.decision); None if the version names no direction.

        For classes, p2 is the share of the direction that is named second.
        """
        if self.classes is not None:
            return next(name for name in reversed(self.classes) if name != "hold")
        return self.stage2.positive if self.stage2 else None

    @property
    def stages(self) -> dict[str, Stage]:
        """The stages of this version by name, in the order in which they run."""
        return {"stage1": self.stage1} | ({"stage2": self.stage2} if self.stage2 else {})

    @property
    def required_candles(self) -> int | None:
        """The minimum number of candles; a request with fewer is refused. None if the version takes no candles."""
        if self.inputs == "features":
            return None
        return max(catalogue.required_candles(s.features, s.sequence_length) for s in self.stages.values())

    @property
    def recommended_candles(self) -> int | None:
        """The recommended number of candles; an answer to a request with fewer carries a warning. None as above."""
        if self.inputs == "features":
            return None
        return max(catalogue.recommended_candles(s.features, s.sequence_length) for s in self.stages.values())

    @property
    def requires_timestamps(self) -> bool:
        """Whether candles without timestamps are refused, because a feature is computed from their times."""
        return self.inputs == "candles" and any(catalogue.needing_times(s.features) for s in self.stages.values())

    def check(self) -> None:
        """Check the rules that types cannot express. Raises ManifestError."""
        check_decision(self.threshold, self.confidence_weights)
        for label, stage in self.stages.items():
            check_features(stage.features, f"{label}.features", self.inputs)
            if stage.sequence_length > MAX_CANDLES:
                raise ManifestError(f"{label}.sequence_length: {stage.sequence_length}, expected at most {MAX_CANDLES}")
            if stage.opset != OPSET:
                raise ManifestError(f"{label}.opset: {stage.opset} is not supported, expected {OPSET}")
            if stage.scaled_features is not None and sorted(stage.scaled_features) != sorted(stage.features):
                raise ManifestError(f"{label}.scaled_features: not the features in another order")
            try:
                _check_values(stage)
            except ValueError as error:
                raise ManifestError(f"{label}.{error}") from None
        self._check_classes()
        if (self.required_candles or 0) > MAX_CANDLES:
            raise ManifestError(
                f"the features and window need {self.required_candles} candles, but a request has at most {MAX_CANDLES}"
            )

    def _check_classes(self) -> None:
        if self.classes is not None and sorted(self.classes) != ["hold", "long", "short"]:
            raise ManifestError(f"stage1.classes: {list(self.classes)} are not hold, long and short in any order")
        if self.classes is not None and self.stage2 is not None:
            raise ManifestError(
                "stage2: must be null, because the network of stage1 has `classes` and names directions"
            )
        if self.stage2 is not None and self.stage2.classes is not None:
            raise ManifestError("stage2.classes: must be null; only a stage1 without a stage2 can have classes")


def _check_values(stage: Stage) -> None:
    """Raise ValueError, with the field, unless all numbers about the inputs have the shape of the stage's window."""
    if stage.limits is not None:
        limits.check(stage.limits, stage.num_features)
    if stage.training_ranges is not None:
        limits.check_ranges(stage.training_ranges, stage.num_features)
    if stage.background is not None:
        limits.check_background(stage.background, stage.sequence_length, stage.num_features)


def check_decision(threshold: float, weights: tuple[float, float]) -> None:
    """Raise ManifestError unless 0 <= threshold <= 1 and both weights are at least 0 and sum to 1."""
    if not 0.0 <= threshold <= 1.0:
        raise ManifestError(f"threshold: {threshold} is not within 0 to 1")
    if not all(weight >= 0.0 for weight in weights):
        raise ManifestError(f"confidence_weights: {list(weights)} are not both 0 or more")
    if not math.isclose(sum(weights), 1.0, abs_tol=1e-9):
        raise ManifestError(f"confidence_weights: {list(weights)} sum to {sum(weights)}, expected 1")


def check_features(names: tuple[str, ...], place: str, inputs: Inputs = "candles") -> None:
    """Raise ManifestError for an empty list, a duplicate, or a name that cannot be used.

    Features of candles must be in the catalogue. Those of a version that takes ready-made features only may have any
    printable name.
    """
    if not names:
        raise ManifestError(f"{place}: no feature is named")
    for name in names:
        if inputs == "candles":
            try:
                catalogue.feature(name)
            except catalogue.UnknownFeature as error:
                raise ManifestError(f"{place}: {error}") from None
        elif not 1 <= len(name) <= FEATURE_NAME or not name.isprintable():
            raise ManifestError(
                f"{place}: {name[:FEATURE_NAME]!r} is no name of a feature; expected 1 to {FEATURE_NAME} printable"
                " characters"
            )
    for name, count in Counter(names).items():
        if count > 1:
            raise ManifestError(f"{place}: {name!r} is named {count} times")


def encode(manifest: Manifest) -> bytes:
    """Encode as JSON: deterministic, and indented for readability."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=2) + b"\n"


_decoder = msgspec.json.Decoder(Manifest)
_format_decoder = msgspec.json.Decoder(dict[str, Any])


def decode(data: bytes) -> Manifest:
    """Decode and check a manifest. Raises ManifestError."""
    try:
        found = _format_decoder.decode(data).get("format_version")
        if found not in (*_EARLIER, FORMAT_VERSION):
            raise ManifestError(_unknown_format(found))
        manifest = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestError(with_place_first(str(error))) from None
    if manifest.format_version in _EARLIER:
        manifest = msgspec.structs.replace(manifest, label_rule=_label_in(manifest.metadata))
    manifest.check()
    try:
        orjson.dumps(msgspec.to_builtins(manifest))
    except TypeError as error:  # msgspec accepts larger integers and deeper nesting than orjson
        raise ManifestError(f"has a value that the server cannot send as JSON: {error}") from None
    return manifest


def _unknown_format(found: object) -> str:
    """The error for a format that this release does not read."""
    if isinstance(found, int) and found > FORMAT_VERSION:
        return (
            f"format_version: {found} is newer than this server reads (up to {FORMAT_VERSION}); upgrade the server, or"
            " convert the version with the release that the server runs"
        )
    return f"format_version: {found!r} is not supported, expected {', '.join(map(str, _EARLIER))} or {FORMAT_VERSION}"


def _label_in(metadata: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """The label rule of a manifest of format 1, which has it in the metadata of Stage 1; None if it has none."""
    stage = metadata.get("stage1")
    return stage.get("label") if isinstance(stage, dict) else None
