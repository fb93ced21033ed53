"""Convert and prove one version of versions.toml: the manifest and the graphs, ready to be published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from convert import stage
from convert.errors import Refused
from convert.options import Options
from convert.proof.rules import ClassesRule, DecisionRule, Rule
from convert.sources import classes, training_data
from convert.sources.versions import DirectionStageFiles, StageFiles, StageSource, Version
from convert.stage import ConvertedStage, Report
from convert.untrusted.contained import Contents
from core.bundles.bundle import MANIFEST_BYTES
from core.bundles.manifest import FORMAT_VERSION, DirectionStage, Manifest, ManifestError, Stage, decode, encode
from core.inference.decision import decide

# Entries of the metadata that the manifest has as separate fields.
_ELSEWHERE = ("metrics", training_data.RANGES, training_data.BACKGROUND)


class ConvertedBundle(NamedTuple):
    """A converted version. graphs: bytes of all files but the manifest, by name. reports: by stage."""

    manifest: Manifest
    graphs: dict[str, bytes]
    reports: dict[str, Report]


def convert_version(  # noqa: PLR0913, PLR0917 - the parts of one job
    name: str,
    version: Version,
    sources: dict[str, StageSource],
    contents: Mapping[str, Contents],
    step: Callable[[str], None],
    options: Options | None = None,
) -> ConvertedBundle:
    """Convert and prove all stages of a version. Raises Refused, with the version and the stage.

    sources: the stages' files, from versions.read_stages. contents: of models and scalers, by file name.
    step: called with a description of each next step. options: those of the command that every stage needs.
    """
    stages: dict[str, ConvertedStage] = {}
    for label, given in sources.items():
        place = f"{name} {label}"
        try:
            stages[label] = stage.convert_stage(
                label, given, contents, _rule(version, given.files), _within(place, step), options or Options()
            )
        except Refused as error:
            raise Refused.at(place, error) from None
        except Exception as error:  # the files are untrusted, so every error is a refusal, with its place
            raise Refused.at(place, f"{type(error).__name__}: {error}") from error
    metadata = {label: given.metadata for label, given in sources.items()}
    stage2 = None
    if version.stage2 is not None:
        stage2 = DirectionStage(**stages["stage2"].fields, positive=version.stage2.wanted)
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        version=name,
        name=version.name,
        description=version.description,
        threshold=version.threshold,
        confidence_weights=version.confidence_weights,
        stage1=Stage(**stages["stage1"].fields),
        stage2=stage2,
        metrics={label: found["metrics"] for label, found in metadata.items() if "metrics" in found},
        metadata={
            label: {k: v for k, v in found.items() if k not in _ELSEWHERE} for label, found in metadata.items() if found
        },
        tools={tool: release for converted in stages.values() for tool, release in converted.tools.items()},
        inputs=version.inputs,
        label_rule=metadata["stage1"].get(training_data.LABEL),
    )
    _check(manifest)
    graphs = {file: data for converted in stages.values() for file, data in converted.graphs.items()}
    return ConvertedBundle(manifest, graphs, {label: converted.report for label, converted in stages.items()})


def _check(manifest: Manifest) -> None:
    """Raise Refused unless the server will read the manifest."""
    encoded = encode(manifest)
    if len(encoded) > MANIFEST_BYTES:
        raise Refused.at(
            manifest.version,
            f"its manifest has {len(encoded):,} bytes, but the server reads at most {MANIFEST_BYTES:,}; shorten the"
            f" metadata, or leave out {training_data.BACKGROUND}",
        )
    try:
        decode(encoded)
    except ManifestError as error:
        raise Refused.at(manifest.version, error) from None


def _within(place: str, step: Callable[[str], None]) -> Callable[[str], None]:
    return lambda text: step(f"{place}: {text}")


def _rule(version: Version, files: StageFiles) -> Rule:
    """The part of the product's decision that one stage makes: the gate for Stage 1, the direction for Stage 2.

    If both parts agree on every window, the signals of all pairs of windows agree. A network for hold, long and short
    makes both.
    """
    if files.classes is not None and classes.serves_both(files.classes):
        return ClassesRule(files.classes, version.threshold)
    if isinstance(files, DirectionStageFiles):
        positive = files.wanted
        return DecisionRule(
            lambda p2: decide(1.0, p2, threshold=version.threshold, positive=positive).signal, border=0.5
        )
    return DecisionRule(
        lambda p1: (
            "a reversal" if decide(p1, None, threshold=version.threshold, positive=None).reversal_detected else "hold"
        ),
        border=version.threshold,
    )
