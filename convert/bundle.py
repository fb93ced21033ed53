"""One version of versions.toml, converted and proven: its manifest and its graphs, ready to be published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from convert import stage, versions
from convert.errors import Refused
from convert.parity import DecisionRule
from convert.stage import ConvertedStage, Report
from convert.versions import DirectionStageFiles, StageFiles, StageSource, Version
from core.bundles.manifest import FORMAT_VERSION, DirectionStage, Manifest, ManifestError, Stage, decode, encode
from core.inference.decision import decide

# What the manifest has in fields of its own.
_ELSEWHERE = ("metrics", versions.RANGES)


class ConvertedBundle(NamedTuple):
    """`graphs` by file name, `reports` by stage."""

    manifest: Manifest
    graphs: dict[str, bytes]
    reports: dict[str, Report]


def convert_version(
    source: Path, name: str, version: Version, sources: dict[str, StageSource], step: Callable[[str], None]
) -> ConvertedBundle:
    """Convert and prove all stages of a version; raises Refused. `step` is told what comes next.

    `sources`: what versions.read_stages has read of them.
    """
    stages: dict[str, ConvertedStage] = {}
    for label, given in sources.items():
        place = f"{name} {label}"
        try:
            stages[label] = stage.convert_stage(source, label, given, _rule(version, given.files), _within(place, step))
        except Refused as error:
            raise Refused.at(place, error) from None
        except Exception as error:  # files of others: whatever goes wrong with one is a refusal, with its place
            raise Refused.at(place, f"{type(error).__name__}: {error}") from error
    metadata = {label: given.metadata for label, given in sources.items()}
    stage2 = None
    if version.stage2 is not None:
        stage2 = DirectionStage(**stages["stage2"].fields, positive=version.stage2.positive)
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
    )
    try:
        decode(encode(manifest))  # as the server will
    except ManifestError as error:
        raise Refused.at(name, error) from None
    graphs = {file: data for converted in stages.values() for file, data in converted.graphs.items()}
    return ConvertedBundle(manifest, graphs, {label: converted.report for label, converted in stages.items()})


def _within(place: str, step: Callable[[str], None]) -> Callable[[str], None]:
    return lambda text: step(f"{place}: {text}")


def _rule(version: Version, files: StageFiles) -> DecisionRule:
    """The product's rule as seen by one stage: the gate for Stage 1, the direction behind an open gate for Stage 2.

    If each of the two is the same on every window, then so is the signal of any pair of windows.
    """
    if isinstance(files, DirectionStageFiles):
        return DecisionRule(
            lambda p2: decide(1.0, p2, threshold=version.threshold, positive=files.positive).signal, border=0.5
        )
    return DecisionRule(
        lambda p1: (
            "a reversal" if decide(p1, None, threshold=version.threshold, positive=None).reversal_detected else "hold"
        ),
        border=version.threshold,
    )
