"""Scaler graphs compared with scikit-learn's transform, and the scalers that are refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from convert.errors import Refused
from convert.proof import parity
from convert.proof.parity import GraphSession
from convert.scalers.scaler import Scaler
from convert.untrusted.scalers import unpickle
from core.bundles.limits import Limits, of_training

FEATURES = ("close", "volume", "rsi_14", "macd")
# A price, a volume, an index and a small difference: in float32, the large ones would lose digits.
ROWS = np.random.default_rng(1).normal(size=(300, 4)) * [0.02, 2e8, 15.0, 1e-4] + [1.1, 1e9, 50.0, 0.0]

SCALERS: dict[str, Any] = {
    "standard": StandardScaler(),
    "standard without mean": StandardScaler(with_mean=False),
    "standard without deviation": StandardScaler(with_std=False),
    "standard without either": StandardScaler(with_mean=False, with_std=False),
    "min max": MinMaxScaler(),
    "min max of another range": MinMaxScaler((-1, 3)),
    "min max clipping": MinMaxScaler((-0.5, 0.5), clip=True),
    "max abs": MaxAbsScaler(),
    "max abs clipping": MaxAbsScaler(clip=True),
    "robust": RobustScaler(),
    "robust without centre": RobustScaler(with_centering=False),
    "robust without scale": RobustScaler(with_scaling=False),
    "robust of unit variance": RobustScaler(quantile_range=(10.0, 90.0), unit_variance=True),
    "standard in place": StandardScaler(copy=False),
    "pipeline": make_pipeline(RobustScaler(), StandardScaler(), MinMaxScaler((-1, 1), clip=True)),
    "pipeline of pipelines": Pipeline([("a", make_pipeline(MaxAbsScaler(), "passthrough")), ("b", StandardScaler())]),
    "pipeline of nothing": Pipeline([("a", "passthrough")]),
}


def stored(estimator: object, folder: Path) -> Scaler:
    path = folder / "scaler.pkl"
    joblib.dump(estimator, path)
    return Scaler(unpickle.read(path))


@pytest.mark.parametrize("name", SCALERS)
def test_graph_is_scikit_learns_transform(name: str, tmp_path: Path) -> None:
    estimator = SCALERS[name].fit(ROWS.copy())
    scaler = stored(estimator, tmp_path)
    session = GraphSession(scaler.build((5, 4)).SerializeToString())
    raw = ROWS.reshape(-1, 5, 4)
    found = session.run(raw)
    expected = estimator.transform(ROWS.copy()).reshape(-1, 5, 4)
    assert found.dtype == np.float32
    assert found.shape == raw.shape
    # The same float64 operations in the same order: not one bit differs before the cast.
    np.testing.assert_array_equal(found, expected.astype(np.float32))
    np.testing.assert_array_equal(scaler.transform(ROWS).reshape(raw.shape), expected)
    figures = parity.check_scaler(scaler, session, (5, 4))
    assert figures["scaler_max_difference"] < 1e-7


def test_window_with_as_many_steps_as_features(tmp_path: Path) -> None:
    """Only with this shape, a scaler along the wrong axis would run, with wrong results."""
    estimator = StandardScaler().fit(ROWS)
    session = GraphSession(stored(estimator, tmp_path).build((4, 4)).SerializeToString())
    expected = estimator.transform(ROWS).reshape(-1, 4, 4).astype(np.float32)
    np.testing.assert_array_equal(session.run(ROWS.reshape(-1, 4, 4)), expected)


def test_centre_and_scale_are_those_of_the_fit(tmp_path: Path) -> None:
    centre, scale = stored(StandardScaler().fit(ROWS), tmp_path).centre_and_scale(4)
    np.testing.assert_allclose(centre, ROWS.mean(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(scale, ROWS.std(axis=0), rtol=1e-9)
    centre, scale = stored(make_pipeline(StandardScaler(), MinMaxScaler()).fit(ROWS), tmp_path).centre_and_scale(4)
    np.testing.assert_allclose(centre, ROWS.min(axis=0), rtol=1e-9)
    np.testing.assert_allclose(scale, np.ptp(ROWS, axis=0), rtol=1e-9)


def test_graph_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    scaler = stored(SCALERS["pipeline"].fit(ROWS), tmp_path)
    first, second = (scaler.build((5, 4)).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", ["min max", "max abs", "pipeline"])
def test_scaler_of_an_older_release_works(name: str, tmp_path: Path) -> None:
    """Older releases had no `clip`, so newer releases fail when they use such a scaler."""
    estimator = SCALERS[name].fit(ROWS)
    expected = estimator.transform(ROWS)
    old = pickle.loads(pickle.dumps(estimator))  # noqa: S301
    for part in [step for _, step in old.steps] if isinstance(old, Pipeline) else [old]:
        if hasattr(part, "clip") and not part.clip:
            del part.clip
    if isinstance(old, Pipeline):
        del old.transform_input
    scaler = stored(old, tmp_path)
    np.testing.assert_array_equal(scaler.transform(ROWS), expected)
    assert len(scaler.build((5, 4)).graph.node) > 1


def test_features_are_checked_by_number_and_by_name(tmp_path: Path) -> None:
    scaler = stored(StandardScaler().fit(ROWS), tmp_path)
    scaler.check_features(FEATURES)
    scaler.check_features(FEATURES[::-1])  # it has no names
    with pytest.raises(Refused, match=r"^scaler.pkl: fitted on 4 features, .* 3"):
        scaler.check_features(FEATURES[:3])
    named = stored(StandardScaler().fit(pd.DataFrame(ROWS, columns=list(FEATURES))), tmp_path)
    named.check_features(FEATURES)
    np.testing.assert_allclose(named.transform(ROWS), StandardScaler().fit_transform(ROWS))
    with pytest.raises(Refused, match=r"^scaler.pkl: fitted on the column 'close' at place 1, .* 'volume'; .*order"):
        named.check_features(("volume", "close", "rsi_14", "macd"))


def test_features_are_checked_within_a_pipeline(tmp_path: Path) -> None:
    scaler = stored(make_pipeline(StandardScaler(), MinMaxScaler()).fit(ROWS), tmp_path)
    with pytest.raises(Refused, match=r"fitted on 4 features, .* 5"):
        scaler.check_features((*FEATURES, "open"))


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("scale_", [1.0, 0.0, 1.0, 1.0], "Div by 0 at feature 1 .* 4 features"),
        ("scale_", [1.0, 1.0, np.inf, 1.0], "Div by inf at feature 2 .* fit"),
        ("mean_", [np.nan, np.nan, 1.0, 1.0], "Sub by nan at feature 0 .* fit"),
        ("mean_", np.ones(1_000), r"Sub .* shape \(1000,\) .* 4 features"),
        ("mean_", np.ones(2_000_000), "has an array of 2,000,000 values"),
        ("mean_", [1.0, 1.0], r"Sub .* shape \(2,\) .* 4 features"),
        ("mean_", ["a", "b", "c", "d"], "not fitted, or damaged: could not convert"),
    ],
)
def test_damaged_scaler_is_refused(attribute: str, value: list[Any], message: str, tmp_path: Path) -> None:
    estimator = StandardScaler().fit(ROWS)
    setattr(estimator, attribute, np.array(value))
    with pytest.raises(Refused, match=f"^scaler.pkl: {message}"):
        stored(estimator, tmp_path).part(4)


def test_scaler_that_was_never_fitted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"scaler.pkl: not fitted, or damaged: .*mean_"):
        stored(StandardScaler(), tmp_path).part(4)


@pytest.mark.parametrize(("value", "kind"), [({"a": 1}, "dict"), (ROWS, "ndarray"), (Pipeline([("a", 3)]), "int")])
def test_another_object_is_refused_by_its_class(value: object, kind: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=f"^scaler.pkl: holds a {kind}, not one of StandardScaler"):
        stored(value, tmp_path)


@pytest.mark.parametrize("output", ["pandas", "default"])
@pytest.mark.parametrize("name", ["standard", "pipeline"])
def test_scaler_set_to_other_output_works(name: str, output: str, tmp_path: Path) -> None:
    estimator = SCALERS[name].fit(ROWS)
    expected = estimator.transform(ROWS)
    configured = pickle.loads(pickle.dumps(estimator)).set_output(transform=output)  # noqa: S301
    scaler = stored(configured, tmp_path)
    found = scaler.transform(ROWS)
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, expected)
    parity.check_scaler(scaler, GraphSession(scaler.build((5, 4)).SerializeToString()), (5, 4))


def test_pipeline_without_steps_is_refused(tmp_path: Path) -> None:
    estimator = make_pipeline(StandardScaler())
    del estimator.steps
    with pytest.raises(Refused, match=r"^scaler.pkl: holds a Pipeline without steps$"):
        stored(estimator, tmp_path)


def test_pipeline_with_malformed_steps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"^scaler.pkl: "):
        stored(Pipeline([(StandardScaler(),)]), tmp_path)


def test_pipeline_that_contains_itself_is_refused(tmp_path: Path) -> None:
    estimator = make_pipeline(StandardScaler(), StandardScaler())
    estimator.steps[1] = ("again", estimator)
    with pytest.raises(Refused, match=r"^scaler.pkl: holds a Pipeline that contains itself$"):
        stored(estimator, tmp_path)


def test_pipelines_that_multiply_are_refused(tmp_path: Path) -> None:
    """Nine Pipelines, each twice in the next: 512 scalers in a file of 2 kB."""
    estimator: Any = StandardScaler().fit(ROWS)
    for _ in range(9):
        estimator = Pipeline([("a", estimator), ("b", estimator)])
    with pytest.raises(Refused, match=r"^scaler.pkl: holds Pipelines .* 10 .* 100 "):
        stored(estimator, tmp_path)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("n_features_in_", "many"),
        ("n_features_in_", None),
        ("feature_names_in_", 3),
        ("mean_", None),
        ("scale_", "text"),
        ("with_mean", np.ones(2)),
        ("mean_", 10**400),
    ],
)
def test_damage_is_reported_in_one_line(attribute: str, value: object, tmp_path: Path) -> None:
    estimator = StandardScaler().fit(ROWS)
    setattr(estimator, attribute, value)

    def use() -> None:
        scaler = stored(estimator, tmp_path)
        scaler.check_features(FEATURES)
        scaler.transform(ROWS)
        scaler.build((5, 4))

    with pytest.raises(Refused, match=r"\Ascaler.pkl: [^\n]+\Z"):
        use()


def test_parity_names_the_value_that_differs(tmp_path: Path) -> None:
    scaler = stored(StandardScaler().fit(ROWS), tmp_path)
    other = stored(StandardScaler().fit(ROWS * [1.0, 1.0, 1.00001, 1.0]), tmp_path)
    session = GraphSession(other.build((5, 4)).SerializeToString())
    with pytest.raises(
        Refused, match=r"^scaler, training scale, window 0, step \d, feature 2: expected .* got .* from"
    ):
        parity.check_scaler(scaler, session, (5, 4))


def test_parity_refuses_a_scaler_that_computes_in_float32(tmp_path: Path) -> None:
    """ONNX's Scaler operator computes in float32, and so loses digits at volumes of 1e9 and prices near 1.1."""
    scaler = stored(StandardScaler().fit(ROWS), tmp_path)

    class InFloat32:
        def run(self, raw: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            centre, scale = (x.astype(np.float32) for x in scaler.centre_and_scale(4))
            return (raw.astype(np.float32) - centre) / scale

    with pytest.raises(Refused, match="relative difference"):
        parity.check_scaler(scaler, InFloat32(), (5, 4))  # type: ignore[arg-type]


def flagged(limits: Limits, scaled: NDArray[np.float64]) -> bool:
    """Whether a window, scaled, of shape (steps, features), is out of range by the limits' definition."""
    out = (scaled < limits.low).any() or (scaled > limits.high).any()
    if limits.mean_low is not None and limits.mean_high is not None:
        mean = scaled.mean(axis=0)
        out = out or (mean < limits.mean_low).any() or (mean > limits.mean_high).any()
    return bool(out)


UNKNOWN = {"standard without deviation", "standard without either", "robust without centre", "robust without scale"}


# This scaler clips to the fitted range, and does not record which features had only one value.
CLIPPED = {"max abs clipping"}


@pytest.mark.parametrize("name", sorted(SCALERS.keys() - UNKNOWN - CLIPPED - {"pipeline of nothing"}))
def test_limits_accept_the_fitted_rows_and_flag_distant_ones(name: str, tmp_path: Path) -> None:
    estimator = SCALERS[name].fit(ROWS.copy())
    limits = stored(estimator, tmp_path).limits(4, None)
    assert limits is not None
    assert limits.source == "scaler"
    for window in ROWS.reshape(-1, 20, 4):
        assert not flagged(limits, estimator.transform(window.copy()))
    # A hundred times the price or the volume is far above the largest value in training.
    assert flagged(limits, estimator.transform(ROWS[:20] * [100.0, 1.0, 1.0, 1.0]))
    assert flagged(limits, estimator.transform(ROWS[:20] * [1.0, 100.0, 1.0, 1.0]))


@pytest.mark.parametrize("name", sorted(UNKNOWN))
def test_a_scaler_without_centre_or_spread_gives_no_limits(name: str, tmp_path: Path) -> None:
    assert stored(SCALERS[name].fit(ROWS.copy()), tmp_path).limits(4, None) is None


def test_ranges_of_training_replace_the_limits_of_the_scaler(tmp_path: Path) -> None:
    training = of_training([-1.0] * 4, [3.0] * 4)
    found = stored(StandardScaler().fit(ROWS), tmp_path).limits(4, training)
    assert found == training
    assert (found.low, found.high, found.mean_low) == ((-3.0,) * 4, (5.0,) * 4, None)
    clipping = stored(MinMaxScaler(clip=True).fit(ROWS), tmp_path).limits(4, of_training([0.0] * 4, [1.0] * 4))
    assert clipping is not None
    assert (clipping.mean_low, clipping.mean_high) == ((0.001,) * 4, (0.999,) * 4)


def test_limits_of_a_scaler_of_quantiles_are_as_many_deviations(tmp_path: Path) -> None:
    rows = np.random.default_rng(2).standard_normal((20_000, 1))
    limits = stored(RobustScaler().fit(rows), tmp_path).limits(1, None)
    assert limits is not None
    assert limits.mean_high is not None
    assert limits.mean_high[0] == pytest.approx(3.9 / 1.349, rel=1e-3)


@pytest.mark.parametrize("scaler", [MinMaxScaler(clip=True), MaxAbsScaler(clip=True), MinMaxScaler(), StandardScaler()])
@pytest.mark.parametrize("value", [0.0, 5.0])
def test_a_feature_that_was_constant_in_training_is_not_flagged_while_it_is_constant(
    scaler: Any,  # noqa: ANN401 - scikit-learn has no types
    value: float,
    tmp_path: Path,
) -> None:
    rows = ROWS.copy()
    rows[:, 1] = value
    estimator = scaler.fit(rows)
    limits = stored(estimator, tmp_path).limits(4, None)
    assert limits is not None
    assert not flagged(limits, estimator.transform(rows[:20]))
