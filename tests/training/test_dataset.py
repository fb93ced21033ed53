from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.features import catalogue
from core.features.candles import Candles
from core.features.labels import LONG, NONE, SHORT, UNKNOWN
from lab.history import DataError, History
from training import recipes, trainer
from training.dataset import SEQUENCE_LENGTH, directions, first_bar, fit_scaler, reversals, split, windows
from training.recipes import Recipe

INPUTS = [recipes.SWING_INPUTS, recipes.PROFITABLE_INPUTS]
RECIPES = [recipes.SWING, recipes.DIRECTION, recipes.profitable(0.2)]


def moved(history: History, bars: slice) -> History:
    """The same history with other prices at these bars."""
    rows = history.rows.copy()
    rows[bars, :4] *= 1.5
    return replace(history, rows=rows)


def test_parts_are_in_order_and_cover_every_bar(history: History) -> None:
    parts = split(history)
    assert list(parts) == ["train", "validation", "test"]
    assert [len(part) for part in parts.values()] == [4358, 933, 934]
    joined = np.concatenate([part.timestamps for part in parts.values()])
    assert joined.tolist() == history.timestamps.tolist()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.model_file)
@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_examples_of_a_part_do_not_depend_on_other_parts(history: History, recipe: Recipe, name: str) -> None:
    ends = np.cumsum([0, *(len(part) for part in split(history).values())])
    begin = int(ends[["train", "validation", "test"].index(name)])
    end = begin + len(split(history)[name])
    others = moved(moved(history, slice(0, begin)), slice(end, None))
    scaler = fit_scaler(split(history)["train"].candles, recipe.inputs.names)
    as_it_is, with_others_moved = (trainer.examples(recipe, scaler, split(h))[name] for h in (history, others))
    assert np.array_equal(as_it_is.x, with_others_moved.x)
    assert np.array_equal(as_it_is.y, with_others_moved.y)


@pytest.mark.parametrize("inputs", INPUTS, ids=lambda inputs: inputs.scaler_file)
def test_scaler_has_the_statistics_of_the_training_part_only(parts: dict[str, History], inputs: recipes.Inputs) -> None:
    scaler = fit_scaler(parts["train"].candles, inputs.names)
    rows = len(parts["train"]) - first_bar(inputs.names) + SEQUENCE_LENGTH - 1
    values = catalogue.matrix(parts["train"].candles, inputs.names, rows)
    assert scaler.n_samples_seen_ == rows
    assert scaler.mean_ == pytest.approx(values.mean(axis=0), rel=1e-9)
    assert scaler.scale_ == pytest.approx(values.std(axis=0), rel=1e-9)


@pytest.mark.parametrize("inputs", INPUTS, ids=lambda inputs: inputs.scaler_file)
def test_windows_equal_those_that_the_server_computes(parts: dict[str, History], inputs: recipes.Inputs) -> None:
    part = parts["validation"]
    scaler = fit_scaler(parts["train"].candles, inputs.names)
    x = windows(part.candles, inputs.names, scaler)
    assert x.shape == (len(part) - 114, SEQUENCE_LENGTH, 12)
    for window in (0, 1, 400, len(x) - 1):
        up_to = Candles.from_rows(part.rows[: 114 + window + 1])
        served = catalogue.matrix(up_to, inputs.names, SEQUENCE_LENGTH)
        assert x[window] == pytest.approx(scaler.transform(served), abs=1e-5)


def test_reversals_are_labelled_1_and_unknown_bars_left_out() -> None:
    x = np.arange(4, dtype=np.float32).reshape(4, 1, 1)
    made = reversals(x, np.array([SHORT, UNKNOWN, LONG, NONE, SHORT], dtype=np.int8))
    assert made.x.ravel().tolist() == [1.0, 2.0, 3.0]
    assert made.y.tolist() == [1.0, 0.0, 1.0]


def test_directions_come_from_reversals_only() -> None:
    x = np.arange(4, dtype=np.float32).reshape(4, 1, 1)
    made = directions(x, np.array([SHORT, UNKNOWN, LONG, NONE, SHORT], dtype=np.int8))
    assert made.x.ravel().tolist() == [1.0, 3.0]
    assert made.y.tolist() == [0.0, 1.0]


def test_part_too_short_for_a_window_is_refused(history: History) -> None:
    with pytest.raises(DataError, match=r"114 bars .* 114$"):
        fit_scaler(history.part(slice(114)).candles, recipes.SWING_INPUTS.names)


def test_part_without_both_classes_is_refused_by_name(history: History) -> None:
    short = split(history.part(slice(900)))
    scaler = fit_scaler(short["train"].candles, recipes.SWING_INPUTS.names)
    with pytest.raises(
        DataError, match=r"validation part, 135 bars: reversal_detector_stage1\.h5 needs examples of both"
    ):
        trainer.examples(recipes.SWING, scaler, short)
