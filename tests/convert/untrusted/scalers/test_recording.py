"""Every kind of estimator is read from every kind of file, and what else a file may hold is refused in plain words."""

from __future__ import annotations

import pickle
import re
from collections import UserList
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)

from convert.errors import Refused
from convert.scalers.scaler import Scaler
from convert.untrusted import limits
from convert.untrusted.scalers import rebuilding, unpickle
from core.features.catalogue import matrix
from tests.market import candles

# The reference is scikit-learn with arrays, whatever it was fitted on.
pytestmark = pytest.mark.filterwarnings("ignore:X does not have valid feature names")

FEATURES = ("close", "volume", "rsi_14", "bb_width")
ROWS = matrix(candles(0, 700), FEATURES, 600)
FRAME = pd.DataFrame(ROWS, columns=list(FEATURES))

COLUMNS: dict[str, Any] = {
    "names": ColumnTransformer([("a", StandardScaler(), ["rsi_14", "close"])], remainder=MinMaxScaler()),
    "slice of names": ColumnTransformer([("a", StandardScaler(), slice("volume", "rsi_14"))], remainder="passthrough"),
    "slice": ColumnTransformer([("a", StandardScaler(), slice(None, -2))], remainder="passthrough"),
    "mask": ColumnTransformer([("a", StandardScaler(), [True, False, True, False])], remainder="drop"),
    "array": ColumnTransformer([("a", "drop", np.array([3, 0])), ("b", "passthrough", np.array([1, 2]))]),
    "array of flags": ColumnTransformer([("a", MinMaxScaler(), np.array([True, True, False, True]))]),
    "selector": ColumnTransformer([("a", PowerTransformer(), make_column_selector(dtype_include=np.number))]),
    "nested": ColumnTransformer(
        [("a", make_pipeline(SimpleImputer(), ColumnTransformer([("b", MinMaxScaler(), [1, 0])])), [2, -1])],
        remainder=FunctionTransformer(),
    ),
}
PLAIN: dict[str, Any] = {
    "quantiles": QuantileTransformer(n_quantiles=500),
    "normal quantiles": QuantileTransformer(n_quantiles=50, output_distribution="normal"),
    "power": PowerTransformer(),
    "box-cox": PowerTransformer("box-cox", standardize=False),
    "normalizer": Normalizer("max"),
    "binarizer": Binarizer(threshold=50.0),
    "imputer": make_pipeline(SimpleImputer(missing_values=0.0), StandardScaler()),
    "function": make_pipeline(FunctionTransformer(), StandardScaler(with_std=False)),
}


def fitted(name: str) -> Any:  # noqa: ANN401 - scikit-learn has no types
    return COLUMNS[name].fit(FRAME) if name in COLUMNS else PLAIN[name].fit(ROWS)


def read(data: bytes, folder: Path) -> Any:  # noqa: ANN401
    path = folder / "scaler.pkl"
    path.write_bytes(data)
    return rebuilding.rebuilt(unpickle.read(path))[0]


def refusal(data: bytes, folder: Path) -> str:
    with pytest.raises(Refused, match=r"\Ascaler\.pkl: [^\n]+\Z") as error:
        read(data, folder)
    return str(error.value)


@pytest.mark.parametrize("name", COLUMNS | PLAIN)
def test_estimator_is_read_from_every_kind_of_file(name: str, tmp_path: Path) -> None:
    estimator = fitted(name)
    expected = estimator.transform(FRAME if name in COLUMNS else ROWS)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        np.testing.assert_array_equal(read(pickle.dumps(estimator, protocol), tmp_path).transform(ROWS), expected)
    for compress in (0, 3, ("xz", 3)):
        joblib.dump(estimator, tmp_path / "dumped.pkl", compress=compress)
        found = read((tmp_path / "dumped.pkl").read_bytes(), tmp_path)
        np.testing.assert_array_equal(found.transform(ROWS), expected)


class _RemainderColsList(UserList):  # type: ignore[type-arg]
    """As scikit-learn 1.5 to 1.8 pickles the columns of a remainder."""


def test_column_transformers_of_older_releases_are_read(tmp_path: Path) -> None:
    """0.22 had the width under another name, and texts in place of estimators; 1.5 had a list of its own."""
    estimator = fitted("slice")
    expected = estimator.transform(FRAME)
    estimator.transformers_[1] = ("remainder", "passthrough", [2, 3])
    estimator._n_features = estimator.__dict__.pop("n_features_in_")  # noqa: SLF001
    del estimator.feature_names_in_, estimator._transformer_to_input_indices, estimator.output_indices_  # noqa: SLF001
    np.testing.assert_array_equal(read(pickle.dumps(estimator), tmp_path).transform(ROWS), expected)
    estimator.transformers_[1] = ("remainder", "passthrough", _RemainderColsList([2, 3]))
    data = pickle.dumps(estimator, 2).replace(__name__.encode(), b"sklearn.compose._column_transformer")
    np.testing.assert_array_equal(read(data, tmp_path).transform(ROWS), expected)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"feature_scaler": StandardScaler()}, r"a dict with scalers \('feature_scaler': StandardScaler\)"),
        ({"x": StandardScaler(), "y": MinMaxScaler(), "epochs": 3}, r"'x': StandardScaler, 'y': MinMaxScaler\)"),
        ([StandardScaler(), MinMaxScaler()], r"a list with scalers .*joblib\.dump\(scalers\[0\]"),
        ((MinMaxScaler(),), r"a tuple with scalers \(0: MinMaxScaler\)"),
        ({"mean": 1.0}, r"holds a dict, not one of StandardScaler"),
        (FunctionTransformer(np.log1p), r"numpy\.log1p.*FunctionTransformer with a function is code"),
        (FunctionTransformer(len), r"builtins\.len.*FunctionTransformer with a function is code"),
        (SimpleImputer(add_indicator=True).fit(ROWS), r"MissingIndicator"),
        (ColumnTransformer([("a", StandardScaler(), [0])]), r"a ColumnTransformer that is not fitted"),
        (ColumnTransformer([("a", StandardScaler(), [0])], transformer_weights={"a": 2}).fit(ROWS), "_weights"),
    ],
)
def test_another_object_is_refused_with_a_way_out(value: object, message: str, tmp_path: Path) -> None:
    assert re.search(message, refusal(pickle.dumps(value), tmp_path))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([7], "column 7, .* 4 columns"),
        ([-5], "column -5, .* 4 columns"),
        ([0.5], "column 0.5"),
        (["vwap"], "column 'vwap', .* close, volume"),
        ([True, False], "a mask of 2 columns for 4"),
        (slice(0, 4, 0), "a slice"),
        (slice("close", "vwap"), "'vwap'"),
        (3, "not a list"),
        ([0] * 2_000, "an array of 2,000 values"),
        ({"a"}, "not a list"),
        ([[0]], "list where a number"),
    ],
)
def test_columns_that_are_not_there_are_refused(columns: object, message: str, tmp_path: Path) -> None:
    estimator = fitted("names")
    estimator.transformers_[0] = (*estimator.transformers_[0][:2], columns)
    assert re.search(message, refusal(pickle.dumps(estimator), tmp_path))


@pytest.mark.parametrize("width", [None, 0, -1, 10**9, "4", [4]])
def test_a_column_transformer_has_a_width(width: object, tmp_path: Path) -> None:
    estimator = fitted("names")
    estimator.n_features_in_ = width
    assert "how many columns" in refusal(pickle.dumps(estimator), tmp_path)


def test_slices_are_as_short_as_the_columns(tmp_path: Path) -> None:
    estimator = fitted("slice")
    estimator.transformers_[0] = (*estimator.transformers_[0][:2], slice(0, 1 << 60))
    assert read(pickle.dumps(estimator), tmp_path).transformers_[0][2] == [0, 1, 2, 3]


def test_a_column_transformer_that_contains_itself_is_refused(tmp_path: Path) -> None:
    estimator = fitted("names")
    estimator.transformers_[0] = ("a", estimator, [0])
    assert "contains itself" in refusal(pickle.dumps(estimator), tmp_path)


def test_column_transformers_that_multiply_are_refused(tmp_path: Path) -> None:
    estimator = fitted("names")
    for _ in range(9):
        outer = ColumnTransformer([("a", StandardScaler(), [0])]).fit(ROWS)
        outer.transformers_ = [("a", estimator, [0]), ("b", estimator, [1])]
        estimator = outer
    assert re.search("10 deep, or more than 100", refusal(pickle.dumps(estimator), tmp_path))


def test_a_pipeline_within_a_power_transformer_is_refused(tmp_path: Path) -> None:
    estimator = fitted("power")
    estimator._scaler = make_pipeline(StandardScaler())  # noqa: SLF001
    assert "a Pipeline within a scaler" in refusal(pickle.dumps(estimator), tmp_path)


def test_arrays_are_limited_by_their_bytes(tmp_path: Path) -> None:
    """A thousand quantiles of a thousand features have 8 MB."""
    estimator = fitted("quantiles")
    estimator.quantiles_ = np.zeros((1_000, 1_000))
    assert read(pickle.dumps(estimator), tmp_path).quantiles_.shape == (1_000, 1_000)
    for kind in ("f8", "i1"):  # each number takes as much in the scaler
        estimator.quantiles_ = np.zeros((limits.SCALER_FILE // 8_000, 1_000), kind)
        assert "more than 16 MiB" in refusal(pickle.dumps(estimator), tmp_path)


def test_arrays_have_no_more_columns_than_a_stage_has_features(tmp_path: Path) -> None:
    assert "an array of 1,001 values" in refusal(pickle.dumps(scaler_with(mean_=np.zeros(1_001))), tmp_path)
    estimator = fitted("quantiles")
    estimator.references_ = np.linspace(0.0, 1.0, 100_000)
    assert len(read(pickle.dumps(estimator), tmp_path).references_) == 100_000
    estimator.references_ = np.linspace(0.0, 1.0, 100_001)
    assert "at most 100,000 quantiles" in refusal(pickle.dumps(estimator), tmp_path)


def scaler_with(**attributes: object) -> StandardScaler:
    estimator = StandardScaler().fit(ROWS)
    vars(estimator).update(attributes)
    return estimator


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "f16", ">f8"])
def test_numbers_of_every_length_scale(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "scaler.pkl"
    mean, scale = np.array([0.5, 2.0, 3.0, 4.0], kind), np.array([1.0, 2.0, 4.0, 8.0], kind)
    path.write_bytes(pickle.dumps(scaler_with(mean_=mean, scale_=scale)))
    scaler = Scaler(unpickle.read(path))
    np.testing.assert_array_equal(scaler.transform(ROWS), (ROWS - mean.astype("f8")) / scale.astype("f8"))
    assert scaler.build((5, 4)).graph.initializer[0].data_type == 11  # float64


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_empty_array_of_long_texts_is_no_names(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "scaler.pkl"
    path.write_bytes(pickle.dumps(scaler_with(feature_names_in_=np.empty(0, "U99999")), protocol))
    with pytest.raises(Refused, match=r"^scaler.pkl: fitted on 4 features"):
        Scaler(unpickle.read(path)).check_features(FEATURES)


@pytest.mark.parametrize("shape", [(0, 1 << 40, 1 << 40), (1 << 40, 0), (1 << 62,)])
def test_a_shape_without_end_is_refused_also_if_it_is_empty(shape: tuple[int, ...], tmp_path: Path) -> None:
    data = pickle.dumps(scaler_with(mean_=np.empty(0)), 2)
    start, end = data.index(b"mean_"), data.index(b"var_")
    head = data[start:end].replace(b"K\x00\x85q", pickle.dumps(shape, 2)[2:-1].split(b"q")[0] + b"q", 2)
    assert "more than 16 MiB" in refusal(data[:start] + head + data[end:], tmp_path)


def test_an_integer_of_thousands_of_digits_is_refused_in_plain_words(tmp_path: Path) -> None:
    said = refusal(b"I" + b"9" * 5_000 + b"\n.", tmp_path)
    assert "63 bits" in said
    assert "sys." not in said


def test_a_scaler_that_was_saved_before_its_fit_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    for name, missing in (("StandardScaler", "mean_"), ("QuantileTransformer", "quantiles_")):
        path = tmp_path / "scaler.pkl"
        estimator = {"StandardScaler": StandardScaler, "QuantileTransformer": QuantileTransformer}[name]()
        path.write_bytes(pickle.dumps(estimator))
        with pytest.raises(Refused, match=f"the {name} has no {missing}; save it after its fit"):
            Scaler(unpickle.read(path)).part(4)


def test_files_that_are_too_large_are_refused_by_their_size_alone(tmp_path: Path) -> None:
    assert refusal(bytes(limits.SCALER_FILE + 1), tmp_path) == (
        "scaler.pkl: holds more than 16 MiB, far more than a scaler"
    )


def test_damage_is_never_told_in_pythons_words(tmp_path: Path) -> None:
    """Files that end at any byte, and files with any byte changed."""
    data = [pickle.dumps(fitted(name), protocol) for name, protocol in (("nested", 0), ("names", 2), ("power", 4))]
    rng = np.random.default_rng(5)
    changed = [each[: rng.integers(len(each))] for each in data for _ in range(60)]
    for _ in range(600):
        flipped = bytearray(data[rng.integers(len(data))])
        flipped[rng.integers(len(flipped))] = rng.integers(256)
        changed.append(bytes(flipped))
    path, said = tmp_path / "scaler.pkl", []
    for each in changed:
        path.write_bytes(each)
        try:
            scaler = Scaler(unpickle.read(path))
            scaler.check_features(FEATURES)
            scaler.part(4)
        except Refused as error:
            said.append(str(error))
    assert len(said) > len(changed) // 3
    pythons = re.compile(r"Error\b|out of range|object is not|unpack|NoneType|\bnot support|operand|\n")
    assert [each for each in said if not each.startswith("scaler.pkl: ") or pythons.search(each)] == []
