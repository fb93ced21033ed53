"""The values are those of shap's exact explainer, an implementation that others use. Importing it takes seconds."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.bundles.repository import Repository
from core.inference import explaining
from core.inference.detector import Detector, Prediction
from core.inference.explaining import explain
from core.inference.explanation import Model, shapley
from core.inference.inputs import CandleWindows
from tests import market
from tests.core.inference.games import draw, tangled

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
    found = explainer(np.arange(window.shape[1], dtype=np.float64)[None], silent=True).values[0]
    return np.atleast_2d(found.T)  # of a single answer, shap leaves the axis out


@pytest.mark.parametrize(("features", "references"), [(4, 1), (8, 5), (12, 1)])
def test_values_of_a_function_in_which_features_act_together(features: int, references: int) -> None:
    window, compared = draw(features, references, seed=1)
    assert shapley(tangled, window, compared).features == pytest.approx(by_shap(tangled, window, compared), abs=1e-6)


@pytest.mark.parametrize(("version", "background"), [("v3.2", 1), ("v3.1", 1), ("v3.0", 1), ("v3.1", 2)])
def test_values_of_both_stages_of_a_committed_detector(version: str, background: int) -> None:
    detector = Detector(Repository(market.ONNX).read(version))
    source = CandleWindows(market.candles(3000, 120))
    found = explain(detector, source, background)
    (prediction,) = detector.predict([source])
    assert isinstance(prediction, Prediction)
    assert found.stage2 is not None
    assert found.stage1.value == prediction.decision.stage1_prob
    sign = 1.0 if found.stage2.probability_of == "short" else -1.0
    for runner, window, stage, turned in zip(
        detector.runners, detector.inputs(source), (found.stage1, found.stage2), (1.0, sign), strict=True
    ):
        compared = runner.reference if background == 1 else runner.stored[[0, -1]]
        model = partial(explaining._answers, detector, runner)  # noqa: SLF001
        (values,) = by_shap(model, window, compared)
        assert list(stage.features) == list(runner.stage.features)
        assert list(stage.features.values()) == pytest.approx((turned * values).tolist(), abs=1e-6)
        assert sum(stage.features.values()) == pytest.approx(stage.value - stage.base_value, abs=1e-12)
        assert (stage.method, stage.standard_errors) == ("exact", None)
