from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from core.bundles import bundle, limits, manifest
from core.bundles.limits import Limits
from core.errors import BundleRefused, InvalidInput, OutOfRange
from core.features.candles import Candles
from core.inference.detector import Detector, Prediction
from core.inference.inputs import CandleWindows, GivenWindows
from tests import bundles

LIMITS = Limits(low=(0.0, -1.0), high=(1.0, 2.0), source="training")
OF_MEANS = msgspec.structs.replace(
    LIMITS, low=(-9.0, -9.0), high=(9.0, 9.0), mean_low=(0.0, -1.0), mean_high=(1.0, 2.0)
)


def detector(root: Path, of: Limits | None = LIMITS, *, refuse: bool = False, **fields: Any) -> Detector:  # noqa: ANN401
    """A detector with these limits in both stages. Stage 1 takes close and sma_5."""
    folder = bundles.write(root, **{"scale": None, "stage2_scale": None} | fields)
    found = manifest.decode((folder / manifest.FILE_NAME).read_bytes())
    stages = {
        name: msgspec.structs.replace(stage, limits=of)
        for name, stage in (("stage1", found.stage1), ("stage2", found.stage2))
        if stage is not None
    }
    (folder / manifest.FILE_NAME).write_bytes(manifest.encode(msgspec.structs.replace(found, **stages)))
    return Detector(bundle.read(folder), refuse_out_of_range=refuse)


def window(*rows: tuple[float, float], scaled: bool = True) -> GivenWindows:
    filled = [list(rows[min(i, len(rows) - 1)]) for i in range(4)]
    return GivenWindows(filled, scaled=scaled)


def findings(loaded: Detector, source: GivenWindows | CandleWindows) -> list[str]:
    """For each stage of the warning OUT_OF_RANGE, if there is one, its label and the features it names."""
    (outcome,) = loaded.predict([source])
    assert isinstance(outcome, Prediction), outcome
    found = [warning.message for warning in outcome.warnings if warning.code == "OUT_OF_RANGE"]
    assert len(found) <= 1
    assert all("version v1" in message for message in found)
    return [part for message in found for part in message.partition("scaled values: in ")[2].rstrip(")").split("; in ")]


@pytest.mark.parametrize(
    ("rows", "reported"),
    [
        ([(0.0, -1.0)], []),
        ([(1.0, 2.0)], []),
        ([(0.4, 0.4), (1.25, 0.4), (0.4, 0.4)], ["stage1, close is 0.25 above its limit 1"]),
        ([(0.4, -3.5)], ["stage1, sma_5 is 2.5 below its limit -1"]),
        ([(-0.5, 4.0)], ["stage1, sma_5 is 2 above its limit 2, close is 0.5 below its limit 0"]),
    ],
)
def test_single_values_beyond_their_limits_are_reported_the_furthest_first(
    tmp_path: Path, rows: list[tuple[float, float]], reported: list[str]
) -> None:
    assert findings(detector(tmp_path, stage2_features=None), window(*rows)) == reported


def test_a_limit_of_the_mean_does_not_apply_to_single_values(tmp_path: Path) -> None:
    loaded = detector(tmp_path, OF_MEANS, threshold=1.0)
    assert findings(loaded, window((3.0, 0.0), (0.0, 0.0))) == []
    assert findings(loaded, window((3.0, 0.0))) == ["stage1, the mean of close is 2 above its limit 1"]
    assert findings(loaded, window((9.5, 0.0), (-3.0, 0.0))) == ["stage1, close is 0.5 above its limit 9"]


def test_both_stages_share_one_warning_and_one_finding_if_their_input_and_limits_are_equal(tmp_path: Path) -> None:
    rows = [[1.5, 0.5]] * 4
    loaded = detector(tmp_path)
    found = findings(loaded, GivenWindows({"stage1": rows, "stage2": rows}, scaled=True))
    assert found == [f"{stage}, close is 0.5 above its limit 1" for stage in ("stage1", "stage2")]
    assert findings(loaded, GivenWindows(rows, scaled=True)) == ["stage1, close is 0.5 above its limit 1"]


def test_the_warning_of_a_window_does_not_depend_on_the_other_windows_of_a_run(tmp_path: Path) -> None:
    rows = [[1.5, 0.5]] * 4
    sources = [GivenWindows(rows, scaled=True), GivenWindows({"stage1": rows, "stage2": rows}, scaled=True)]
    loaded = detector(tmp_path)
    together = [outcome.warnings for outcome in loaded.predict(sources) if isinstance(outcome, Prediction)]
    alone = [
        outcome.warnings for each in sources for outcome in loaded.predict([each]) if isinstance(outcome, Prediction)
    ]
    assert together == alone
    assert len(alone) == 2


def test_distances_are_ranked_in_widths_of_their_range(tmp_path: Path) -> None:
    of = Limits(low=(0.0, 0.0), high=(1e9, 1e-3), source="training")
    (found,) = findings(detector(tmp_path, of, stage2_features=None), window((2e9, 1.0)))
    assert found.startswith("stage1, sma_5 is 0.999 above its limit 0.001, close is 1e+09 ")


def test_three_features_are_named_and_the_others_counted(tmp_path: Path) -> None:
    features = ["close", "high", "low", "open", "sma_5"]
    of = Limits(low=(0.0,) * 5, high=(1.0,) * 5, source="training")
    loaded = detector(tmp_path, of, features=features, stage2_features=None, threshold=1.0)
    (found,) = findings(loaded, GivenWindows([[2.0, 3.0, 4.0, 5.0, 6.0]] * 4, scaled=True))
    named = ["sma_5 is 5 above its limit 1", "open is 4 above its limit 1", "low is 3 above its limit 1 and 2 more"]
    assert found == ", ".join(["stage1", *named])


@pytest.mark.parametrize("source", [window((1.5, 0.5)), window((1.5, 0.5), scaled=False)])
def test_with_refuse_out_of_range_it_is_an_error_at_the_window(tmp_path: Path, source: GivenWindows) -> None:
    (outcome,) = detector(tmp_path, refuse=True).predict([source])
    assert isinstance(outcome, OutOfRange)
    assert outcome.details[0].path == "the window"
    assert "close is 0.5 above its limit 1" in outcome.message


def test_a_refused_window_does_not_affect_the_others(tmp_path: Path) -> None:
    flat = CandleWindows(Candles(np.full((5, 60), 3.0)))
    good, candles, overflow, window_ = detector(tmp_path, refuse=True).predict(
        [window((0.5, 0.5)), flat, window((1e39, 0.5)), window((0.5, -2.0))]
    )
    assert isinstance(good, Prediction)
    assert isinstance(candles, OutOfRange)
    assert candles.details[0].path == "the candles"
    assert isinstance(overflow, InvalidInput)
    assert isinstance(window_, OutOfRange)


def test_a_bundle_without_limits_gets_them_from_its_scaler(tmp_path: Path) -> None:
    loaded = detector(tmp_path, None, scale=(1.1, 0.05), stage2_scale=(1.1, 0.05), threshold=1.0)
    level = CandleWindows(Candles(np.full((5, 60), 1.25)))
    assert findings(loaded, level) == []
    level = CandleWindows(Candles(np.full((5, 60), 1.31)))
    (found,) = findings(loaded, level)
    assert "is 0.3 above its limit 3.9" in found
    assert "mean" in found


def test_a_stage_without_limits_gives_no_warning(tmp_path: Path) -> None:
    loaded = detector(tmp_path, None)
    assert findings(loaded, window((1e30, -1e30))) == []
    (outcome,) = loaded.predict([window((1e39, 0.0))])
    assert isinstance(outcome, InvalidInput)


@pytest.mark.parametrize(
    ("operators", "low", "mean_low"),
    [
        (["Sub", "Div", "Cast"], -10.0, -3.9),
        (["Div", "Mul", "Add", "Cast"], -3.0, -1.5),
        (["Mul", "Add", "Sub", "Div", "Cast"], -10.0, -3.9),
    ],
)
def test_limits_derived_from_a_graph(operators: list[str], low: float, mean_low: float) -> None:
    found = limits.of_operators(operators, 2)
    assert found is not None
    assert (found.low, found.mean_low) == ((low,) * 2, (mean_low,) * 2)
    assert found.high == tuple(-value for value in found.low)


@pytest.mark.parametrize("operators", [["Div", "Cast"], ["Sub", "Cast"], ["Mul", "Add", "Clip", "Cast"], []])
def test_no_limits_from_an_ambiguous_graph(operators: list[str]) -> None:
    assert limits.of_operators(operators, 2) is None


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"low": (0.0,)}, "low: 1 .* 2 features"),
        ({"high": (1.0, -1.0)}, r"low\[1\]: -1\.0 .*high\[1\], -1\.0"),
        ({"mean_low": (0.0, 0.0)}, "mean_low and mean_high: "),
        ({"mean_low": (0.0, 0.0), "mean_high": (1.0,)}, "mean_high: 1 values"),
    ],
)
def test_invalid_limits_are_refused_with_their_field(tmp_path: Path, changes: dict[str, Any], place: str) -> None:
    with pytest.raises(BundleRefused, match=rf"stage1\.limits\.{place}"):
        detector(tmp_path, msgspec.structs.replace(LIMITS, **changes))
