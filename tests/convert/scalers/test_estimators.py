"""Graphs of every kind of estimator, compared with scikit-learn on indicators of real candles."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import joblib
import numpy as np
import onnx
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from convert.errors import Refused
from convert.proof import parity
from convert.proof.parity import GraphSession
from convert.scalers import by_skl2onnx
from convert.scalers.scaler import Scaler
from convert.untrusted.scalers import rebuilding, unpickle
from core.bundles import onnx_file
from core.bundles.limits import LARGEST, of_training
from core.features.catalogue import matrix
from tests.market import candles

Rows: TypeAlias = NDArray[np.float64]

FEATURES = ("close", "volume", "rsi_14", "macd", "bb_width", "returns")
STEPS = 20
ROWS = 3_000
OWN, SKL2ONNX = "a graph of our own", "skl2onnx"


@cache
def rows() -> Rows:
    """Rows of indicators, which have magnitudes from 1e-5 to 1e3, both signs, and repeated values."""
    found = matrix(candles(0, ROWS + 100), FEATURES, ROWS)
    found[: ROWS // 4, 2] = 50.0  # a quarter of the quantiles are equal
    return found


@cache
def positive() -> Rows:
    found: Rows = np.abs(rows()) + 1e-3 * rows().std(axis=0)
    return found


NAMED: dict[str, Any] = {
    "columns by name in another order": ColumnTransformer(
        [("a", StandardScaler(), ["rsi_14", "close"]), ("b", MinMaxScaler(), ["volume"])], remainder=RobustScaler()
    ),
    "columns by mask, slice and number": ColumnTransformer(
        [
            ("a", MaxAbsScaler(), [True, False, False, False, False, False]),
            ("b", "passthrough", slice(1, 3)),
            ("c", MinMaxScaler(clip=True), [-1]),
        ],
        remainder=make_pipeline(StandardScaler(), RobustScaler()),
    ),
    "columns by selector": ColumnTransformer([("a", StandardScaler(), make_column_selector(dtype_include=np.number))]),
    "columns all in another order": ColumnTransformer([("a", StandardScaler(), [2, 1, 0, 5, 3, 4])]),
    "columns of quantiles and powers": ColumnTransformer(
        [
            ("a", QuantileTransformer(n_quantiles=200), slice("volume", "macd")),
            ("b", FunctionTransformer(), ["returns"]),
            ("c", make_pipeline(SimpleImputer(), PowerTransformer()), ["bb_width"]),
        ],
        remainder="passthrough",
    ),
    "columns behind a scaler": make_pipeline(
        StandardScaler(), ColumnTransformer([("a", QuantileTransformer(), [3, 0])], remainder="passthrough")
    ),
}
PLAIN: dict[str, Any] = {
    "quantiles": QuantileTransformer(),
    "ten quantiles": QuantileTransformer(n_quantiles=10),
    "normal quantiles": QuantileTransformer(output_distribution="normal"),
    "33 normal quantiles": QuantileTransformer(n_quantiles=33, output_distribution="normal"),
    "yeo-johnson": PowerTransformer(),
    "yeo-johnson, not standardised": PowerTransformer(standardize=False),
    "yeo-johnson behind standard": make_pipeline(StandardScaler(), PowerTransformer()),
    "box-cox": PowerTransformer("box-cox"),
    "box-cox, not standardised": PowerTransformer("box-cox", standardize=False),
    "box-cox behind min max": make_pipeline(MinMaxScaler((1, 2)), PowerTransformer("box-cox")),
    "l1": Normalizer("l1"),
    "l2": make_pipeline(StandardScaler(), Normalizer()),
    "max": Normalizer("max"),
    "binarizer": Binarizer(threshold=0.5),
    "imputer": make_pipeline(SimpleImputer(), RobustScaler()),
    "imputer of zeros": SimpleImputer(missing_values=0, strategy="median"),
    "function that changes nothing": make_pipeline(FunctionTransformer(), StandardScaler(), FunctionTransformer()),
}
ALL = NAMED | PLAIN
WAYS = {
    "columns by name in another order": SKL2ONNX,
    "columns by mask, slice and number": SKL2ONNX,
    "columns by selector": SKL2ONNX,
    "binarizer": SKL2ONNX,
    "function that changes nothing": None,
}
# Only positive numbers are in the domain of box-cox, and a Pipeline can move them there.
POSITIVE = {"box-cox", "box-cox, not standardised"}


@cache
def fitted(name: str) -> Any:  # noqa: ANN401 - scikit-learn has no types
    given = positive() if name in POSITIVE else rows()
    return clone(ALL[name]).fit(pd.DataFrame(given, columns=list(FEATURES)) if name in NAMED else given)


def stored(estimator: object, folder: Path, **how: Any) -> Scaler:  # noqa: ANN401
    path = folder / "scaler.pkl"
    joblib.dump(estimator, path, **how)
    return Scaler(unpickle.read(path))


def by_scikit_learn(name: str, given: Rows) -> Rows:
    """The result of the estimator itself, which a pickle has never touched."""
    found: Rows = fitted(name).transform(pd.DataFrame(given, columns=list(FEATURES)) if name in NAMED else given)
    return found


def answers(model: onnx.ModelProto, given: Rows) -> Rows:
    windows = given.reshape(-1, STEPS, given.shape[-1])
    found = GraphSession(model.SerializeToString()).run(windows)
    assert found.dtype == np.float32
    assert found.shape == windows.shape
    return found.reshape(given.shape).astype(np.float64)


def differences(name: str) -> dict[str, Rows]:
    """Rows of the fit, beyond it, at its ends, at price and volume levels, and without a sign."""
    fit = positive() if name in POSITIVE else rows()
    low, high = fit.min(axis=0), fit.max(axis=0)
    width = high - low
    ends = [low, high, np.nextafter(low, -np.inf), np.nextafter(high, np.inf), low + 1e-7, high - 1e-7]
    beyond = [low - width, high + width, high + 1e3 * width]
    cases = {"fit": fit, "ends": np.tile(ends, (10, 1)), "beyond": np.tile(beyond, (20, 1))}
    cases |= {f"level {level:g}": fit[:STEPS] * 0.01 + level for level in (1.1, 150.0, 1e9)}
    cases |= {"zero": np.zeros((STEPS, len(FEATURES))), "negative": -fit[:STEPS]}
    if name in POSITIVE:
        return {kind: np.where(given > 0.0, given, fit[0]) for kind, given in cases.items() if kind != "negative"}
    if name == "box-cox behind min max":
        return {kind: np.where(given > low - 0.99 * width, given, fit[0]) for kind, given in cases.items()}
    return cases


@pytest.mark.parametrize("name", ALL)
def test_graph_is_scikit_learns_transform(name: str, tmp_path: Path) -> None:
    scaler = stored(fitted(name), tmp_path, compress=3)
    scaler.check_features(FEATURES)
    model = scaler.build((STEPS, len(FEATURES)))
    for kind, given in differences(name).items():
        expected, found = by_scikit_learn(name, given), answers(model, given)
        with np.errstate(over="ignore"):
            finite = np.isfinite(expected.astype(np.float32))
        assert np.isfinite(found[finite]).all(), kind
        relative = np.abs(found - expected)[finite] / np.maximum(1.0, np.abs(expected))[finite]
        assert relative.max(initial=0.0) < 1e-7, kind  # the cast to float32 alone makes 6e-8
        assert finite.all() or kind.startswith(("level", "beyond"))  # a power can be beyond float32 there
    assert parity.check_scaler(scaler, GraphSession(model.SerializeToString()), (STEPS, len(FEATURES)))[
        "scaler_max_difference"
    ] < 1e-7  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_graph_has_one_form_that_the_server_takes(name: str, tmp_path: Path) -> None:
    first, second = (stored(fitted(name), tmp_path) for _ in range(2))
    data = first.build((STEPS, len(FEATURES))).SerializeToString(deterministic=True)
    assert data == second.build((STEPS, len(FEATURES))).SerializeToString(deterministic=True)
    assert onnx_file.forbidden(data) is None
    assert onnx_file.opsets(data) == {"": 17}
    way = WAYS.get(name, OWN)
    assert first.notes == ([] if way is None else [f"scaler.pkl was converted by {way}"])


@pytest.mark.parametrize("output", ["uniform", "normal"])
def test_quantiles_agree_at_every_quantile_and_beside_it(output: str, tmp_path: Path) -> None:
    """Repeated quantiles have the mean of their shares; a step lies on each side of them."""
    given = np.round(rows(), 5)
    given[:, 2] = np.repeat([20.0, 50.0, 50.0, 50.0, 80.0], ROWS // 5)
    given[:, 1] = 1000.0
    estimator = QuantileTransformer(n_quantiles=300, output_distribution=output).fit(given)
    knots = estimator.quantiles_
    beside = np.concatenate([knots, np.nextafter(knots, -np.inf), np.nextafter(knots, np.inf), 0.5 * (knots + 1.0)])
    assert (np.diff(knots[:, 2]) == 0.0).any()
    expected = estimator.transform(beside)
    found = answers(stored(estimator, tmp_path).build((STEPS, len(FEATURES))), beside)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7)


def test_normal_quantiles_keep_the_digits_of_small_features(tmp_path: Path) -> None:
    """scikit-learn moves values within 1e-7 of an end to that end, also for features of that size."""
    given = 1e-6 * rows()
    estimator = QuantileTransformer(n_quantiles=100, output_distribution="normal").fit(given)
    expected = estimator.transform(given)
    found = answers(stored(estimator, tmp_path).build((STEPS, len(FEATURES))), given)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7)
    assert np.abs(expected).max() == pytest.approx(5.19933758)


@pytest.mark.parametrize("lambdas", [[0.0, 1.0, 2.0, -3.0, 5.0, 1e-17], [1e-9, 2.0 - 1e-9, -40.0, 40.0, 2.0, 0.5]])
@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
def test_powers_agree_for_every_exponent(method: str, lambdas: list[float], tmp_path: Path) -> None:
    """Also where the exponent is 0, which is a logarithm, and near 0, where naive formulas lose all digits."""
    given = positive() if method == "box-cox" else rows()
    given = given / np.abs(given).max(axis=0) * np.geomspace(1e-8, 3.0, ROWS)[:, None]
    estimator = PowerTransformer(method, standardize=False).fit(given)
    estimator.lambdas_ = np.array(lambdas)
    expected = estimator.transform(given)
    found = answers(stored(estimator, tmp_path).build((STEPS, len(FEATURES))), given)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(found, expected.astype(np.float32), rtol=2e-7)


def test_box_cox_of_a_value_that_is_not_positive_is_never_a_number(tmp_path: Path) -> None:
    """scikit-learn raises an error for it. The server refuses a scaled value that is not finite."""
    scaler = stored(fitted("box-cox"), tmp_path)
    given = positive()[:STEPS].copy()
    given[3, 1], given[4, 0] = 0.0, -1.0
    found = answers(scaler.build((STEPS, len(FEATURES))), given)
    assert np.argwhere(np.isnan(found)).tolist() == [[3, 1], [4, 0]]
    with pytest.raises(Refused, match=r"^scaler.pkl: .*strictly positive"):
        scaler.transform(given)
    assert (scaler.taken(given)[[3, 4], [1, 0]] == scaler.centre_and_scale(len(FEATURES))[0][[1, 0]]).all()
    np.testing.assert_array_equal(scaler.taken(positive()), positive())


def test_a_power_that_no_number_holds_is_not_drawn(tmp_path: Path) -> None:
    """Of prices that hardly change, the exponent can be 100, and a volume to the power of 100 is infinite."""
    estimator = clone(ALL["yeo-johnson"]).fit(rows())
    estimator.lambdas_[0], estimator.lambdas_[3] = 100.0, -100.0
    scaler = stored(estimator, tmp_path)
    given = np.full((STEPS, len(FEATURES)), 1e9)
    with pytest.raises(Refused, match="infinity"):
        scaler.transform(given)
    taken = scaler.taken(given)
    assert (taken[:, 0] < 2.0).all()
    assert (taken[:, 1:] == 1e9).all()
    session = GraphSession(scaler.build((STEPS, len(FEATURES))).SerializeToString())
    parity.check_scaler(scaler, session, (STEPS, len(FEATURES)))
    assert np.isinf(session.run(given[None])[0, :, 0]).all()


def test_normalizer_leaves_a_row_of_zeros(tmp_path: Path) -> None:
    model = stored(fitted("l1"), tmp_path).build((STEPS, len(FEATURES)))
    assert (answers(model, np.zeros((STEPS, len(FEATURES)))) == 0.0).all()


UNKNOWN = {"binarizer", "l1", "l2", "max", "imputer of zeros"}
UNKNOWN |= {"yeo-johnson, not standardised", "box-cox, not standardised"}


@pytest.mark.parametrize("name", sorted(ALL.keys() - UNKNOWN))
def test_drawn_windows_lie_where_the_fit_was(name: str, tmp_path: Path) -> None:
    """Otherwise parity would compare windows that are all beyond the fitted range."""
    centre, scale = stored(fitted(name), tmp_path).centre_and_scale(len(FEATURES))
    given = positive() if name in POSITIVE else rows()
    passed = {"columns by mask, slice and number": [0, 1, 2], "columns of quantiles and powers": [0, 5]}.get(name, [])
    for i in sorted(set(range(len(FEATURES))) - set(passed)):
        assert given[:, i].min() - 0.1 * np.ptp(given[:, i]) <= centre[i] <= given[:, i].max()
        assert 0.0 < scale[i] < 2.0 * max(np.abs(given[:, i]).max(), np.ptp(given[:, i]))


def test_order_is_that_of_the_outputs(tmp_path: Path) -> None:
    scaler = stored(fitted("columns by name in another order"), tmp_path)
    assert scaler.order(6) == [2, 0, 1, 3, 4, 5]
    training = of_training(range(6), range(10, 16))
    moved = scaler.limits(6, training)
    assert moved is not None
    assert moved.low == tuple(training.low[i] for i in [2, 0, 1, 3, 4, 5])
    assert stored(fitted("columns behind a scaler"), tmp_path).order(6) == [3, 0, 1, 2, 4, 5]
    assert stored(fitted("quantiles"), tmp_path).order(6) == list(range(6))


def test_limits_of_quantiles_are_their_range(tmp_path: Path) -> None:
    given = rows().copy()
    given[:, 1] = 7.0
    found = stored(QuantileTransformer().fit(given), tmp_path).limits(6, None)
    assert found is not None
    assert (found.low, found.high) == ((-0.5,) * 6, (1.5,) * 6)
    # Values beyond the fitted range are at its ends, so a window there has its mean there.
    assert found.mean_low == (0.001, -LARGEST, 0.001, 0.001, 0.001, 0.001)
    normal = stored(QuantileTransformer(output_distribution="normal").fit(given), tmp_path).limits(6, None)
    assert normal is not None
    assert normal.mean_high == (3.9, LARGEST, 3.9, 3.9, 3.9, 3.9)


@pytest.mark.parametrize("name", ["l2", "binarizer", "yeo-johnson, not standardised", "imputer of zeros"])
def test_estimators_without_a_spread_give_no_limits(name: str, tmp_path: Path) -> None:
    assert stored(fitted(name), tmp_path).limits(6, None) is None


def test_limits_of_columns_are_those_of_their_parts(tmp_path: Path) -> None:
    found = stored(fitted("columns by mask, slice and number"), tmp_path).limits(6, None)
    assert found is not None  # the order: close, volume, rsi_14, returns, macd, bb_width
    assert found.low[:4] == (-2.0, -LARGEST, -LARGEST, -0.5)
    assert found.mean_low is not None
    assert found.mean_low[:4] == (-LARGEST, -LARGEST, -LARGEST, 0.001)
    assert all(-4.0 < value < -2.0 for value in found.mean_low[4:])
    behind = stored(fitted("imputer"), tmp_path).limits(6, None)
    assert behind == stored(fitted("imputer").named_steps["robustscaler"], tmp_path).limits(6, None)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (ColumnTransformer([("a", StandardScaler(), [0, 1])]), "ColumnTransformer makes 2 columns"),
        (ColumnTransformer([("a", "drop", [0])], remainder="passthrough"), "ColumnTransformer makes 5 columns"),
        (
            ColumnTransformer([("a", StandardScaler(), [0, 0])], remainder="passthrough"),
            "ColumnTransformer makes 7 columns",
        ),
        (
            ColumnTransformer([("a", StandardScaler(), slice(0, 6))], transformer_weights={"a": 2.0}),
            "transformer_weights",
        ),
    ],
)
def test_estimators_that_do_not_fit_are_refused_by_name(estimator: Any, message: str, tmp_path: Path) -> None:  # noqa: ANN401
    with pytest.raises(Refused, match=f"^scaler.pkl: .*{message}"):
        stored(estimator.fit(rows()), tmp_path).part(6)


@pytest.mark.parametrize(
    ("name", "attribute", "value", "message"),
    [
        ("quantiles", "quantiles_", np.zeros((1000, 5)), "shape .*1000, 5"),
        ("quantiles", "quantiles_", np.full((1000, 6), np.nan), "not finite or decrease"),
        ("quantiles", "quantiles_", np.arange(6000.0)[::-1].reshape(1000, 6), "not finite or decrease"),
        ("quantiles", "references_", np.arange(3.0), "shape"),
        ("quantiles", "references_", np.linspace(1.0, 0.0, 1000), "decrease"),
        ("quantiles", "output_distribution", "cauchy", "'cauchy'"),
        ("yeo-johnson", "lambdas_", np.full(6, np.nan), "lambdas_"),
        ("yeo-johnson", "lambdas_", np.ones(5), "lambdas_"),
        ("yeo-johnson", "method", "log", "'log'"),
        ("l1", "norm", "l3", "'l3'"),
        ("imputer of zeros", "statistics_", np.full(6, np.nan), "without any value"),
    ],
)
def test_damaged_attributes_are_refused(name: str, attribute: str, value: object, message: str, tmp_path: Path) -> None:
    estimator = clone(ALL[name]).fit(rows())
    setattr(estimator, attribute, value)
    with pytest.raises(Refused, match=f"^scaler.pkl: .*{message}"):
        stored(estimator, tmp_path).part(6)


def test_skl2onnx_is_not_used_where_it_is_wrong(tmp_path: Path) -> None:
    """It leaves columns in their order if a part of a ColumnTransformer takes them all in another one."""

    def rebuilt(name: str) -> Any:  # noqa: ANN401
        joblib.dump(fitted(name), tmp_path / "scaler.pkl")
        return rebuilding.rebuilt(unpickle.read(tmp_path / "scaler.pkl"))[0]

    assert by_skl2onnx.converts(rebuilt("columns by name in another order"), 6)
    assert not by_skl2onnx.converts(rebuilt("columns all in another order"), 6)
    assert not by_skl2onnx.converts(rebuilt("columns of quantiles and powers"), 6)
    assert not by_skl2onnx.converts(rebuilt("l1"), 6)
    assert not by_skl2onnx.converts(Pipeline([("a", "passthrough")]), 6)
