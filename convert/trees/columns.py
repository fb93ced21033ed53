"""Columns: which value of a window each input of a tree ensemble is.

A model with as many columns as features sees the last step of the window. One with that times the steps sees all of it,
step after step, or feature after feature if versions.toml says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convert.errors import Refused
from convert.sources.versions import StageFiles
from convert.untrusted import limits
from convert.untrusted.records import KerasFile, TreesFile

Floats32: TypeAlias = NDArray[np.float32]

# What may follow a feature's name: how many steps the value is before the last one.
_BACK = re.compile(r"_t-([0-9]{1,4})")


class TreeColumns(NamedTuple):
    """places: of each column in a window (steps, features), row by row. whole: whether all steps are seen."""

    steps: int
    features: int
    places: tuple[int, ...]
    whole: bool

    def of_array(self, windows: Floats32) -> Floats32:
        """The model's input for windows (batch, steps, features)."""
        return windows.reshape(len(windows), -1)[:, self.places]

    @property
    def note(self) -> str:
        """How the input is read, for the report."""
        count = len(self.places)
        if self.whole:
            return f"its {count} columns are the {self.steps} steps of {self.features} features"
        of = "one step" if self.steps == 1 else f"the last of {self.steps} steps"
        return f"its {count} columns are the features of {of}"


def find(count: int, features: int, files: StageFiles) -> TreeColumns:
    """The columns of a model with `count` of them, in a stage with so many features. Raises Refused."""
    stated = files.sequence_length
    if count == features:
        steps = stated or 1
        return TreeColumns(steps, features, tuple(range((steps - 1) * features, steps * features)), whole=False)
    if count % features:
        raise Refused(
            f"takes {count} columns, but {files.features} names {features} features; a tree ensemble takes as many (the"
            " last step of the window), or that times the steps (the whole window)"
        )
    steps = count // features
    if stated not in (None, steps):
        raise Refused(
            f"takes {count} columns, which are {steps} steps of the {features} features of {files.features}, but"
            f" sequence_length is {stated}"
        )
    if steps > limits.STEPS:
        raise Refused(f"takes a window of {steps:,} steps, more than {limits.STEPS:,}")
    places = np.arange(count).reshape(steps, features)
    ordered = places.T if files.layout == "features_first" else places
    return TreeColumns(steps, features, tuple(ordered.ravel().tolist()), whole=True)


def is_of_last_step(file: KerasFile | TreesFile, features: Sequence[str]) -> bool:
    """Whether a model is an ensemble of the last step, which takes windows of any length."""
    return isinstance(file, TreesFile) and len(file.columns) == len(features)


def check_names(columns: TreeColumns, names: Sequence[str], features: Sequence[str], file: str) -> None:
    """Raise Refused if the names of the columns, which are not LightGBM's own, show that they are others.

    features: the names that the stage has for them, in the order of the scaled values. Those of the last step have
    exactly these. For the whole window a name begins with that of its feature, and what follows is free, but for
    `_t-<k>`: that is k steps before the last.
    """
    for name, place in zip(names, columns.places, strict=True):
        feature = features[place % columns.features].replace(" ", "_")  # as LightGBM writes it
        back = columns.steps - 1 - place // columns.features
        rest = name.removeprefix(feature)
        if name == feature or (columns.whole and name.startswith(f"{feature}_") and _agrees(rest, back)):
            continue
        expected = f"{feature}_t-{back}" if columns.whole else feature
        raise Refused(
            f"its columns are not in the order of {file}: one is named {name[:60]!r}, but in its place is {expected};"
            " train it on an array of the features in the order of the list"
        )


def _agrees(rest: str, back: int) -> bool:
    found = _BACK.fullmatch(rest)
    return found is None or int(found[1]) == back
