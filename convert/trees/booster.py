"""LightGBM itself as the reference of a tree ensemble, on a text that is written from the checked record.

LightGBM's own reader follows the indices in a text, so it never gets a user's file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convert.errors import Refused
from convert.trees import ensemble
from convert.trees.columns import TreeColumns
from convert.untrusted.records import TreesFile

Floats: TypeAlias = NDArray[np.float64]
Floats32: TypeAlias = NDArray[np.float32]

_OBJECTIVES = {"multiclass": "multiclass num_class:3", "cross_entropy": "cross_entropy"}


class BoosterModel:
    """A tree ensemble as LightGBM computes it."""

    # No input masks steps.
    mask_values: tuple[float, ...] = ()
    mask_axes: tuple[int, ...] = ()

    def __init__(self, file: TreesFile, columns: TreeColumns) -> None:
        """Load the ensemble. Raises Refused if LightGBM is not installed, or does not load it."""
        lightgbm = _imported()
        self.tool: tuple[str, str] = ("lightgbm", str(lightgbm.__version__))
        self.window = (columns.steps, columns.features)
        self._columns, self._outputs, self._scale = columns, file.outputs, ensemble.scale(file)
        try:
            self._booster = lightgbm.Booster(model_str=written(file))
        except lightgbm.basic.LightGBMError as error:
            raise Refused(f"LightGBM does not load it: {error}") from None

    def predict(self, windows: Floats32) -> Floats32:
        """The stage's answers, (batch, n), for (batch, steps, features)."""
        return self._exact(windows).astype(np.float32)

    def in_float64(self) -> Callable[[Floats32], Floats]:
        """`predict` without the rounding of its answers: LightGBM computes in float64."""
        return self._exact

    def logits(self) -> Callable[[Floats32], Floats]:
        """The input of the sigmoid, in float64: the sum of the leaves, or their mean over the iterations."""
        return lambda windows: self._scale * self._run(windows, raw_score=True).reshape(-1, 1)

    def leaves(self, windows: Floats32) -> NDArray[np.int32]:
        """The leaf of each tree, (batch, trees)."""
        return self._run(windows, pred_leaf=True).astype(np.int32)

    def seconds(self, runs: int = 200) -> float:
        """Median time of `predict` for one window."""
        one = np.zeros((1, *self.window), np.float32)
        times = []
        for _ in range(runs):
            start = time.perf_counter()
            self.predict(one)
            times.append(time.perf_counter() - start)
        return median(times)

    def _exact(self, windows: Floats32) -> Floats:
        return self._run(windows).reshape(len(windows), self._outputs)

    def _run(self, windows: Floats32, **options: bool) -> Floats:
        found: Floats = self._booster.predict(self._columns.of_array(windows), num_threads=1, **options)
        return found


def written(file: TreesFile) -> str:
    """The text of a model for LightGBM: what the record has, and nothing else."""
    count = len(file.columns)
    head = {
        "version": "v4",
        "num_class": file.outputs,
        "num_tree_per_iteration": file.outputs,
        "label_index": 0,
        "max_feature_idx": count - 1,
        "objective": _OBJECTIVES.get(file.objective, f"binary sigmoid:{file.steepness!r}"),
        "feature_names": _line(f"Column_{i}" for i in range(count)),
        "feature_infos": _line(["none"] * count),
    }
    lines = ["tree", *_assigned(head), *(["average_output"] if file.averaged else []), ""]
    for i, tree in enumerate(ensemble.trees(file)):
        block = {
            "num_leaves": len(tree.value),
            "num_cat": 0,
            "split_feature": _values(tree.column),
            "threshold": _values(tree.threshold),
            "decision_type": _values(tree.decision),
            "left_child": _values(tree.left),
            "right_child": _values(tree.right),
            "leaf_value": _values(tree.value),
            "is_linear": 0,
            "shrinkage": 1,
        }
        lines += [f"Tree={i}", *_assigned(block), "", ""]
    return "\n".join([*lines, "end of trees", ""])


def _assigned(values: dict[str, object]) -> list[str]:
    return [f"{key}={value}" for key, value in values.items()]


def _values(numbers: NDArray[Any]) -> str:
    """Numbers as text that is read as the same numbers: Python writes the shortest such."""
    return _line(map(repr, numbers.tolist()))


def _line(values: Iterable[str]) -> str:
    return " ".join(values)


def _imported() -> Any:  # noqa: ANN401 - a module without types
    try:
        import lightgbm  # noqa: PLC0415 - takes a second, and only stages of trees need it
    except (ImportError, OSError) as error:  # its library needs that of OpenMP, which is a package of the system
        raise Refused(
            f"the proof needs LightGBM, which cannot be imported ({error}): pip install lightgbm; if libgomp.so.1 is"
            " missing, apt-get install libgomp1"
        ) from None
    return lightgbm
