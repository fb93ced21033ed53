"""The numbers of one tree in LightGBM's text: read, and checked so that every walk through it ends in a leaf.

LightGBM writes splits in the order in which it made them, so a child comes behind its parent. A text in which one does
not is refused.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convert.errors import Refused
from convert.untrusted import limits
from convert.untrusted.trees.values import SAVE_AGAIN, Values, whole

_INTEGERS = (b"split_feature", b"decision_type", b"left_child", b"right_child")
_THRESHOLD, _VALUE, _LEAVES = b"threshold", b"leaf_value", b"num_leaves"
KEYS = (b"num_cat", b"is_linear", _LEAVES, _VALUE, _THRESHOLD, *_INTEGERS)
# The bits of a decision: categories, the side of missing values, and which values are missing.
_CATEGORIES, _MISSING, _ZERO = 1, 2, 1

Integers: TypeAlias = NDArray[np.int32]
Floats: TypeAlias = NDArray[np.float64]


class TreeBlock(NamedTuple):
    """The numbers of one tree, as in the record, and its depth in splits."""

    column: Integers
    decision: Integers
    left: Integers
    right: Integers
    threshold: Floats
    value: Floats
    depth: int


def read(block: Values, columns: int) -> TreeBlock:
    """The tree of a block, in a model of so many columns. Raises Refused."""
    for key in (_LEAVES, _VALUE):
        if key not in block:
            raise Refused(f"no {key.decode()}; {SAVE_AGAIN}")
    leaves = whole(block, _LEAVES, 1, limits.LEAVES_OF_TREE)
    if block.get(b"num_cat", b"0") != b"0":
        raise Refused(_of_categories())
    if block.get(b"is_linear", b"0") != b"0":
        raise Refused("a linear tree, which has a formula in each leaf; train it with linear_tree=false")
    value = _numbers(block, _VALUE, leaves)
    if leaves == 1:
        none = np.empty(0, np.int32)
        return TreeBlock(none, none, none, none, np.empty(0), value, 0)
    column, decision, left, right = (_integers(block, key, leaves - 1) for key in _INTEGERS)
    wrong = column[(column < 0) | (column >= columns)]
    if len(wrong):
        raise Refused(f"a split by column {wrong[0]}, but the model has {columns:,}; {SAVE_AGAIN}")
    _check_decisions(decision, column)
    threshold = _numbers(block, _THRESHOLD, leaves - 1)
    return TreeBlock(column, decision, left, right, threshold, value, _depth(left, right, leaves))


def _check_decisions(decision: Integers, column: Integers) -> None:
    missing = decision >> _MISSING
    wrong = decision[(decision < 0) | (missing > _MISSING)]
    if len(wrong):
        raise Refused(f"decision_type {wrong[0]} is unknown; {SAVE_AGAIN}")
    for at in column[(decision & _CATEGORIES) != 0][:1]:
        raise Refused(_of_categories(at))
    for at in column[missing == _ZERO][:1]:
        raise Refused(
            f"column {at} has zeros that count as missing, but to the server 0 is a value like others; train it with"
            " zero_as_missing=false"
        )


def _of_categories(column: int | None = None) -> str:
    of = "splits" if column is None else f"column {column} is split"
    return (
        f"{of} by categories, but features are numbers; train it without categorical_feature, and give a column of 0"
        " and 1 for each category"
    )


def _depth(left: Integers, right: Integers, leaves: int) -> int:
    """The depth of a tree, in splits. Raises Refused unless each split but the first, and each leaf, has one parent."""
    children = np.concatenate([left, right])
    order = np.argsort(children, kind="stable")
    expected = np.concatenate([np.arange(-leaves, 0), np.arange(1, leaves - 1)])
    for wrong in children[order][children[order] != expected][:1]:
        raise Refused(f"the children of its splits are not each split and leaf once, first at {wrong}; {SAVE_AGAIN}")
    parents = order[leaves:] % (leaves - 1)  # of the splits 1, 2, …
    for i in np.flatnonzero(parents > np.arange(leaves - 2))[:1]:
        raise Refused(f"split {i + 1} is a child of the later split {parents[i]}, so there is a circle; {SAVE_AGAIN}")
    depths = [1]
    for parent in parents.tolist():
        depths.append(depths[parent] + 1)
    if max(depths) > limits.TREE_DEPTH:
        raise Refused(f"more than {limits.TREE_DEPTH} splits deep; train it with max_depth")
    return max(depths)


def _tokens(block: Values, key: bytes, count: int) -> list[bytes]:
    """The values of a line, of which there must be `count`. Separators are counted before they are split."""
    line = block.get(key, b"")
    found = line.count(b" ") + 1
    tokens = line.split(b" ") if found == count else []
    if not tokens or not all(tokens):
        raise Refused(f"{found:,} values of {key.decode()}, expected {count:,}; {SAVE_AGAIN}")
    return tokens


def _integers(block: Values, key: bytes, count: int) -> Integers:
    try:
        return np.array([*map(int, _tokens(block, key, count))], np.int32)
    except (OverflowError, ValueError):
        raise Refused(f"{key.decode()} has a value that is no whole number of 32 bits; {SAVE_AGAIN}") from None


def _numbers(block: Values, key: bytes, count: int) -> Floats:
    tokens = _tokens(block, key, count)
    try:
        found = np.array([*map(float, tokens)])
    except ValueError:
        found = np.array([math.nan])
    if not np.isfinite(found).all():
        raise Refused(f"{key.decode()} has a value that is no finite number, so the training failed; train it again")
    return found
