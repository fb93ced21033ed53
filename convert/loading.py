"""Load the model of a stage and build its graph: of Keras, or a tree ensemble of LightGBM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import metadata as distributions
from typing import NamedTuple

import numpy as np

from convert.graph import FLOAT, GraphBuilder
from convert.layers.network import INPUT, OUTPUT
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
    """

    reference: KerasModel | BoosterModel
    built: BuiltNetwork
    parameters: int
    classes: tuple[str, ...] | None
    notes: Sequence[str]
    tools: dict[str, str]
    probes: Sequence[tuple[str, Floats32]] = ()
    figures: dict[str, int] = {}  # noqa: RUF012 - never changed

    def session(self, graph: bytes) -> GraphSession:
        """The graph in ONNX Runtime, with the inputs that the server gives it."""
        return ServedSession(graph) if isinstance(self.reference, BoosterModel) else GraphSession(graph)


def load(
    file: KerasFile | TreesFile,
    given: StageSource,
    columns_in_order: tuple[str, ...],
    options: Options,
    converting: Callable[[], None],
) -> LoadedModel:
    """Load a model and build its graph. Raises Refused; the message does not name the file.

    columns_in_order: the user's names of the model's inputs. converting: called between loading and building.
    """
    if isinstance(file, TreesFile):
        return _trees(file, given, columns_in_order, converting)
    return _keras(file, given, options, converting)


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
