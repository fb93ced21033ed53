"""Versions with one network for both stages, whose outputs are the probabilities of hold, long and short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from core.bundles import bundle, manifest
from core.bundles.limits import Limits
from core.bundles.manifest import Classes
from core.errors import BundleRefused, InvalidInput, ModelUnavailable, OutOfRange
from core.features.candles import Candles
from core.inference import trial
from core.inference.decision import decide, of_classes
from core.inference.detector import Detector, DetectorResult, Prediction
from core.inference.inputs import CandleWindows, GivenWindows
from tests import bundles, market
from tests.bundles import class_window

FEATURES = ("close", "sma_5", "ema_3", "rsi_14")
IN_ORDER: Classes = ("hold", "long", "short")


def detector(root: Path, classes: Classes = IN_ORDER, *, refuse: bool = False, **fields: Any) -> Detector:  # noqa: ANN401
    folder = bundles.write(root, **{"features": FEATURES, "classes": classes, "scale": None} | fields)
    return Detector(bundle.read(folder), refuse_out_of_range=refuse)


def window(*probabilities: float) -> list[list[float]]:
    """A window of four features, for which the network gives these probabilities in its own order."""
    return [[*row, 7.0] for row in class_window(*probabilities)]


def asked(*probabilities: float) -> GivenWindows:
    return GivenWindows(window(*probabilities), scaled=True)


def only(results: list[DetectorResult]) -> Prediction:
    (result,) = results
    assert isinstance(result, Prediction), result
    return result


@pytest.mark.parametrize(
    ("classes", "probabilities", "expected"),
    [
        (IN_ORDER, (0.75, 0.125, 0.125), ("hold", 0.25, None, 0.75)),
        (IN_ORDER, (0.25, 0.5, 0.25), ("long", 0.75, 2 / 3, 0.7083333)),
        (IN_ORDER, (0.25, 0.25, 0.5), ("short", 0.75, 2 / 3, 0.7083333)),
        (("short", "hold", "long"), (0.625, 0.25, 0.125), ("short", 0.75, 5 / 6, 0.7916667)),
        (("short", "hold", "long"), (0.125, 0.75, 0.125), ("hold", 0.25, None, 0.75)),
        (("long", "short", "hold"), (0.125, 0.625, 0.25), ("short", 0.75, 5 / 6, 0.7916667)),
        (("long", "short", "hold"), (0.625, 0.125, 0.25), ("long", 0.75, 5 / 6, 0.7916667)),
        (IN_ORDER, (0.5, 0.5, 0.0), ("long", 0.5, 1.0, 0.75)),
    ],
)
def test_the_signal_follows_from_the_classes_in_the_order_of_the_network(
    tmp_path: Path,
    classes: Classes,
    probabilities: tuple[float, ...],
    expected: tuple[str, float, float | None, float],
) -> None:
    signal, p1, p2, confidence = expected
    answer = only(detector(tmp_path, classes).predict([asked(*probabilities)]))
    decision = answer.decision
    assert (decision.signal, decision.reversal_detected) == (signal, p2 is not None)
    assert decision.stage1_prob == pytest.approx(p1, abs=1e-6)
    assert decision.stage2_prob == (None if p2 is None else pytest.approx(p2, abs=1e-6))
    assert decision.confidence == pytest.approx(confidence, abs=1e-6)
    assert decision.direction == (None if p2 is None else signal)
    assert answer.warnings == ()
    assert answer.spent.stage2 == 0.0
    assert answer.spent.stage1 > 0.0


@pytest.mark.parametrize(("classes", "signal"), [(IN_ORDER, "long"), (("hold", "short", "long"), "short")])
def test_a_tie_is_the_direction_that_the_version_names_first(tmp_path: Path, classes: Classes, signal: str) -> None:
    decision = only(detector(tmp_path, classes).predict([asked(0.25, 0.375, 0.375)])).decision
    assert (decision.signal, decision.stage2_prob) == (signal, 0.5)


def test_no_direction_at_all_is_no_nan(tmp_path: Path) -> None:
    decision = only(detector(tmp_path, threshold=0.0, weights=(0.25, 0.75)).predict([asked(1.0, 0.0, 0.0)])).decision
    assert (decision.signal, decision.stage1_prob, decision.stage2_prob) == ("long", 0.0, 0.5)
    assert decision.confidence == 0.375


@pytest.mark.parametrize(
    "probabilities",
    [
        (0.5, 0.25, 0.125),
        (0.5, 0.25, 0.2503),
        (1.25, -0.125, -0.125),
        (0.5, 0.75, -0.25),
        (-0.25, 0.75, 0.5),
    ],
)
def test_an_answer_that_is_no_distribution_is_a_failure_of_its_row_alone(
    tmp_path: Path, probabilities: tuple[float, ...]
) -> None:
    good, bad, again = detector(tmp_path).predict(
        [asked(0.25, 0.5, 0.25), asked(*probabilities), asked(0.25, 0.25, 0.5)]
    )
    assert isinstance(good, Prediction)
    assert isinstance(again, Prediction)
    assert (good.decision.signal, again.decision.signal) == ("long", "short")
    assert isinstance(bad, ModelUnavailable)
    assert all(text in bad.message for text in ("v1", "stage1", "hold, long, short"))


def test_rounding_of_a_softmax_is_no_failure(tmp_path: Path) -> None:
    assert only(detector(tmp_path).predict([asked(0.5, 0.25, 0.25004)])).decision.signal == "short"


def test_answers_equal_the_rule_of_two_stages_on_any_distribution_and_in_any_batch(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).dirichlet([1.0, 1.0, 1.0], 200)
    loaded = detector(tmp_path, ("long", "hold", "short"), threshold=0.4, weights=(0.3, 0.7))
    batch = loaded.predict([asked(*row) for row in rows.tolist()])
    for row, result in zip(rows.tolist(), batch, strict=True):
        p1, p2 = of_classes(row[1], row[0], row[2])
        expected = decide(p1, p2, threshold=0.4, positive="short", weights=(0.3, 0.7))
        found = only([result]).decision
        assert found.signal == expected.signal
        assert found.confidence == pytest.approx(expected.confidence, abs=1e-6)
        assert only(loaded.predict([asked(*row)])).decision == found


def test_candles_and_windows_of_both_forms_are_answered(tmp_path: Path) -> None:
    loaded = detector(tmp_path, scale=(0.0, 1000.0))
    by_stage = GivenWindows({"stage1": window(0.25, 0.5, 0.25)}, scaled=True)
    raw = GivenWindows([[-750.0, 500.0, 250.0, 0.0]] * 4, scaled=False)  # 0.25, 0.5, 0.25 after the scaler
    answers = loaded.predict([by_stage, raw, asked(0.25, 0.5, 0.25)])
    assert [only([answer]).decision.signal for answer in answers] == ["long"] * 3
    # The network gets a thousandth of close, sma_5 and ema_3: 1.0011, 0.0011 and 0.0011.
    (failed,) = loaded.predict([CandleWindows(market.candles(3000, 60))])
    assert isinstance(failed, ModelUnavailable)
    nothing = CandleWindows(Candles.from_fields(*[np.full(60, 1e-9)] * 5))
    assert only(loaded.predict([nothing])).decision.signal == "hold"


def test_what_does_not_fit_float32_is_refused_beside_a_good_window(tmp_path: Path) -> None:
    rows = window(0.25, 0.5, 0.25)
    rows[2][1] = 1e39
    refused, good = detector(tmp_path).predict([GivenWindows(rows, scaled=True), asked(0.25, 0.5, 0.25)])
    assert isinstance(refused, InvalidInput)
    assert isinstance(good, Prediction)
    assert good.decision.signal == "long"


def test_limits_hold_for_the_network_with_classes(tmp_path: Path) -> None:
    folder = bundles.write(tmp_path, features=FEATURES, classes=IN_ORDER, scale=None)
    found = bundle.read(folder)
    of = Limits(low=(-9.0,) * 4, high=(9.0, 9.0, 9.0, 6.0), source="training")
    stage1 = msgspec.structs.replace(found.manifest.stage1, limits=of)
    limited = found._replace(manifest=msgspec.structs.replace(found.manifest, stage1=stage1))
    warned = only(Detector(limited).predict([asked(0.25, 0.5, 0.25)]))
    assert [warning.code for warning in warned.warnings] == ["OUT_OF_RANGE"]
    assert warned.decision.signal == "long"
    (refused,) = Detector(limited, refuse_out_of_range=True).predict([asked(0.25, 0.5, 0.25)])
    assert isinstance(refused, OutOfRange)


def test_a_network_with_another_number_of_outputs_is_refused(tmp_path: Path) -> None:
    folder = bundles.write(tmp_path, features=FEATURES, stage2_features=None)
    file = folder / manifest.FILE_NAME
    document = msgspec.json.decode(file.read_bytes())
    document["stage1"]["classes"] = list(IN_ORDER)
    file.write_bytes(msgspec.json.encode(document))
    with pytest.raises(BundleRefused, match=r"stage1-network-\w+\.onnx: output is .*\[3\]"):
        Detector(bundle.read(folder))


def test_a_network_that_gives_no_distribution_for_zeros_is_refused_at_the_load_and_by_its_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trial.run(bundle.read(bundles.write(tmp_path, features=FEATURES, classes=IN_ORDER)), trial.STARTING) is None
    build = bundles.class_network

    def shifted(length: int, width: int, *, softmax: bool) -> bytes:
        return build(length, width, softmax=softmax).replace(
            np.array([1.0, 0.0, 0.0], "<f4").tobytes(), np.ones(3, "<f4").tobytes()
        )

    monkeypatch.setattr(bundles, "class_network", shifted)
    found = bundle.read(bundles.write(tmp_path, "v2", features=FEATURES, classes=IN_ORDER))
    with pytest.raises(BundleRefused, match="warm-up failed: stage1 answered"):
        Detector(found)
    failure = trial.run(found, trial.STARTING)
    assert failure is not None
    assert (failure.stage, failure.final) == ("stage1", True)
