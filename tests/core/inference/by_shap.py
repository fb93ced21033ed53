"""Shapley values of shap's exact explainer, which is an implementation that others use."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.inference.explanation import Model

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its import uses deprecated functions of matplotlib
    import shap


class _Columns(shap.maskers.Masker):  # type: ignore[misc]
    """A mask of shap chooses columns of the window; the others are those of each reference window."""

    def __init__(self, window: NDArray[np.float32], references: NDArray[np.float32]) -> None:
        self._window, self._references = window, references
        self.shape = (len(references), window.shape[1])

    def __call__(self, mask: NDArray[np.bool_], _: Any) -> tuple[NDArray[np.float32]]:  # noqa: ANN401
        return (np.where(mask, self._window, self._references),)


def by_shap(model: Model, window: NDArray[np.float32], references: NDArray[np.float32]) -> NDArray[np.float64]:
    """The values, (answers, features). The row that shap gets only says how many features there are."""
    explainer = shap.explainers.Exact(model, _Columns(window, references))
    found: NDArray[np.float64] = explainer(np.arange(window.shape[1], dtype=np.float64)[None]).values[0]
    return found.T
