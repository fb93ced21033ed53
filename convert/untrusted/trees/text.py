"""Read the text that LightGBM's `Booster.save_model` writes, without LightGBM.

The text has a head, a block for each tree, and the parameters of the training, which are not read. The lines of a block
are `key=value`, with one number for each split or leaf.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from convert.errors import Refused
from convert.untrusted import limits
from convert.untrusted.records import ArrayRecord, TreesFile
from convert.untrusted.trees import objective, tree
from convert.untrusted.trees.tree import TreeBlock
from convert.untrusted.trees.values import SAVE_AGAIN, Values, shown, whole

_BEGINNING = re.compile(rb"tree\r?\nversion=")
START = 16  # bytes at the beginning of a file that say whether it is such a text
_VERSIONS = (b"v3", b"v4")
_VERSION, _COLUMNS, _NAMES = b"version", b"max_feature_idx", b"feature_names"
_HEAD = (_VERSION, _COLUMNS, _NAMES, *objective.KEYS)
_OPTIONAL = b"objective"
_AVERAGED, _TREE, _END = b"average_output", b"Tree=", b"end of trees"


def begins(start: bytes) -> bool:
    """Whether these are the first bytes of LightGBM's text."""
    return _BEGINNING.match(start) is not None


def read(path: Path) -> TreesFile:
    """Read and check a file. Raises Refused; the message does not name the file."""
    if path.stat().st_size > limits.TREES_FILE:
        raise Refused(f"larger than {limits.in_mib(limits.TREES_FILE)}; train fewer or smaller trees")
    with path.open("rb") as file:
        return parse(file)


def parse(file: IO[bytes]) -> TreesFile:
    """Read and check the text. Raises Refused."""
    lines = _lines(file)
    head, averaged = _head(lines)
    columns = _columns(head)
    name, steepness, outputs = objective.read(head)
    trees: list[TreeBlock] = []
    leaves = 0
    for i, block in enumerate(_blocks(lines)):
        if i >= limits.TREES:
            raise Refused(f"more than {limits.TREES:,} trees; train fewer, with a higher learning_rate")
        try:
            found = tree.read(block, len(columns))
        except Refused as error:
            raise Refused.at(f"tree {i}", error) from None
        leaves += len(found.value)
        if leaves > limits.LEAVES:
            raise Refused(f"more than {limits.LEAVES:,} leaves; train fewer trees, or with fewer num_leaves")
        trees.append(found)
    if not trees or len(trees) % outputs:
        raise Refused(f"{len(trees)} trees for {outputs} output(s); {SAVE_AGAIN}")
    return TreesFile(
        name,
        steepness,
        averaged,
        outputs,
        columns,
        leaves=_joined([np.array([len(each.value) for each in trees], np.int32)]),
        column=_joined([each.column for each in trees]),
        threshold=_joined([each.threshold for each in trees]),
        decision=_joined([each.decision for each in trees]),
        left=_joined([each.left for each in trees]),
        right=_joined([each.right for each in trees]),
        value=_joined([each.value for each in trees]),
        depth=max(each.depth for each in trees),
    )


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    for line in file:
        yield line.rstrip(b"\r\n")


def _head(lines: Iterator[bytes]) -> tuple[Values, bool]:
    """The values of the head, and whether the trees are averaged."""
    found: Values = {}
    averaged = False
    if next(lines, b"") != b"tree":
        raise Refused(f"not the text of a LightGBM model; {SAVE_AGAIN}")
    for line in lines:
        if not line:
            break
        averaged = averaged or line == _AVERAGED
        _keep(found, line, _HEAD)
    for key in _HEAD:
        if key not in found and key != _OPTIONAL:
            raise Refused(f"no {key.decode()} in its head; {SAVE_AGAIN}")
    if found[_VERSION] not in _VERSIONS:
        raise Refused(
            f"written in the form {shown(found[_VERSION])}, but v3 and v4 are read (LightGBM 3 and 4): load it with"
            " LightGBM 4 and save it again"
        )
    return found, averaged


def _blocks(lines: Iterator[bytes]) -> Iterator[Values]:
    """The values of each tree, in order."""
    block: Values | None = None
    count = 0
    for line in lines:
        if line == _END or line.startswith(_TREE):
            if block is not None:
                yield block
            if line == _END:
                return
            if line.removeprefix(_TREE) != str(count).encode():
                raise Refused(f"tree {count} is missing: a line has {shown(line)}; {SAVE_AGAIN}")
            block, count = {}, count + 1
        elif line:
            if block is None:
                raise Refused(f"{shown(line)} comes before the first tree; {SAVE_AGAIN}")
            _keep(block, line, tree.KEYS)
    raise Refused(f"ends before its line `end of trees`, so a part is missing; {SAVE_AGAIN}")


def _keep(found: Values, line: bytes, wanted: Sequence[bytes]) -> None:
    key, _, value = line.partition(b"=")
    if key in found:
        raise Refused(f"{shown(key)} is there twice; {SAVE_AGAIN}")
    if key in wanted:
        found[key] = value


def _columns(head: Values) -> list[str]:
    count = whole(head, _COLUMNS, 0, limits.WINDOW - 1) + 1
    names = head[_NAMES].split(b" ") if head[_NAMES].count(b" ") < limits.WINDOW else []
    if len(names) != count:
        raise Refused(f"{len(names):,} names of columns, but max_feature_idx + 1 is {count:,}; {SAVE_AGAIN}")
    return [name[: limits.KEY_LENGTH].decode(errors="replace") for name in names]


def _joined(parts: Sequence[NDArray[Any]]) -> ArrayRecord:
    values = np.concatenate(parts)
    return ArrayRecord(values.dtype.str, values.shape, values.tobytes())
