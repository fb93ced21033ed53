import numpy as np
import pytest

from benchmarks.peers.networks import Networks
from benchmarks.peers.rule import BUNDLE, WINDOW, RefusedError, Rule, envelope, window
from core.bundles.repository import Repository
from core.inference.decision import decide
from core.inference.detector import Detector, Prediction
from core.inference.inputs import GivenWindows

RULE = Rule(np.float32(0.5), positive="short", negative="long")


@pytest.mark.parametrize(("p1", "p2"), [(0.4523, None), (0.82, 0.32), (0.82, 0.68), (0.6, 0.5)])
def test_peers_make_the_same_decisions(p1: float, p2: float | None) -> None:
    ours = decide(p1, p2, threshold=0.5, positive="short")

    row = RULE.row(p1, p2)

    assert row == {
        "signal": ours.signal,
        "confidence": ours.confidence,
        "stage1_prob": ours.stage1_prob,
        "stage2_prob": ours.stage2_prob,
        "factors": {"reversal_detected": ours.reversal_detected, "direction": ours.direction},
    }


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        ([[0.0] * 12] * 19, r"\(19, 12\)"),
        ([[0.0] * 12] * 19 + [[0.0] * 11], "inhomogeneous"),
        ([[1e39] * 12] * 20, "finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
def test_peers_refuse_an_invalid_window(features: object, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        window(features)


def test_networks_give_the_detectors_answers_for_open_and_closed_gates_in_one_batch() -> None:
    windows = np.random.default_rng(5).normal(size=(16, *WINDOW)).astype(np.float32)
    detector = Detector(Repository(BUNDLE.parent).read(BUNDLE.name))

    rows = Networks().predict(windows)

    assert {row["signal"] == "hold" for row in rows} == {True, False}
    for row, each in zip(rows, windows, strict=True):
        (ours,) = detector.predict([GivenWindows(each.tolist(), scaled=True)])
        assert isinstance(ours, Prediction)
        assert row["signal"] == ours.decision.signal
        assert row["stage1_prob"] == pytest.approx(ours.decision.stage1_prob, abs=1e-6)
        assert row["stage2_prob"] == pytest.approx(ours.decision.stage2_prob, abs=1e-6)


def test_the_envelope_has_the_keys_of_an_answer() -> None:
    body = envelope("EUR/USD", "1h", RULE.row(0.82, 0.32))

    assert list(body) == ["success", "data", "error", "timestamp"]
    assert set(body["data"]) == {
        *("pair", "timeframe", "signal", "confidence", "stage1_prob", "stage2_prob"),
        *("model_version", "factors", "timestamp"),
    }
