"""The graph of a tree ensemble: one TreeEnsembleRegressor over the values of a window.

LightGBM compares an input with a threshold in float64, the graph in float32. Every input is a float32, so the largest
float32 that is not above a threshold decides alike. The server adds TINY to every input (stage_runner), so
thresholds from 0 up have it added too: 0 stays on its side of 1e-35 and of -1e-35, LightGBM's usual thresholds beside
0. Only inputs nearer to 0 than 1e-17 can be taken for 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convert.graph import GraphBuilder
from convert.trees.columns import TreeColumns
from convert.untrusted.records import TreesFile
from core.bundles.onnx_file import TREES, TREES_DOMAIN
from core.inference.stage_runner import TINY

Floats: TypeAlias = NDArray[np.float64]
Floats32: TypeAlias = NDArray[np.float32]
Integers: TypeAlias = NDArray[np.int32]


class Tree(NamedTuple):
    """One tree of an ensemble, as in the record."""

    column: Integers
    threshold: Floats
    decision: Integers
    left: Integers
    right: Integers
    value: Floats


def trees(file: TreesFile) -> Iterator[Tree]:
    """The trees of a file, in order."""
    leaves = np.cumsum([0, *file.leaves.value()])
    splits = leaves - np.arange(len(leaves))  # a tree has one split less than leaves
    of_splits = [each.value() for each in (file.column, file.threshold, file.decision, file.left, file.right)]
    value = file.value.value()
    for i in range(file.trees):
        column, threshold, decision, left, right = (each[splits[i] : splits[i + 1]] for each in of_splits)
        yield Tree(column, threshold, decision, left, right, value[leaves[i] : leaves[i + 1]])


def scale(file: TreesFile) -> float:
    """The factor of the sums of leaves before the sigmoid or softmax."""
    return file.steepness / (file.trees // file.outputs if file.averaged else 1)


def rounded_down(thresholds: Floats) -> Floats32:
    """The largest float32 at or below each threshold: -inf below all of them."""
    with np.errstate(over="ignore"):
        nearest = thresholds.astype(np.float32)
    return np.where(nearest > thresholds, np.nextafter(nearest, np.float32(-np.inf)), nearest)


def emit(graph: GraphBuilder, file: TreesFile, columns: TreeColumns, window: str, scope: str = "trees") -> str:
    """Add the nodes that compute the sums (batch, outputs), float32, of windows (batch, steps, features)."""
    attributes: dict[str, list[Any]] = {}
    factor = scale(file)
    for i, tree in enumerate(trees(file)):
        scaled = tree._replace(value=factor * tree.value)
        for key, values in _of_tree(scaled, i, i % file.outputs, columns).items():
            attributes.setdefault(key, []).extend(values)
    flat = graph.value("Flatten", scope, window)
    return graph.value(TREES, scope, flat, domain=TREES_DOMAIN, n_targets=file.outputs, **attributes)


def _of_tree(tree: Tree, i: int, output: int, columns: TreeColumns) -> dict[str, list[Any]]:
    """The attributes of one tree: its splits in their order, then its leaves."""
    splits, leaves = len(tree.column), len(tree.value)
    places = np.array(columns.places)[tree.column] if splits else tree.column
    return {
        "nodes_treeids": [i] * (splits + leaves),
        "nodes_nodeids": [*range(splits + leaves)],
        "nodes_featureids": [*places.tolist(), *[0] * leaves],
        "nodes_modes": [*["BRANCH_LEQ"] * splits, *["LEAF"] * leaves],
        "nodes_values": [*_served(rounded_down(tree.threshold)).tolist(), *[0.0] * leaves],
        "nodes_truenodeids": [*_nodes(tree.left, splits), *[0] * leaves],
        "nodes_falsenodeids": [*_nodes(tree.right, splits), *[0] * leaves],
        "target_treeids": [i] * leaves,
        "target_nodeids": [*range(splits, splits + leaves)],
        "target_ids": [output] * leaves,
        "target_weights": tree.value.astype(np.float32).tolist(),
    }


def _served(thresholds: Floats32) -> Floats32:
    """The thresholds for inputs to which the server has added TINY. A negative one stays below the 0 of the server."""
    return np.where(thresholds < 0.0, thresholds, thresholds + TINY)


def _nodes(children: Integers, splits: int) -> list[int]:
    """The nodes of children: splits come first, and leaf -c - 1 is the node behind them."""
    return [child if child >= 0 else splits - 1 - child for child in children.tolist()]
