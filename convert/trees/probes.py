"""Windows that an ensemble is proven on beside those of every stage: near its thresholds, and one for each leaf.

A random window rarely comes near a threshold, where a wrong comparison shows, and reaches few of the deep leaves.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from convert.trees import ensemble
from convert.trees.columns import TreeColumns
from convert.trees.ensemble import Tree
from convert.untrusted.records import TreesFile
from core.bundles.limits import LARGEST

Floats32: TypeAlias = NDArray[np.float32]

WINDOWS = 1_000
# Leaves that get a window of their own, chosen at random if there are more.
MOST_LEAVES = 4_000
# The server does not tell smaller numbers from 0 (stage_runner.TINY).
SMALLEST = np.float32(1e-17)
_SEED = 20171231


def windows(file: TreesFile, columns: TreeColumns) -> list[tuple[str, Floats32]]:
    """Windows (batch, steps, features), by their kind."""
    rng = np.random.default_rng(_SEED)
    shape = (columns.steps, columns.features)
    near = _near_thresholds(file, WINDOWS, rng)
    found = [("values at thresholds and beside them", _placed(near, columns, rng).reshape(-1, *shape))]
    inside = _in_leaves(file, rng)
    if len(inside):
        found.append(("one window for a leaf", _placed(inside, columns, rng).reshape(-1, *shape)))
    return found


def _near_thresholds(file: TreesFile, count: int, rng: np.random.Generator) -> Floats32:
    """Inputs (count, columns), each at a threshold of its column or one float32 beside it; normal if it has none."""
    found = rng.standard_normal((count, len(file.columns))).astype(np.float32)
    column, threshold = file.column.value(), ensemble.rounded_down(file.threshold.value())
    for i in np.unique(column).tolist():
        drawn = rng.choice(threshold[column == i], count)
        side = rng.integers(0, 3, count)
        found[:, i] = np.choose(side, [below(drawn), at(drawn), above(drawn)])
    return found


def _in_leaves(file: TreesFile, rng: np.random.Generator) -> Floats32:
    """Inputs (leaves, columns) that reach one leaf each, at the ends of what leads there. Leaves out empty ones."""
    every = [(tree, leaf) for tree in ensemble.trees(file) for leaf in range(len(tree.value)) if len(tree.column)]
    if len(every) > MOST_LEAVES:
        every = [every[i] for i in np.sort(rng.choice(len(every), MOST_LEAVES, replace=False))]
    rows = _near_thresholds(file, len(every), rng)
    return rows[np.array([_lead(row, *each) for row, each in zip(rows, every, strict=True)], np.bool_)]


def _lead(row: Floats32, tree: Tree, leaf: int) -> bool:
    """Set the inputs of a row that lead to a leaf. Returns whether there are such."""
    ends: dict[int, tuple[float, float]] = {}
    threshold = ensemble.rounded_down(tree.threshold).tolist()
    child = -leaf - 1
    for i in range(len(tree.column) - 1, -1, -1):  # a parent comes before its children
        if child not in (tree.left[i], tree.right[i]):
            continue
        low, high = ends.get(int(tree.column[i]), (-np.inf, np.inf))
        if child == tree.left[i]:
            high = min(high, threshold[i])
        else:
            low = max(low, threshold[i])
        ends[int(tree.column[i])], child = (low, high), i
    for column, (low, high) in ends.items():
        lowest, highest = above(np.array([low], np.float32))[0], at(np.array([high], np.float32))[0]
        if not lowest <= highest:
            return False
        row[column] = lowest if high == np.inf or (low > -np.inf and leaf % 2) else highest
    return True


def at(threshold: Floats32) -> Floats32:
    """The largest inputs at or below a threshold that the server tells from others."""
    found = np.clip(threshold, -np.float32(LARGEST), np.float32(LARGEST))
    tiny = np.abs(found) < SMALLEST
    return np.where(tiny, np.where(threshold >= 0.0, np.float32(0.0), -SMALLEST), found)


def above(threshold: Floats32) -> Floats32:
    """The smallest inputs above a threshold."""
    with np.errstate(over="ignore"):
        following = np.clip(np.nextafter(threshold, np.float32(np.inf)), -np.float32(LARGEST), np.float32(LARGEST))
    tiny = np.abs(following) < SMALLEST
    return np.where(tiny, np.where(threshold >= 0.0, SMALLEST, np.float32(0.0)), following)


def below(threshold: Floats32) -> Floats32:
    """The largest inputs below those of `at`."""
    return at(np.nextafter(at(threshold), np.float32(-np.inf)))


def _placed(inputs: Floats32, columns: TreeColumns, rng: np.random.Generator) -> Floats32:
    """Windows (batch, values) with these inputs, and normal values where no column is."""
    found = rng.standard_normal((len(inputs), columns.steps * columns.features)).astype(np.float32)
    found[:, columns.places] = inputs
    return found
