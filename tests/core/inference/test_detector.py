from __future__ import annotations

from pathlib import Path
from typing import Any

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
    """A window whose mean, and so the test network's answer, is what the test wants."""
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


def test_the_golden_case_through_real_sessions(tmp_path: Path) -> None:
    answer = only(detector(tmp_path).predict([given(0.82, 0.32)]))
    assert answer.decision.signal == "long"
    assert answer.decision.confidence == pytest.approx(0.75, abs=1e-6)
    assert answer.decision.stage2_prob == pytest.approx(0.68, abs=1e-6)
    assert answer.warnings == ()


def test_each_stage_gets_its_own_features_through_its_own_scaler(tmp_path: Path) -> None:
    # Candles at 10, high 12: stage 1 sees (10 - 9) / 2 = 0.5, stage 2 (12 - 11.9) / 1 = 0.1.
    loaded = detector(
        tmp_path, features=["close"], stage2_features=["high"], scale=(9.0, 2.0), stage2_scale=(11.9, 1.0)
    )
    flat = np.full(10, 10.0)
    answer = only(loaded.predict([CandleWindows(Candles.from_fields(flat, flat + 2.0, flat, flat, flat))]))
    assert answer.decision.stage1_prob == pytest.approx(0.5, abs=1e-6)
    assert answer.decision.stage2_prob == pytest.approx(0.9, abs=1e-6)
    assert answer.decision.signal == "long"


def test_stage_2_runs_only_for_windows_that_pass_the_gate(tmp_path: Path) -> None:
    # Stage 2 answers NaN for this window: a failure if it ran.
    loaded = detector(tmp_path, stage2_kind="root")
    assert only(loaded.predict([given(0.4, 1.0)])).decision.signal == "hold"
    (failed,) = loaded.predict([given(0.6, 1.0)])
    assert isinstance(failed, ModelUnavailable)


# Whether one window serves both stages, each has a scaler of its own, or a length; whether there is a second stage;
# networks that answer NaN for some windows.
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
def test_a_batch_answers_each_source_as_if_it_were_alone(loaded: Detector, sources: list[WindowSource]) -> None:
    for together, source in zip(loaded.predict(sources), sources, strict=True):
        (alone,) = loaded.predict([source])
        same(together, alone)


def same(found: DetectorResult, expected: DetectorResult) -> None:
    if isinstance(expected, ServiceError):
        assert isinstance(found, ServiceError)
        assert (found.code, found.message, found.details) == (expected.code, expected.message, expected.details)
        return
    assert isinstance(found, Prediction)
    assert (found.version, found.warnings) == (expected.version, expected.warnings)
    for ours, theirs in zip(found.decision, expected.decision, strict=True):
        assert ours == (pytest.approx(theirs, abs=1e-6) if isinstance(theirs, float) else theirs)


def test_all_that_ran_together_share_the_time_it_took(tmp_path: Path) -> None:
    closed, opened, candles = detector(tmp_path).predict([given(0.1), given(0.9), constant_candles(0.7)])
    assert only([closed]).spent == only([opened]).spent == only([candles]).spent
    assert all(seconds > 0.0 for seconds in only([closed]).spent)


def test_no_time_is_spent_in_stage_2_where_no_gate_opens(tmp_path: Path) -> None:
    spent = only(detector(tmp_path).predict([given(0.1)])).spent
    assert isinstance(spent, Spent)
    assert spent.stage1 > 0.0
    assert spent.stage2 == 0.0


def test_windows_sent_by_stage_are_told_apart_where_one_would_serve_both(tmp_path: Path) -> None:
    loaded = detector(tmp_path)
    shared, own = (only([outcome]) for outcome in loaded.predict([given(0.9), given(0.9, 0.2)]))
    assert (shared.decision.signal, own.decision.signal) == ("short", "long")


def test_a_window_whose_sum_alone_overflows_is_answered(tmp_path: Path) -> None:
    windows = [[3e38, 3e38], [-3e38, -3e38], [3e38, 3e38], [3e38, 3e38]]
    (outcome,) = detector(tmp_path).predict([GivenWindows(windows, scaled=True)])
    assert isinstance(outcome, Prediction)


def test_one_bad_source_does_not_spoil_the_others(tmp_path: Path) -> None:
    loaded = detector(tmp_path, kind="root")
    good, few, wide, overflow, nan = loaded.predict(
        [
            given(0.5), constant_candles(1.0, count=3), GivenWindows([[1.0]] * 4, scaled=True), given(1e39),
            given(1.0),
        ]
    )  # fmt: skip
    assert isinstance(good, Prediction)
    assert isinstance(few, InsufficientData)
    assert "at least 8 candles, 3 were given" in few.message
    assert isinstance(wide, InvalidInput)
    assert wide.details[0].path == "row 0 of the window"
    assert isinstance(overflow, InvalidInput)
    assert overflow.details[0].path == "column 0 in row 0 of the window"
    assert isinstance(nan, ModelUnavailable)
    assert "stage1 answered nan" in nan.message


def test_overflow_of_raw_features_is_named_where_it_happens(tmp_path: Path) -> None:
    loaded = detector(tmp_path, scale=(0.0, 1e-10), stage2_scale=(0.0, 1e-10))
    rows = [[1.0, 1.0], [1.0, 1.0], [1.0, 1e30], [1.0, 1.0]]
    (outcome,) = loaded.predict([GivenWindows(rows, scaled=False)])
    assert isinstance(outcome, InvalidInput)
    assert outcome.details[0].path == "column 1 in row 2 of the window"


def test_overflow_of_a_candles_field_names_the_candle(tmp_path: Path) -> None:
    close = np.full(10, 0.5)
    close[9] = 1e39
    loaded = detector(tmp_path, features=["close"], stage2_features=["close"])
    candles = Candles.from_fields(*[close] * 5)
    (outcome,) = loaded.predict([CandleWindows(candles)])
    assert isinstance(outcome, InvalidInput)
    assert outcome.details[0].path == "close of candle 9"


def test_overflow_of_a_derived_feature_names_the_series(tmp_path: Path) -> None:
    close = np.full(10, 1e-300)
    close[::2] = 1e300
    loaded = detector(tmp_path, features=["returns"], stage2_features=["returns"])
    (outcome,) = loaded.predict([CandleWindows(Candles.from_fields(*[close] * 5))])
    assert isinstance(outcome, InvalidInput)
    assert outcome.details[0].path == "the candles"


def test_stage_2_may_overflow_unseen_while_the_gate_is_closed(tmp_path: Path) -> None:
    loaded = detector(tmp_path)
    closed, opened = loaded.predict([given(0.1, 1e39), given(0.9, 1e39)])
    assert isinstance(closed, Prediction)
    assert isinstance(opened, InvalidInput)
    assert opened.details[0].path == "column 0 in row 0 of the window of stage2"


def test_where_stage_2_fails_only_those_behind_the_gate_fail_and_each_keeps_its_own_error(
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


def test_few_candles_carry_a_warning_and_enough_do_not(tmp_path: Path) -> None:
    loaded = detector(tmp_path, features=["ema_12"], stage2_features=["ema_12"], threshold=1.0)
    few = only(loaded.predict([constant_candles(0.5, loaded.recommended_candles - 1)]))
    assert [warning.code for warning in few.warnings] == ["FEW_CANDLES"]
    assert str(loaded.recommended_candles) in few.warnings[0].message
    assert only(loaded.predict([constant_candles(0.5, loaded.recommended_candles)])).warnings == ()


def test_without_stage_2_an_open_gate_holds_and_warns(tmp_path: Path) -> None:
    loaded = detector(tmp_path, stage2_features=None)
    answer = only(loaded.predict([given(0.9)]))
    assert (answer.decision.signal, answer.decision.stage2_prob) == ("hold", None)
    assert answer.decision.confidence == pytest.approx(0.9, abs=1e-6)
    assert [warning.code for warning in answer.warnings] == ["NO_STAGE2"]


def test_one_matrix_for_stages_that_differ_is_refused(tmp_path: Path) -> None:
    loaded = detector(tmp_path, stage2_scale=(1.0, 1.0))
    (outcome,) = loaded.predict([given(0.9)])
    assert isinstance(outcome, InvalidInput)
    assert outcome.details[0].path == "the window"
    missing = GivenWindows({"stage1": [[0.9, 0.9]] * 4}, scaled=True)
    (outcome,) = loaded.predict([missing])
    assert isinstance(outcome, InvalidInput)
    assert outcome.details[0].path == "the window of stage2"


def test_no_sources_give_no_outcomes(tmp_path: Path) -> None:
    assert detector(tmp_path).predict([]) == []


@pytest.mark.parametrize("kind", ["two_inputs", "two_wide", "fixed_batch"])
def test_a_graph_of_another_shape_is_refused_by_file(tmp_path: Path, kind: Any) -> None:  # noqa: ANN401
    with pytest.raises(BundleRefused, match=r"bundle v1: stage1-network-\w+\.onnx: (in|out)put is .* expected"):
        detector(tmp_path, kind=kind)


def test_a_graph_that_onnx_runtime_refuses_is_refused_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opset_only = b"\x42\x04\x0a\x00\x10\x11"  # opset_import { domain: "" version: 17 }, and no graph
    monkeypatch.setattr(bundles, "network", lambda *_: opset_only)
    with pytest.raises(BundleRefused, match=r"bundle v1: stage1-network-\w+\.onnx: ONNX Runtime refuses it"):
        detector(tmp_path)


def test_a_failed_warm_up_is_a_failed_load(tmp_path: Path) -> None:
    # Zeros, scaled by (x + 1) / 1, are 1.0: the root of 0.9 - 1.0 is NaN.
    with pytest.raises(BundleRefused, match=r"bundle v1: warm-up: stage2 answered \[nan\], expected 1 prob"):
        detector(tmp_path, stage2_kind="root", stage2_scale=(-1.0, 1.0))


@pytest.mark.parametrize("kind", ["unclipped", "first_row"])
def test_a_network_that_answers_no_probabilities_is_refused_at_load(tmp_path: Path, kind: Any) -> None:  # noqa: ANN401
    # unclipped answers 2.0 for the zeros, scaled by (x + 2) / 1; first_row answers one row for any batch.
    with pytest.raises(BundleRefused, match=r"bundle v1: warm-up: stage1 answered .* expected . probabilities"):
        detector(tmp_path, kind=kind, scale=(-2.0, 1.0) if kind == "unclipped" else (0.0, 1.0))


def test_a_scaler_that_makes_infinities_is_refused_at_load(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match=r"bundle v1: warm-up: stage1's scaler makes .* not all finite"):
        detector(tmp_path, scale=(1.0, 0.0))


@pytest.mark.parametrize("value", [1.7, -0.2])
def test_an_output_outside_0_to_1_is_a_failure(tmp_path: Path, value: float) -> None:
    (outcome,) = detector(tmp_path, kind="unclipped").predict([given(value)])
    assert isinstance(outcome, ModelUnavailable)
    assert "stage1 answered" in outcome.message


def test_the_gate_compares_as_float32(tmp_path: Path) -> None:
    # The float32 nearest to 0.7 is below 0.7: compared in float64, a window at the threshold would not pass.
    answer = only(detector(tmp_path, threshold=0.7).predict([given(0.7, 0.9)]))
    assert answer.decision.signal == "short"


def test_stages_may_have_windows_of_different_length(tmp_path: Path) -> None:
    loaded = detector(tmp_path, length=4, stage2_length=6)
    assert loaded.required_candles == 10
    two = GivenWindows({"stage1": [[0.9, 0.9]] * 4, "stage2": [[0.8, 0.8]] * 6}, scaled=True)
    assert only(loaded.predict([two])).decision.signal == "short"
    (outcome,) = loaded.predict([given(0.9)])
    assert isinstance(outcome, InvalidInput)
    assert outcome.details[0].path == "the window"
