"""Convert one stage: from its files to its proven graphs."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from convert import inspection, loading
from convert.errors import Refused
from convert.networks import cleaning
from convert.networks.ways import Way
from convert.options import Options
from convert.proof import parity, rounding
from convert.proof.parity import GraphSession
from convert.proof.rules import Rule
from convert.scalers.scaler import Scaler
from convert.sources import background as stored
from convert.sources import training_data
from convert.sources.versions import StageSource
from convert.untrusted.contained import Contents
from convert.untrusted.models import memory
from core.bundles import windows as windows_file
from core.bundles.limits import of_training
from core.bundles.manifest import OPSET, File, WindowsFile

# The steps of each stage. Their number gives the length of the progress bar.
STEPS = ("reading", "converting", "proving", "timing")
# For a stage without a scaler whose features cannot be computed from candles.
_WITHOUT_CANDLES = "no scaler, and its features are not computed from candles: proven on standard normal windows only"


class Report(NamedTuple):
    """The figures of one converted stage that the command prints. Times are medians for one window, in seconds.

    way: the table of layers, tf2onnx for the reason given, from trees, or a mean. loops: in it, which run step by step.
    """

    parameters: int
    model_bytes: int
    graph_bytes: int
    nodes: dict[str, int]  # by operator
    max_difference: float
    framework: str
    framework_seconds: float
    onnx_seconds: float
    notes: list[str]
    way: Way = "layers"
    loops: int = 0
    reason: str = ""


class ConvertedStage(NamedTuple):
    """A converted stage. fields: of the manifest. graphs: bytes of all files by name. tools: their releases."""

    fields: dict[str, Any]
    graphs: dict[str, bytes]
    tools: dict[str, str]
    report: Report


def convert_stage(  # noqa: PLR0913, PLR0917 - the parts of one job
    label: str,
    given: StageSource,
    contents: Mapping[str, Contents],
    rule: Rule,
    step: Callable[[str], None],
    options: Options,
) -> ConvertedStage:
    """Convert and prove one stage. Calls `step` with each of STEPS as it begins. Raises Refused.

    contents: of models and scalers, by file name. options: those of the command that every stage needs.
    """
    files, features = given.files, given.features
    step("reading")
    scaler = inspection.scaler_of(given, contents)
    ranges = training_data.training_ranges(given)
    limits, scaled_features = None if ranges is None else of_training(*zip(*ranges, strict=True)), None
    order = list(range(len(features)))
    if scaler is not None:
        limits = scaler.limits(len(features), limits)
        order = scaler.order(len(features))
        if order != sorted(order):
            scaled_features = tuple(features[place] for place in order)
    column_names = tuple(given.column_names[place] for place in order)
    loaded = loading.load(
        inspection.models_of(given, contents), given, column_names, options, lambda: step("converting")
    )
    model, built = loaded.reference, loaded.built
    background, background_file = training_data.background(given, model.window), None
    network_bytes = built.graph.SerializeToString(deterministic=True)
    network_file = _file(f"{label}-network", network_bytes)
    graphs = {network_file.file: network_bytes}
    if given.background is not None:
        stored.check_steps(given.background, files.background or "", model.window[0])
        data = windows_file.encode(given.background)
        background_file = _windows_file(f"{label}-background", data, len(given.background))
        graphs[background_file.file] = data
        if background is None:
            background = tuple(map(tuple, given.background.mean(axis=0, dtype=np.float64).tolist()))

    step("proving")
    scaling, scaler_file, figures = None, None, dict[str, Any](loaded.figures)
    if scaler is not None:
        scaler_bytes = scaler.build(model.window).SerializeToString(deterministic=True)
        # The name has no stage, so that stages with the same scaler share a file, and the server scales once.
        scaler_file = _file("scaler", scaler_bytes)
        graphs[scaler_file.file] = scaler_bytes
        scaling = (scaler, GraphSession(scaler_bytes))
        figures |= parity.check_scaler(*scaling, model.window)
    session = loaded.session()
    with memory.limited_proof():
        of_parts = {}
        for name, part in loaded.parts.items():
            try:
                of_parts[name] = part.figures | parity.check_network(
                    part.reference, part.session(), scaling, scaled_features or features, rule, part.probes
                )
            except Refused as error:
                raise Refused.at(name, error) from None
        figures |= parity.check_network(model, session, scaling, scaled_features or features, rule, loaded.probes)
    if of_parts:
        figures["models"] = of_parts

    step("timing")
    fields: dict[str, Any] = {
        "features": features,
        "sequence_length": model.window[0],
        "parameters": loaded.parameters,
        "opset": OPSET,
        "network": network_file,
        "scaler": scaler_file,
        "sources": {
            role: File(name, given.hashes.get(role) or contents[name].sha256) for role, name in files.by_role.items()
        },
        "parity": figures,
        "limits": limits,
        "training_ranges": ranges,
        "background": background,
        "background_windows": background_file,
        "classes": loaded.classes,
        "scaled_features": scaled_features,
    }
    report = Report(
        parameters=loaded.parameters,
        model_bytes=sum(contents[name].size for name in files.models),
        graph_bytes=len(network_bytes),
        nodes=dict(cleaning.operators(built.graph.graph)),
        max_difference=figures["max_difference"],
        framework=" ".join(model.tool),
        framework_seconds=model.seconds(),
        onnx_seconds=_seconds(session, model.window),
        notes=[
            *rounding.notes(figures, " ".join(model.tool)),
            *_notes_of_inputs(scaler, features),
            *loaded.notes,
        ],
        way=built.way,
        loops=built.loops,
        reason=built.reason,
    )
    return ConvertedStage(fields, graphs, loaded.tools, report)


def _notes_of_inputs(scaler: Scaler | None, features: tuple[str, ...]) -> list[str]:
    if scaler is not None:
        return scaler.notes
    return [] if parity.can_compute(features) else [_WITHOUT_CANDLES]


def _file(kind: str, graph: bytes) -> File:
    """The file of a graph, named by its hash."""
    digest = _sha256(graph)
    return File(f"{kind}-{digest[:16]}.onnx", digest)


def _windows_file(kind: str, data: bytes, count: int) -> WindowsFile:
    digest = _sha256(data)
    return WindowsFile(f"{kind}-{digest[:16]}.npy", digest, count=count)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _seconds(session: GraphSession, window: tuple[int, int], runs: int = 200) -> float:
    one = np.zeros((1, *window), np.float32)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        session.run(one)
        times.append(time.perf_counter() - start)
    return median(times)
