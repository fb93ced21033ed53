"""A scaler of other names is refused with a feature list that would take them."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from convert.errors import Refused
from convert.scalers.names import check_names
from convert.scalers.scaler import Scaler
from convert.untrusted.scalers import unpickle

OURS = ("close", "sma_5", "rsi_14")
THEIRS = ("Close", "moving_avg_5", "RSI")
ROWS = np.random.default_rng(1).normal(size=(50, 3))


def offered(fitted: tuple[str, ...], columns: tuple[str, ...]) -> tuple[str, object]:
    """The message, and the JSON in it."""
    with pytest.raises(Refused) as error:
        check_names(fitted, columns)
    found = re.search(r"[\[{].*[\]}]", str(error.value))
    return str(error.value), None if found is None else json.loads(found[0])


def test_other_names_are_offered_as_a_mapping() -> None:
    said, mapping = offered(THEIRS, OURS)
    assert said.startswith("fitted on the column 'Close' at place 1, where the stage has 'close'; ")
    assert isinstance(mapping, dict)
    assert list(mapping.items()) == list(zip(OURS, THEIRS, strict=True))
    check_names(list(mapping.values()), THEIRS)


def test_the_first_difference_is_named() -> None:
    said, mapping = offered(("close", "moving_avg_5", "rsi_14"), OURS)
    assert said.startswith("fitted on the column 'moving_avg_5' at place 2, where the stage has 'sma_5'")
    assert mapping == {"close": "close", "sma_5": "moving_avg_5", "rsi_14": "rsi_14"}


def test_another_order_is_offered_as_a_list() -> None:
    said, names = offered(("rsi_14", "close", "sma_5"), OURS)
    assert names == ["rsi_14", "close", "sma_5"]
    assert "order" in said


def test_names_without_a_near_one_are_said() -> None:
    said, mapping = offered(("Close", "sentiment", "RSI"), OURS)
    assert mapping == {"close": "Close", "rsi_14": "RSI"}
    assert "'sentiment'" in said
    said, mapping = offered(("a", "b", "x" * 500), OURS)
    assert mapping is None
    assert len(said) < 400


@pytest.mark.parametrize("behind", [False, True])
def test_a_mapped_feature_list_has_the_names_of_the_scaler(behind: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """Behind a ColumnTransformer, columns have other names and another order, which are not compared."""
    columns = ColumnTransformer([("a", StandardScaler(), ["RSI", "Close"])], remainder=MinMaxScaler())
    estimator = make_pipeline(columns, StandardScaler()).set_output(transform="pandas") if behind else columns
    path = tmp_path / "scaler.pkl"
    path.write_bytes(pickle.dumps(estimator.fit(pd.DataFrame(ROWS, columns=list(THEIRS)))))
    scaler = Scaler(unpickle.read(path))
    scaler.check_features(OURS, THEIRS)
    assert scaler.order(3) == [2, 0, 1]
    with pytest.raises(Refused, match=r"^scaler\.pkl: fitted on the column 'Close' at place 1"):
        scaler.check_features(OURS)
