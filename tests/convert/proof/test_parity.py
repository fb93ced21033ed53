"""Parity: which windows and values are compared, and that no wrong graph passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from sklearn.preprocessing import StandardScaler

from convert.errors import Refused
from convert.layers import network
from convert.proof import parity
from convert.proof.parity import GraphSession
from convert.proof.rules import ClassesRule, DecisionRule, Rule
from convert.scalers.scaler import Scaler
from convert.untrusted.scalers import unpickle
from tests.convert import helpers

Floats32 = NDArray[np.float32]
Answer = Callable[[Floats32], Floats32]

FEATURES = ("close", "rsi_14", "macd")
RULE = DecisionRule(lambda p: "short" if p > 0.5 else "long", border=0.5)


def plausible(windows: Floats32) -> Floats32:
    """Some function of the window, between 0 and 1."""
    return np.asarray(0.5 + 0.4 * np.tanh(windows.mean(axis=(1, 2), dtype=np.float64)), np.float32)[:, None]


class Fake:
    """A fake of a Keras model, or of its graph."""

    tool = ("tf_keras", "2.21.0")
    window = (5, 3)
    mask_axes: tuple[int, ...] = (1,)

    def __init__(self, answer: Answer = plausible, mask_values: tuple[float, ...] = ()) -> None:
        self.answer, self.mask_values, self.asked = answer, mask_values, []  # type: ignore[var-annotated]

    def predict(self, windows: Floats32) -> Floats32:
        self.asked.append(windows)
        return self.answer(windows)

    run = predict

    def in_float64(self) -> Answer:
        raise Refused("there is none")


def check(reference: Fake, graph: Fake, rule: Rule = RULE, scaler: object = None) -> dict[str, Any]:
    return parity.check_network(reference, graph, scaler, FEATURES, rule)  # type: ignore[arg-type]


def test_features_that_are_not_computed_from_candles_get_normal_windows_instead() -> None:
    reference = Fake()
    names = ("close", "rsi_14", "my secret")
    figures = parity.check_network(reference, Fake(), None, names, RULE)  # type: ignore[arg-type]
    normal, more, extremes = reference.asked
    assert normal.shape == more.shape == (1000, 5, 3)
    assert not np.array_equal(normal, more)
    assert more.std() == pytest.approx(1.0, abs=0.05)
    assert figures["windows"] == 2000 + len(extremes)
    assert not parity.can_compute(names)
    assert parity.can_compute(FEATURES)


def test_features_of_the_candles_own_time_get_those_of_hourly_candles() -> None:
    reference = Fake()
    parity.check_network(reference, Fake(), None, ("close", "hour", "week_sin"), RULE)  # type: ignore[arg-type]
    hours, weeks = reference.asked[1][:, 0, 1], reference.asked[1][:, 0, 2]
    np.testing.assert_array_equal(np.diff(hours) % 24.0, np.ones(499))
    assert set(hours.tolist()) == set(range(24))
    assert (weeks.min(), weeks.max()) == pytest.approx((-1.0, 1.0), abs=1e-3)


def test_windows_are_of_every_kind() -> None:
    reference, graph = Fake(mask_values=(-1.0,)), Fake()
    figures = check(reference, graph)
    normal, low_prices, high_prices, masked, extremes = reference.asked
    answers = np.concatenate([plausible(windows) for windows in reference.asked])
    assert figures == {
        "windows": 2217,
        "decisions": 2216,
        "max_difference": 0.0,
        "tolerance": 1e-5,
        "lowest_answer": answers.min(),
        "highest_answer": answers.max(),
    }
    assert figures["windows"] == sum(map(len, reference.asked))
    assert normal.shape == (1000, 5, 3)
    assert abs(normal.mean()) < 0.05
    assert abs(normal.std() - 1.0) < 0.05
    for level, prices in ((1.1, low_prices), (150.0, high_prices)):
        assert prices.shape == (500, 5, 3)
        close, rsi, macd = np.moveaxis(prices, 2, 0)
        assert 0.9 * level < close.min() < close.max() < 1.1 * level
        assert 0.0 <= rsi.min() < 50.0 < rsi.max() <= 100.0
        assert 0.0 < np.abs(macd).max() < 0.01 * level
    steps_masked = (masked == -1.0).all(axis=2)
    assert 0.4 < steps_masked.mean() < 0.6
    assert (steps_masked[:, 0] & ~steps_masked[:, 1]).any(), "holes at the front"
    assert (~steps_masked[:, 1] & steps_masked[:, 2] & ~steps_masked[:, 3]).any(), "and inside"
    assert len(extremes) == 1 + 4 * (1 + 3)
    assert {float(w.flat[0]) for w in extremes if np.ptp(w) == 0} == {0.0, 10.0, -10.0, 1e6, -1e6}
    single = [w for w in extremes if np.ptp(w) > 0]
    assert {(int(np.flatnonzero(w[0])[0]), float(w[0].sum())) for w in single} == {
        (i, v) for i in range(3) for v in (10.0, -10.0, 1e6, -1e6)
    }


def test_features_are_masked_where_the_model_takes_them_first() -> None:
    reference = Fake(mask_values=(-1.0,))
    reference.mask_axes = (1, 2)
    assert check(reference, Fake())["windows"] == 2217 + parity.MASKED_WINDOWS
    by_step, by_feature = (windows == -1.0 for windows in reference.asked[3:5])
    assert 0.4 < by_step.all(axis=2).mean() < 0.6
    assert 0.4 < by_feature.all(axis=1).mean() < 0.6
    assert not by_feature.all(axis=2).any(axis=1).all()


def test_training_scale_goes_through_the_scalers_graph(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(100, 3)) * [0.01, 15.0, 1e-4] + [1.1, 50.0, 0.0]
    joblib.dump(StandardScaler().fit(rows), tmp_path / "scaler.pkl")
    scaler = Scaler(unpickle.read(tmp_path / "scaler.pkl"))
    session = GraphSession(scaler.build((5, 3)).SerializeToString())
    reference, graph = Fake(), Fake()
    check(reference, graph, scaler=(scaler, session))
    assert reference.asked[1].dtype == graph.asked[1].dtype == np.float32
    np.testing.assert_allclose(reference.asked[1], graph.asked[1], rtol=1e-6)
    assert abs(reference.asked[1].std() - 1.0) < 0.05, "raw values around the centre come out around 0"

    class Wrong:
        def run(self, raw: NDArray[np.float64]) -> Floats32:
            return np.asarray(session.run(raw) * [1.0, 1.001, 1.0], np.float32)

    with pytest.raises(Refused, match=r"^training scale, window \d+: expected .* got "):
        check(Fake(), Fake(), scaler=(scaler, Wrong()))


def at(kind_and_index: tuple[int, int], value: float) -> Answer:
    """`plausible`, except for one window, given by the number of the call and its index in it."""
    calls = iter(range(100))

    def answer(windows: Floats32) -> Floats32:
        found = plausible(windows)
        if next(calls) == kind_and_index[0]:
            found[kind_and_index[1]] = value
        return found

    return answer


def test_a_value_that_differs_is_reported_with_its_window() -> None:
    message = r"^standard normal, window 7: expected 0\.[0-9]+ \(tf_keras 2\.21\.0\), got 0.125: difference 0\."
    with pytest.raises(Refused, match=message):
        check(Fake(), Fake(at((0, 7), 0.125)))
    with pytest.raises(Refused, match=r"^extremes, window 4 \(macd 10, the others 0\): expected "):
        check(Fake(), Fake(at((3, 4), 0.125)))
    with pytest.raises(
        Refused, match=r"^extremes, window 0 \(all 0\): expected 0.5 .* got 0.50002.*: difference 2e-05"
    ):
        check(Fake(), Fake(at((3, 0), 0.50002)))
    check(Fake(), Fake(at((3, 0), 0.500009)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_on_either_side(value: float) -> None:
    for reference, graph in ((Fake(), Fake(at((1, 3), value))), (Fake(at((1, 3), value)), Fake())):
        with pytest.raises(Refused, match=r"^price level 1\.1, window 3: "):
            check(reference, graph)
    with pytest.raises(Refused, match=r"^price level 1\.1, window 3: "):
        check(Fake(at((1, 3), value)), Fake(at((1, 3), value)))


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_a_model_whose_output_is_not_a_probability_is_refused(value: float) -> None:
    with pytest.raises(Refused, match=f"window 3: tf_keras 2.21.0 itself gives {value}.*probability"):
        check(Fake(at((0, 3), value)), Fake(at((0, 3), value)))


def test_dtype_and_shape_are_compared() -> None:
    with pytest.raises(Refused, match="expected the dtype float32, got float64"):
        check(Fake(), Fake(lambda w: plausible(w).astype(np.float64)))
    with pytest.raises(Refused, match=r"expected the shape \(1000, 1\), got \(1000,\)"):
        check(Fake(), Fake(lambda w: plausible(w)[:, 0]))


def test_decision_is_compared_unless_the_framework_is_at_the_border() -> None:
    """A difference within the tolerance can still change a decision."""
    rule = DecisionRule(lambda p: "reversal" if np.float32(p) >= np.float32(0.3) else "hold", border=0.3)
    near = [0.3 - 8e-6, 0.3 + 1e-6]
    assert check(Fake(at((0, 7), near[0])), Fake(at((0, 7), near[1])), rule)["decisions"] == 2016
    # With a wrong border, the same two outputs are 1e-3 away from it, so their decisions must agree.
    elsewhere = DecisionRule(rule.decide, border=0.301)
    with pytest.raises(Refused, match=r"^standard normal, window 7: expected the decision hold, got reversal"):
        check(Fake(at((0, 7), near[0])), Fake(at((0, 7), near[1])), elsewhere)


SIGNALS = ("short", "hold", "long")


def of_classes(windows: Floats32) -> Floats32:
    """Some distribution over SIGNALS."""
    hold = 1.0 - plausible(windows)[:, 0].astype(np.float64)
    long = (1.0 - hold) * plausible(-2.0 * windows[:, 1:])[:, 0]
    return np.stack([1.0 - hold - long, hold, long], axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("answer", "decision", "distance"),
    [
        ((0.1, 0.8, 0.1), "hold", 0.1),
        ((0.3, 0.5, 0.2), "short", 0.05),
        ((0.2, 0.5, 0.3), "long", 0.05),
        ((0.05, 0.69, 0.26), "long", 0.01),
        ((0.25, 0.5, 0.25), "long", 0.0),
    ],
)
def test_the_decision_on_three_classes(answer: tuple[float, ...], decision: str, distance: float) -> None:
    rule = ClassesRule(SIGNALS, 0.3)
    assert rule.decision(np.array(answer, np.float32)) == decision
    assert rule.distances(np.array([answer], np.float32)) == pytest.approx([distance], abs=1e-6)


def test_each_value_of_three_classes_is_compared() -> None:
    rule = ClassesRule(SIGNALS, 0.3)
    figures = check(Fake(of_classes), Fake(of_classes), rule)
    assert figures["windows"] == 2017
    assert 1900 < figures["decisions"] <= 2017

    def wrong(windows: Floats32) -> Floats32:
        found = of_classes(windows)
        found[:, 2] += np.float32(2e-5)
        return found

    with pytest.raises(Refused, match=r"^standard normal, window 0: expected 0\.[0-9]+ .*: difference 2e-05"):
        check(Fake(of_classes), Fake(wrong), rule)

    def too_much(windows: Floats32) -> Floats32:
        return of_classes(windows) * np.float32(0.999)

    with pytest.raises(Refused, match=r"^standard normal, window 0: .* do not sum to 1"):
        check(Fake(too_much), Fake(too_much), rule)

    def constant(windows: Floats32) -> Floats32:
        return np.full((len(windows), 3), 1 / 3, np.float32)

    with pytest.raises(Refused, match=r"between 0\.333333343 and 0\.333333343"):
        check(Fake(constant), Fake(constant), rule)


def test_a_direction_of_three_classes_is_compared_unless_it_is_at_the_border() -> None:
    """With the gate open, two values that differ within the tolerance can exchange their order."""

    def near(windows: Floats32, apart: float) -> Floats32:
        found = of_classes(windows)
        found[0] = [0.3 + apart, 0.4, 0.3 - apart]
        return found

    rule = ClassesRule(SIGNALS, 0.3)
    figures = check(Fake(lambda w: near(w, 4e-6)), Fake(lambda w: near(w, -4e-6)), rule)
    assert figures["max_difference"] < 1e-5

    class Far(ClassesRule):
        def distances(self, answers: Floats32) -> NDArray[np.float64]:
            return np.ones(len(answers))

    with pytest.raises(Refused, match=r"^standard normal, window 0: expected the decision short, got long"):
        check(Fake(lambda w: near(w, 4e-6)), Fake(lambda w: near(w, -4e-6)), Far(*rule))


def test_a_model_with_a_constant_output_is_refused() -> None:
    def saturated(windows: Floats32) -> Floats32:
        return np.float32(1.0) - np.float32(1e-5) * plausible(windows)

    with pytest.raises(Refused, match=r"between 0\.9999.* and 0\.9999.*"):
        check(Fake(saturated), Fake(saturated))


def test_one_changed_weight_is_found(tmp_path: Path) -> None:
    model = helpers.sequential(
        "tf_keras",
        lambda k: [k.LSTM(4, return_sequences=True, name="lstm"), k.GRU(3, name="gru"), k.Dense(3, name="middle")],
    )
    loaded = helpers.saved(model, tmp_path)
    right = network.build(loaded.model, loaded.window).SerializeToString()
    figures = parity.check_network(loaded, GraphSession(right), None, FEATURES, RULE)
    assert 0.0 < figures["max_difference"] < 1e-6
    for name in ("lstm/W", "lstm/R", "lstm/B", "gru/B", "middle/kernel", "middle/bias"):
        graph = onnx.load_from_string(right)
        (constant,) = [constant for constant in graph.graph.initializer if constant.name == name]
        values = numpy_helper.to_array(constant).copy()
        values.flat[1] += 0.01
        constant.CopyFrom(numpy_helper.from_array(values, name))
        onnx.checker.check_model(graph)
        with pytest.raises(Refused, match=r"expected .* got .*: difference .*, at most 1e-05 is allowed"):
            parity.check_network(loaded, GraphSession(graph.SerializeToString()), None, FEATURES, RULE)
