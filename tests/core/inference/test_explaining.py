"""Explanations of versions: each stage, both kinds of networks, the reference windows, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from core.bundles import bundle, manifest
from core.bundles.manifest import Classes
from core.errors import Conflict, InvalidInput, ModelUnavailable, ServiceError
from core.features.candles import Candles
from core.inference import explaining
from core.inference.detector import Detector, Prediction
from core.inference.explaining import ExplainedStage, explain
from core.inference.inputs import CandleWindows, GivenWindows, WindowSource
from tests import bundles
from tests.market import ONNX

WINDOW = [[0.9, 0.3], [0.8, 0.6], [0.7, 0.4], [0.6, 0.5]]  # its mean is 0.6, those of its columns 0.75 and 0.45


def predicted(detector: Detector, source: WindowSource) -> Prediction:
    (found,) = detector.predict([source])
    assert isinstance(found, Prediction)
    return found


def total(stage: ExplainedStage) -> float:
    return sum(stage.features.values())


def test_both_stages_of_a_mean_network(tmp_path: Path) -> None:
    detector = Detector(bundle.read(bundles.write(tmp_path, background=(0.25,), positive="short")))
    found = explain(detector, GivenWindows(WINDOW, scaled=True))
    assert (found.background, found.stage1.probability_of, found.stage1.used) == (1, "reversal", True)
    for stage in (found.stage1, found.stage2):
        assert stage is not None
        assert (stage.base_value, stage.value) == pytest.approx((0.25, 0.6), abs=1e-6)
        assert stage.features == pytest.approx({"close": 0.25, "sma_5": 0.1}, abs=1e-6)
    assert found.stage2 is not None
    assert (found.stage2.probability_of, found.stage2.used) == ("short", True)


def test_the_direction_that_stage_2_names_is_explained(tmp_path: Path) -> None:
    detector = Detector(bundle.read(bundles.write(tmp_path, background=(0.25,), positive="long", threshold=0.1)))
    low = [[value - 0.5 for value in row] for row in WINDOW]  # means 0.25 and -0.05
    found = explain(detector, GivenWindows({"stage1": WINDOW, "stage2": low}, scaled=True)).stage2
    assert found is not None
    assert (found.probability_of, found.used) == ("short", True)
    assert (found.base_value, found.value) == pytest.approx((0.75, 0.9), abs=1e-6)
    assert found.features == pytest.approx({"close": 0.0, "sma_5": 0.15}, abs=1e-6)


def test_stage_2_of_a_hold_is_explained_and_marked_as_not_used(tmp_path: Path) -> None:
    detector = Detector(bundle.read(bundles.write(tmp_path, background=(0.25,), threshold=0.7)))
    found = explain(detector, GivenWindows(WINDOW, scaled=True))
    assert found.stage2 is not None
    assert (found.stage1.used, found.stage2.used) == (True, False)
    assert found.stage2.value == pytest.approx(0.6, abs=1e-6)


def test_a_version_without_stage_2_has_one_explanation(tmp_path: Path) -> None:
    detector = Detector(bundle.read(bundles.write(tmp_path, background=(0.25,), stage2_features=None)))
    assert explain(detector, GivenWindows(WINDOW, scaled=True)).stage2 is None


def test_a_network_of_classes_has_the_explanations_of_both_stages(tmp_path: Path) -> None:
    names = ["close", "sma_5", "rsi_14"]
    classes: Classes = ("hold", "long", "short")
    folder = bundles.write(tmp_path, features=names, classes=classes, kind="softmax", background=(0.0,))
    detector = Detector(bundle.read(folder))
    source = GivenWindows([[-2.0, 0.5, 1.5]] * 4, scaled=True)
    found, decision = explain(detector, source), predicted(detector, source).decision
    assert found.stage2 is not None
    assert (found.stage1.value, found.stage2.value) == (decision.stage1_prob, decision.stage2_prob)
    hold, one = np.exp(1.0), np.exp(0.0)  # of the reference window
    assert found.stage1.base_value == pytest.approx(2.0 * one / (hold + 2.0 * one), abs=1e-6)
    assert (found.stage2.base_value, found.stage2.probability_of, found.stage2.used) == (0.5, "short", True)
    for stage in (found.stage1, found.stage2):
        assert list(stage.features) == names
        assert total(stage) == pytest.approx(stage.value - stage.base_value, abs=1e-12)

    # The share of short in both directions is sigmoid(short - long): the first feature, of hold, does not move it.
    def share(long: float, short: float) -> float:
        return float(1.0 / (1.0 + np.exp(long - short)))

    down = (share(0.5, 0.0) - 0.5 + share(0.5, 1.5) - share(0.0, 1.5)) / 2.0
    up = (share(0.0, 1.5) - 0.5 + share(0.5, 1.5) - share(0.5, 0.0)) / 2.0
    assert list(found.stage2.features.values()) == pytest.approx([0.0, down, up], abs=1e-6)


def test_features_of_a_scaler_that_changes_their_order_have_the_names_of_the_scaled_columns(tmp_path: Path) -> None:
    read = bundle.read(bundles.write(tmp_path, background=(0.25,), stage2_features=None))
    stage1 = msgspec.structs.replace(read.manifest.stage1, scaled_features=("sma_5", "close"))
    detector = Detector(read._replace(manifest=msgspec.structs.replace(read.manifest, stage1=stage1)))
    found = explain(detector, GivenWindows(WINDOW, scaled=True)).stage1.features
    assert found == pytest.approx({"sma_5": 0.25, "close": 0.1}, abs=1e-6)


def test_more_reference_windows_are_an_even_spread_of_the_stored_ones(tmp_path: Path) -> None:
    stored = tuple(np.linspace(0.0, 0.4, 9).tolist())
    detector = Detector(bundle.read(bundles.write(tmp_path, background=stored)))
    for background, base in ((1, 0.2), (2, 0.2), (3, 0.2), (9, 0.2)):
        found = explain(detector, GivenWindows(WINDOW, scaled=True), background)
        assert found.background == background
        assert found.stage1.base_value == pytest.approx(base, abs=1e-6)
    chosen = explaining._references(detector, detector.runners[0], 3)  # noqa: SLF001
    assert chosen[:, 0, 0] == pytest.approx([0.0, 0.2, 0.4])


@pytest.mark.parametrize(
    ("stored", "background", "error", "words"),
    [
        ((), 1, Conflict, ["v1, stage1", "background window", "docs/explain.md"]),
        ((), 2, InvalidInput, ["background: version v1, stage1", "no stored windows", "leave background out"]),
        ((0.1,), 2, InvalidInput, ["no stored windows", "leave background out"]),
        ((0.1, 0.2), 3, InvalidInput, ["has 2 stored windows, not 3", "at most 2"]),
    ],
)
def test_reference_windows_that_are_not_there_are_refused(
    stored: tuple[float, ...], background: int, error: type[ServiceError], words: list[str], tmp_path: Path
) -> None:
    detector = Detector(bundle.read(bundles.write(tmp_path, background=stored)))
    with pytest.raises(error) as refused:
        explain(detector, GivenWindows(WINDOW, scaled=True), background)
    assert [word for word in words if word not in str(refused.value)] == []


def test_a_bundle_of_an_earlier_format_says_which_stage_has_no_reference() -> None:
    formats = Path(__file__).parents[1] / "bundles" / "formats"
    source = GivenWindows([[0.5, -0.5]] * 4, scaled=True)
    for name, place in (("1", "v1, stage1"), ("2", "v1, stage2")):
        with pytest.raises(Conflict, match=place):
            explain(Detector(bundle.read(formats / name / "v1")), source)


def test_what_a_prediction_refuses_is_refused(tmp_path: Path) -> None:
    detector = Detector(bundle.read(bundles.write(tmp_path, background=(0.25,))))
    with pytest.raises(InvalidInput, match="4 rows of 2"):
        explain(detector, GivenWindows(WINDOW[:3], scaled=True))
    # Behind a closed gate a prediction does not look at Stage 2's window.
    source = GivenWindows({"stage1": [[0.0, 0.0]] * 4, "stage2": [[0.0, 1e39]] * 4}, scaled=True)
    assert predicted(detector, source).decision.signal == "hold"
    with pytest.raises(InvalidInput, match="column 1 in row 0 of the window of stage2"):
        explain(detector, source)


def test_a_market_that_stands_still_is_explained_without_a_warning_of_numpy() -> None:
    detector = Detector(bundle.read(ONNX / "v3.2"))
    found = explain(detector, CandleWindows(Candles(np.ones((5, 120)))))
    assert found.stage1.base_value + total(found.stage1) == pytest.approx(found.stage1.value, abs=1e-6)


def test_a_network_that_fails_on_a_mixed_window_is_named(tmp_path: Path) -> None:
    # The root of 0.9 - mean is NaN for the reference window, but not for the window.
    detector = Detector(bundle.read(bundles.write(tmp_path, background=(0.95,), kind="root")))
    with pytest.raises(ModelUnavailable, match=r"v1, stage1: .* not a probability"):
        explain(detector, GivenWindows(WINDOW, scaled=True))


def test_the_file_of_stored_windows_is_checked(tmp_path: Path) -> None:
    folder = bundles.write(tmp_path, background=(0.1, 0.2, 0.3))
    (file,) = folder.glob("stage1-background-*.npy")
    good, text = file.read_bytes(), (folder / manifest.FILE_NAME).read_text()

    def of_manifest(**fields: Any) -> Callable[[], object]:  # noqa: ANN401
        document = msgspec.json.decode(text)
        document["stage1"]["background_windows"].update(fields)
        return lambda: (folder / manifest.FILE_NAME).write_bytes(msgspec.json.encode(document))

    for change, words in (
        (lambda: bundles.flip_byte(file), "SHA-256"),
        (file.unlink, "No such file"),
        (of_manifest(count=2), r"shape \(2, 4, 2\)"),
        (of_manifest(count=51), "stage1.background_windows.count"),
        (of_manifest(file="../x.npy"), "stage1.background_windows.file"),
    ):
        change()
        with pytest.raises(ModelUnavailable, match=words):
            bundle.read(folder)
        file.write_bytes(good)
        (folder / manifest.FILE_NAME).write_text(text)
    assert len(Detector(bundle.read(folder)).runners[0].stored) == 3
