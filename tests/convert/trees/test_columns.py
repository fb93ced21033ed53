"""Which values of a window the columns of an ensemble are, and what their names may be."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from convert.errors import Refused
from convert.sources.versions import StageFiles
from convert.trees import columns
from tests.convert.trees.boosted import FILES

NAMES = ("close", "sma_2", "sma_20")


def with_keys(**keys: object) -> StageFiles:
    return msgspec.structs.replace(FILES, **keys)


def test_as_many_columns_as_features_are_the_last_step() -> None:
    windows = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    found = columns.find(3, 3, with_keys(sequence_length=4))
    assert found.of_array(windows).tolist() == [[9, 10, 11], [21, 22, 23]]
    assert (found.steps, columns.find(3, 3, FILES).steps) == (4, 1)


def test_more_columns_are_the_whole_window_with_the_oldest_step_first() -> None:
    windows = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    found = columns.find(12, 3, FILES)
    assert (found.steps, found.of_array(windows).tolist()) == (4, windows.reshape(2, 12).tolist())


def test_features_can_come_first() -> None:
    windows = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    found = columns.find(12, 3, with_keys(layout="features_first"))
    assert found.of_array(windows).tolist() == windows.transpose(0, 2, 1).reshape(2, 12).tolist()


@pytest.mark.parametrize(
    ("count", "features", "keys", "words"),
    [
        (13, 3, {}, r"takes 13 columns, but features\.json names 3 features"),
        (2, 3, {}, r"takes 2 columns, but features\.json names 3 features"),
        (12, 3, {"sequence_length": 5}, r"which are 4 steps of the 3 features .* sequence_length is 5"),
        (6_003, 3, {}, r"takes a window of 2,001 steps"),
    ],
)
def test_other_numbers_are_refused_with_both(count: int, features: int, keys: dict[str, object], words: str) -> None:
    with pytest.raises(Refused, match=words):
        columns.find(count, features, with_keys(**keys))


def check(names: list[str], layout: str = "steps_first") -> None:
    found = columns.find(len(names), 3, with_keys(layout=layout))
    columns.check_names(found, names, NAMES, "features.json")


def test_names_in_the_order_of_the_list_are_accepted() -> None:
    check(["close", "sma_2", "sma_20"])
    check(["close_t-1", "sma_2_t-1", "sma_20_t-1", "close_t-0", "sma_2", "sma_20"])
    check(["close_old", "sma_2_old", "sma_20_old", "close_new", "sma_2_new", "sma_20_new"])
    check(["close_t-1", "close_t-0", "sma_2_t-1", "sma_2_t-0", "sma_20_t-1", "sma_20_t-0"], "features_first")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["close", "sma_20", "sma_2"], "one is named 'sma_20', but in its place is sma_2;"),
        (["close_t-0", "sma_2", "sma_20"], "one is named 'close_t-0', but in its place is close;"),
        (["close_t-0", "sma_2_t-0", "sma_20_t-0", "close_t-1", "sma_2_t-1", "sma_20_t-1"], "in its place is close_t-1"),
        (["close_t-1", "close_t-0", "sma_2_t-1", "sma_2_t-0", "sma_20_t-1", "sma_20_t-0"], "in its place is sma_2_t-1"),
        (["close_a", "sma_20_a", "sma_20_b", "close_b", "sma_2_b", "sma_20_c"], "in its place is sma_2_t-1"),
    ],
)
def test_names_in_another_order_are_refused(names: list[str], words: str) -> None:
    with pytest.raises(Refused, match=words):
        check(names)


def test_spaces_in_names_are_those_that_lightgbm_replaces() -> None:
    columns.check_names(columns.find(1, 1, FILES), ["my_close"], ["my close"], "features.json")
