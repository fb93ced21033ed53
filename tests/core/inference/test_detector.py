from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given as for_any
from hypothesis import settings
from hypothesis import strategies as st

from core.bundles import bundle
from core.errors import BundleRefused, InsufficientData, InvalidInput, ModelUnavailable, ServiceError
from core.features.candles import Candles
from core.inference.detector import Detector, DetectorResult, Prediction, Spent
from core.inference.inputs import CandleWindows, GivenWindows, WindowSource
from core.inference.stage_runner import Floats32, StageRunner
from tests import bundles, market


def detector(root: Path, version: str = "v1", **fields: Any) -> Detector:  # noqa: ANN401
    return Detector(bundle.read(bundles.write(root, version, **fields)))


def given(p1: float, p2: float | None = None, *, scaled: bool = True, length: int = 4) -> GivenWindows:
    """Windows with these means, which the test networks answer as their probabilities."""
    rows1 = [[p1, p1]] * length
    if p2 is None:
        return GivenWindows(rows1, scaled=scaled)
    return GivenWindows({"stage1": rows1, "stage2": [[p2, p2]] * length}, scaled=scaled)


def constant_candles(price: float, count: int = 120) -> CandleWindows:
    return CandleWindows(Candles.from_fields(*[np.full(count, price)] * 5))


def only(outcomes: list[Any]) -> Prediction:
    (outcome,) = outcomes
    assert isinstance(outcome, Prediction), outcome
    return outcome


def test_the_example_of_the_contract_in_real_sessions(tmp_path: Path) -> None:
    answer = only(detector(tmp_path).predict([given(0.82, 0.32)]))
    assert answer.decision.signal == "long"
    assert answer.decision.confidence == pytest.approx(0.75, abs=1e-6)
    assert answer.decision.stage2_prob == pytest.approx(0.68, abs=1e-6)
    assert answer.warnings == ()


def test_each_stage_has_its_own_features_and_scaler(tmp_path: Path) -> None:
    # The candles have close 10 and high 12. Stage 1 gets (10 - 9) / 2 = 0.5, Stage 2 gets (12 - 11.9) / 1 = 0.1.
    loaded = detector(
        tmp_path, features=["close"], stage2_features=["high"], scale=(9.0, 2.0), stage2_scale=(11.9, 1.0)
    )
    flat = np.full(10, 10.0)
    answer = only(loaded.predict([CandleWindows(Candles.from_fields(flat, flat + 2.0, flat, flat, flat))]))
    assert answer.decision.stage1_prob == pytest.approx(0.5, abs=1e-6)
    assert answer.decision.stage2_prob == pytest.approx(0.9, abs=1e-6)
    assert answer.decision.signal == "long"


def test_stage_2_runs_only_for_windows_that_pass_the_gate(tmp_path: Path) -> None:
    # Stage 2 would answer NaN for this window, which is an error.
    loaded = detector(tmp_path, stage2_kind="root")
    assert only(loaded.predict([given(0.4, 1.0)])).decision.signal == "hold"
    (failed,) = loaded.predict([given(0.6, 1.0)])
    assert isinstance(failed, ModelUnavailable)


# Versions with a shared window, with different scalers or lengths, without scalers, without Stage 2, and with networks
# that answer NaN for some windows.
SHAPES: dict[str, dict[str, Any]] = {
    "one_window": {},
    "two_scalers": {"scale": (0.0, 2.0), "stage2_scale": (0.1, 2.0)},
    "two_lengths": {"length": 4, "stage2_length": 6, "stage2_features": ("close", "ema_12", "rsi_14")},
    "unscaled": {"scale": None, "stage2_scale": None},
    "one_stage": {"stage2_features": None},
    "failing": {"kind": "root", "stage2_kind": "root", "features": ("sma_5", "macd", "volatility_2", "close")},
}
means = st.sampled_from([0.1, 0.3, 0.55, 0.7, 0.95, 1e39, -1e39, 1e308])
widths = st.sampled_from([1, 2, 2, 2, 3, 4])
lengths = st.sampled_from([4, 4, 4, 6, 5])
matrices = st.builds(lambda mean, width, length: [[mean] * width] * length, means, widths, lengths)
sent = st.builds(
    lambda windows, scaled: GivenWindows(windows, scaled=scaled),
    st.one_of(
        matrices,
        st.fixed_dictionaries({"stage1": matrices, "stage2": matrices}),
        st.fixed_dictionaries({"stage1": matrices}),
    ),
    st.booleans(),
)
computed = st.builds(
    lambda start, count, scale: CandleWindows(Candles(scale * market.candles(start, count).values)),
    st.integers(0, 5_000),
    st.sampled_from([3, 8, 9, 20, 21, 120, 800]),
    st.sampled_from([0.2, 0.5, 1.0, 1e39]),
)


@pytest.fixture(scope="module", params=SHAPES)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return detector(tmp_path_factory.mktemp("bundles"), **SHAPES[request.param])


@for_any(st.lists(st.one_of(sent, computed), min_size=1, max_size=12))
@settings(max_examples=150, deadline=None)
def test_each_source_of_a_batch_gets_the_answer_that_it_gets_alone(
    loaded: Detector, sources: list[WindowSource]
) -> None:
    for together, source in zip(loaded.predict(sources), sources, strict=True):
        (alone,) = loaded.predict([source])
        assert_same(together, alone)


def assert_same(found: DetectorResult, expected: DetectorResult) -> None:
    if isinstance(expected, ServiceError):
        assert isinstance(found, ServiceError)
        assert (found.code, found.message, found.details) == (expected.code, expected.message, expected.details)
        return
    assert isinstance(found, Prediction)
    assert (found.version, found.warnings) == (expected.version, expected.warnings)
    for ours, theirs in zip(*map(msgspec.structs.astuple, (found.decision, expected.decision)), strict=True):
        assert ours == (pytest.approx(theirs, abs=1e-6) if isinstance(theirs, float) else theirs)


def test_the_predictions_of_a_run_share_its_times(tmp_path: Path) -> None:
    closed, opened, candles = detector(tmp_path).predict([given(0.1), given(0.9), constant_candles(0.7)])
    assert only([closed]).spent == only([opened]).spent == only([candles]).spent
    assert all(seconds > 0.0 for seconds in only([closed]).spent)


def test_stage_2_takes_no_time_if_no_gate_opens(tmp_path: Path) -> None:
    spent = only(detector(tmp_path).predict([given(0.1)])).spent
    assert isinstance(spent, Spent)
    assert spent.stage1 > 0.0
    assert spent.stage2 == 0.0


def test_windows_for_each_stage_are_used_even_if_one_would_serve_both(tmp_path: Path) -> None:
    loaded = detector(tmp_path)
    shared, own = (only([outcome]) for outcome in loaded.predict([given(0.9), given(0.9, 0.2)]))
    assert (shared.decision.signal, own.decision.signal) == ("short", "long")


def test_a_window_of_finite_values_with_an_infinite_sum_is_answered(tmp_path: Path) -> None:
    windows = [[3e38, 3e38], [-3e38, -3e38], [3e38, 3e38], [3e38, 3e38]]
    (outcome,) = detector(tmp_path).predict([GivenWindows(windows, scaled=True)])
    assert isinstance(outcome, Prediction)


def test_bad_sources_do_not_affect_the_others(tmp_path: Path) -> None:
    loaded = detector(tmp_path, kind="root")
    good, few, wide, overflow, nan = loaded.predict(
        [
            given(0.5), constant_candles(1.0, count=3), GivenWindows([[1.0]] * 4, scaled=True), given(1e39),
            given(1.0),
        ]
    )  # fmt: skip
    assert isinstance(good, Prediction)
    assert isinstance(few, InsufficientData)
    assert re.search(r"\b8 candles.*\b3\b", few.message)
    assert isinstance(wide, InvalidInput)
    assert wide.details[0].path == "row 0 of the window"
    assert isinstance(overflow, InvalidInput)
    assert overflow.details[0].path == "column 0 in row 0 of the window"
    assert isinstance(nan, ModelUnavailable)
    assert "stage1 answered nan" in nan.message


def test_an_overflow_of_raw_features_names_the_place_of_the_value(tmp_path: Path) -> None:
    loaded = detector(tmp_path, scale=(0.0, 1e-10), stage2_scale=(0.0, 1e-10))
    rows = [[1.0, 1.0], [1.0, 1.0], [1.0, 1e30], [1.0, 1.0]]
    (outcome,) = loaded.predict([GivenWindows(rows, scaled=False)])
    assert isinstance(outcome, InvalidInput)
    assert outcome.details[0].path == "column 1 in row 2 of the window"


def test_an_overflow_of_a_candles_field_names_the_candle(tmp_path: Path) -> None:
    close = np.full(10, 0.5)
    close[9] = 1e39
    loaded = detector(tmp_path, features=["close"], stage2_features=["close"])
    candles = Candles.from_fields(*[close] * 5)
    (outcome,) = loaded.predict([CandleWindows(candles)])
    assert isinstance(outcome, InvalidInput)
    assert outcome.details[0].path == "close of candle 9"


def test_an_overflow_of_a_derived_feature_names_the_series(tmp_path: Path) -> None:
    close = np.full(10, 1e-300)
    close[::2] = 1e300
    loaded = detector(tmp_path, features=["returns"], stage2_features=["returns"])
    (outcome,) = loaded.predict([CandleWindows(Candles.from_fields(*[close] * 5))])
    assert isinstance(outcome, InvalidInput)
    assert outcome.details[0].path == "the candles"


def test_an_overflow_in_stage_2_is_no_error_if_the_gate_is_closed(tmp_path: Path) -> None:
    loaded = detector(tmp_path)
    closed, opened = loaded.predict([given(0.1, 1e39), given(0.9, 1e39)])
    assert isinstance(closed, Prediction)
    assert isinstance(opened, InvalidInput)
    assert opened.details[0].path == "column 0 in row 0 of the window of stage2"


def test_a_failure_of_stage_2_affects_only_open_gates_and_each_source_keeps_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = detector(tmp_path)
    probabilities = StageRunner.probabilities

    def failing(runner: StageRunner, scaled: Floats32) -> Floats32:
        if runner.label == "stage2":
            raise ModelUnavailable("stage2 failed")
        return probabilities(runner, scaled)

    monkeypatch.setattr(StageRunner, "probabilities", failing)
    closed, overflow, failed, few = loaded.predict(
        [given(0.1, 0.5), given(0.9, 1e39), given(0.9, 0.5), constant_candles(1.0, count=3)]
    )
    assert isinstance(closed, Prediction)
    assert isinstance(overflow, InvalidInput)
    assert isinstance(failed, ModelUnavailable)
    assert failed.message == "stage2 failed"
    assert isinstance(few, InsufficientData)


def test_fewer_than_the_recommended_candles_give_a_warning(tmp_path: Path) -> None:
    loaded = detector(tmp_path, features=["ema_12"], stage2_features=["ema_12"], threshold=1.0)
    few = only(loaded.predict([constant_candles(0.5, loaded.recommended_candles - 1)]))
    assert [warning.code for warning in few.warnings] == ["FEW_CANDLES"]
    assert str(loaded.recommended_candles) in few.warnings[0].message
    assert only(loaded.predict([constant_candles(0.5, loaded.recommended_candles)])).warnings == ()


def test_without_stage_2_an_open_gate_gives_hold_and_a_warning(tmp_path: Path) -> None:
    loaded = detector(tmp_path, stage2_features=None)
    answer = only(loaded.predict([given(0.9)]))
    assert (answer.decision.signal, answer.decision.stage2_prob) == ("hold", None)
    assert answer.decision.confidence == pytest.approx(0.9, abs=1e-6)
    assert [warning.code for warning in answer.warnings] == ["NO_STAGE2"]


def test_one_window_for_stages_that_differ_is_refused(tmp_path: Path) -> None:
    loaded = detector(tmp_path, stage2_scale=(1.0, 1.0))
    (outcome,) = loaded.predict([given(0.9)])
    assert isinstance(outcome, InvalidInput)
    assert outcome.details[0].path == "the window"
    missing = GivenWindows({"stage1": [[0.9, 0.9]] * 4}, scaled=True)
    (outcome,) = loaded.predict([missing])
    assert isinstance(outcome, InvalidInput)
    assert outcome.details[0].path == "the window of stage2"


def test_no_sources_give_no_results(tmp_path: Path) -> None:
    assert detector(tmp_path).predict([]) == []


@pytest.mark.parametrize("kind", ["two_inputs", "two_wide", "fixed_batch"])
def test_a_graph_of_another_shape_is_refused_with_its_file_name(tmp_path: Path, kind: Any) -> None:  # noqa: ANN401
    with pytest.raises(BundleRefused, match=r"bundle v1: stage1-network-\w+\.onnx: (in|out)put is .*\(batch, \["):
        detector(tmp_path, kind=kind)


def test_a_graph_that_onnx_runtime_cannot_load_is_refused_with_its_file_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opset_only = b"\x42\x04\x0a\x00\x10\x11"  # opset_import { domain: "" version: 17 }, and no graph
    monkeypatch.setattr(bundles, "network", lambda *_: opset_only)
    with pytest.raises(BundleRefused, match=r"bundle v1: stage1-network-\w+\.onnx: ONNX Runtime "):
        detector(tmp_path)


def test_a_bundle_with_a_failed_warm_up_is_refused(tmp_path: Path) -> None:
    # The scaler (x + 1) / 1 turns zeros into 1.0, and the root of 0.9 - 1.0 is NaN.
    with pytest.raises(BundleRefused, match=r"bundle v1: warm-up .*: stage2 answered \[nan\], .*\b1 "):
        detector(tmp_path, stage2_kind="root", stage2_scale=(-1.0, 1.0))


@pytest.mark.parametrize("kind", ["unclipped", "first_row"])
def test_a_network_with_wrong_answers_is_refused_at_load(tmp_path: Path, kind: Any) -> None:  # noqa: ANN401
    # unclipped gets zeros scaled by (x + 2) / 1 and answers 2.0. first_row answers one row for a batch of any size.
    with pytest.raises(BundleRefused, match=r"bundle v1: warm-up .*: stage1 answered \["):
        detector(tmp_path, kind=kind, scale=(-2.0, 1.0) if kind == "unclipped" else (0.0, 1.0))


def test_a_scaler_with_infinite_results_is_refused_at_load(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match=r"bundle v1: warm-up .*: the scaler of stage1 .*finite"):
        detector(tmp_path, scale=(1.0, 0.0))


@pytest.mark.parametrize("value", [1.7, -0.2])
def test_an_output_outside_0_to_1_is_an_error(tmp_path: Path, value: float) -> None:
    (outcome,) = detector(tmp_path, kind="unclipped").predict([given(value)])
    assert isinstance(outcome, ModelUnavailable)
    assert "stage1 answered" in outcome.message


def test_the_gate_compares_as_float32(tmp_path: Path) -> None:
    # The float32 nearest to 0.7 is below 0.7, so a comparison as float64 would close the gate.
    answer = only(detector(tmp_path, threshold=0.7).predict([given(0.7, 0.9)]))
    assert answer.decision.signal == "short"


def test_the_windows_of_stages_can_have_different_lengths(tmp_path: Path) -> None:
    loaded = detector(tmp_path, length=4, stage2_length=6)
    assert loaded.required_candles == 10
    two = GivenWindows({"stage1": [[0.9, 0.9]] * 4, "stage2": [[0.8, 0.8]] * 6}, scaled=True)
    assert only(loaded.predict([two])).decision.signal == "short"
    (outcome,) = loaded.predict([given(0.9)])
    assert isinstance(outcome, InvalidInput)
    assert outcome.details[0].path == "the window"
