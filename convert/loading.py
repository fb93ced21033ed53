"""Load the model of a stage and build its graph: of Keras, a tree ensemble of LightGBM, or a mean of several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import metadata as distributions
from typing import NamedTuple

import msgspec
import numpy as np

from convert import mean
from convert.errors import Refused
from convert.graph import FLOAT, GraphBuilder
from convert.layers.network import INPUT, OUTPUT
from convert.mean import MeanModel
from convert.networks import heads, ways, windows
from convert.networks.keras_model import KerasModel
from convert.networks.ways import BuiltNetwork
from convert.options import Options
from convert.proof.parity import Floats32, GraphSession, ServedSession
from convert.sources.versions import StageSource
from convert.trees import columns, ensemble, probes
from convert.trees.booster import BoosterModel
from convert.untrusted.models import memory
from convert.untrusted.records import KerasFile, TreesFile

_CHUNK = 512  # windows whose leaves are counted at once


class LoadedModel(NamedTuple):
    """The model of a stage, with what its conversion needs.

    parameters: the number of its trained values. classes: of three outputs, in their order. probes: the windows that it
    is proven on beside those of all models. tools: the releases that took part. figures: for the manifest's `parity`.
    served: whether it compares inputs with thresholds, so that it is proven with what the server adds to each.
    parts: the models of a mean, by file name, which are proven by themselves too.
    """

    reference: KerasModel | BoosterModel | MeanModel
    built: BuiltNetwork
    parameters: int
    classes: tuple[str, ...] | None
    notes: Sequence[str]
    tools: dict[str, str]
    probes: Sequence[tuple[str, Floats32]] = ()
    figures: dict[str, int] = {}  # noqa: RUF012 - never changed
    served: bool = False
    parts: dict[str, LoadedModel] = {}  # noqa: RUF012 - never changed

    def session(self) -> GraphSession:
        """The graph in ONNX Runtime, with the inputs that the server gives it."""
        graph = self.built.graph.SerializeToString(deterministic=True)
        return ServedSession(graph) if self.served else GraphSession(graph)


def load(
    models: Mapping[str, KerasFile | TreesFile],
    given: StageSource,
    names: tuple[str, ...],
    options: Options,
    converting: Callable[[], None],
) -> LoadedModel:
    """Load the models of a stage and build its graph. Raises Refused, which names the file.

    models: by file name. names: the user's, of the models' inputs in their order. converting: called between loading
    and building, or before both for a mean.
    """
    if len(models) == 1:
        ((name, file),) = models.items()
        return _one(name, file, given, names, options, converting)
    converting()
    parts: dict[str, LoadedModel] = {}
    files = given.files
    # Ensembles of the last step take windows of any length, so that the others decide it.
    for name in sorted(models, key=lambda name: columns.is_of_last_step(models[name], given.features)):
        parts[name] = _one(name, models[name], given._replace(files=files), names, options, lambda: None)
        files = msgspec.structs.replace(files, sequence_length=parts[name].reference.window[0])
    return _mean({name: parts[name] for name in models})


def _one(  # noqa: PLR0913, PLR0917 - the parts of one stage
    name: str,
    file: KerasFile | TreesFile,
    given: StageSource,
    names: tuple[str, ...],
    options: Options,
    converting: Callable[[], None],
) -> LoadedModel:
    try:
        if isinstance(file, TreesFile):
            return _trees(file, given, names, converting)
        return _keras(file, given, options, converting)
    except Refused as error:
        raise Refused.at(name, error) from None


def _mean(parts: dict[str, LoadedModel]) -> LoadedModel:
    references = []
    for name, part in parts.items():
        reference = part.reference
        if part.classes is not None or isinstance(reference, MeanModel):
            raise Refused.at(name, "answers several values, but a mean is of models that answer one")
        references.append(reference)
    model = MeanModel(references)
    loaded = list(parts.values())
    return LoadedModel(
        model,
        BuiltNetwork(mean.merged([part.built.graph for part in loaded], model.window), "mean", 0, ""),
        sum(part.parameters for part in loaded),
        None,
        [
            f"{name}: {note}"
            for name, part in parts.items()
            for note in (ways.said(part.built.way, part.built.reason), *part.notes)
        ],
        {tool: release for part in loaded for tool, release in part.tools.items()},
        [(f"{name}, {kind}", drawn) for name, part in parts.items() for kind, drawn in part.probes],
        served=any(part.served for part in loaded),
        parts=parts,
    )


def _keras(file: KerasFile, given: StageSource, options: Options, converting: Callable[[], None]) -> LoadedModel:
    files = given.files
    model = KerasModel(
        file,
        files.output,
        files.sequence_length,
        windows.StatedWindow(files.features, len(given.features), files.layout),
        heads.StatedHead(files.wanted, files.classes),
        options.custom,
    )
    converting()
    with memory.limited_proof():
        built = ways.build(model, allow_fallback=options.fallback)
    import tensorflow as tf  # noqa: PLC0415 - takes seconds; the model's framework has imported it

    # Its package is `tensorflow` or `tensorflow-cpu`, so the version is read from the module.
    tools = {"tensorflow": str(tf.__version__)} | _releases(*(["tf2onnx"] if built.way == "tf2onnx" else []))
    notes = [*model.notes, *options.notes(file)]
    return LoadedModel(
        model, built, model.parameters, model.head.classes, notes, tools | dict([model.tool]) | options.tools(file)
    )


def _trees(file: TreesFile, given: StageSource, names: tuple[str, ...], converting: Callable[[], None]) -> LoadedModel:
    read = columns.find(len(file.columns), len(given.features), given.files)
    if file.is_named:
        columns.check_names(read, file.columns, names, given.files.features)
    model = BoosterModel(file, read)
    converting()
    graph = GraphBuilder()
    sums = ensemble.emit(graph, file, read, INPUT)
    answer = graph.value("Sigmoid" if file.outputs == 1 else "Softmax", "head", sums)
    built = graph.finish((INPUT, FLOAT, model.window), (OUTPUT, FLOAT, (file.outputs,)), answer)
    drawn = probes.windows(file, read)
    leaves = {"leaves": file.value.shape[0], "leaves_reached": _reached(model, [each for _, each in drawn])}
    kind = f"{file.trees:,} trees, {leaves['leaves_reached']:,} of {leaves['leaves']:,} leaves reached in the proof"
    return LoadedModel(
        model,
        BuiltNetwork(built, "trees", 0, ""),
        file.parameters,
        given.files.classes if file.outputs > 1 else None,
        [kind, read.note],
        _releases() | dict([model.tool]),
        drawn,
        leaves,
        served=True,
    )


def _reached(model: BoosterModel, drawn: Sequence[Floats32]) -> int:
    """How many leaves any of these windows reaches."""
    found: set[tuple[int, int]] = set()
    for windows_of_kind in drawn:
        for first in range(0, len(windows_of_kind), _CHUNK):
            leaves = model.leaves(windows_of_kind[first : first + _CHUNK])
            for tree in range(leaves.shape[1]):
                found.update((tree, leaf) for leaf in np.unique(leaves[:, tree]).tolist())
    return len(found)


def _releases(*more: str) -> dict[str, str]:
    return {package: distributions.version(package) for package in ("onnx", "onnxruntime", "scikit-learn", *more)}
