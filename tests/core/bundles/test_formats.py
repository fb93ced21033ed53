"""This release reads the bundles of earlier ones. `formats/` has one of each format, as `convert` wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.bundles import bundle, manifest
from core.bundles.bundle import Bundle
from core.bundles.manifest import ManifestError
from core.inference import trial
from core.inference.detector import Detector, Prediction
from core.inference.inputs import CandleWindows, GivenWindows, WindowSource
from tests import market

FORMATS = Path(__file__).parent / "formats"
NAMES = ["1_without_limits", "1", "2"]
LABEL = {
    "rule": "profitable_reversals",
    "timeframe": "1h",
    "horizon": 10,
    "min_profit_pips": 6.0,
    "max_loss_pips": 10.0,
    "min_ratio": 1.5,
}


def read(name: str) -> Bundle:
    return bundle.read(FORMATS / name / "v1")


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode((FORMATS / name / "v1" / manifest.FILE_NAME).read_bytes())
    return found


def test_every_format_has_a_fixture() -> None:
    assert sorted(NAMES) == sorted(folder.name for folder in FORMATS.iterdir())
    assert {document(name)["format_version"] for name in NAMES} == set(range(1, manifest.FORMAT_VERSION + 1))
    assert ["limits" in document(name)["stage1"] for name in NAMES] == [False, True, True]


@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_of_each_format_gives_the_answers_of_its_release(name: str) -> None:
    sources: list[WindowSource] = [
        GivenWindows([[0.5, -0.5]] * 4, scaled=True),
        GivenWindows([[1.11, 1.09]] * 4, scaled=False),
        CandleWindows(market.candles(3000, 20)),
    ]
    answers = Detector(read(name)).predict(sources)
    expected = [(0.7346239, 0.7512287), (0.7283616, 0.7452900), (0.7547146, 0.7928715)]
    for answer, (p1, p2) in zip(answers, expected, strict=True):
        assert isinstance(answer, Prediction)
        assert (answer.decision.signal, answer.warnings) == ("short", ())
        assert answer.decision.stage1_prob == pytest.approx(p1, abs=1e-6)
        assert answer.decision.stage2_prob == pytest.approx(p2, abs=1e-6)
        assert answer.decision.confidence == pytest.approx(0.25 * p1 + 0.75 * p2, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "codes"), [("1_without_limits", []), ("1", ["OUT_OF_RANGE"]), ("2", ["OUT_OF_RANGE"])]
)
def test_limits_of_the_training_values_hold_where_the_format_has_them(name: str, codes: list[str]) -> None:
    window = [[6.0, 0.0], *[[0.0, 0.0]] * 3]  # without limits, those of the scaler are 10
    (answer,) = Detector(read(name)).predict([GivenWindows(window, scaled=True)])
    assert isinstance(answer, Prediction)
    assert [warning.code for warning in answer.warnings] == codes


@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_of_each_format_passes_its_trial(name: str) -> None:
    assert trial.run(read(name), trial.STARTING) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_manifest_of_each_format_survives_writing_and_reading(name: str) -> None:
    found = read(name).manifest
    assert manifest.decode(manifest.encode(found)) == found
    assert found.format_version == document(name)["format_version"]


def test_the_label_rule_of_format_1_is_that_of_the_metadata_of_stage_1() -> None:
    assert read("1").manifest.label_rule == read("2").manifest.label_rule == LABEL
    for metadata in ({}, {"stage1": "odd"}, {"stage2": {"label": LABEL}}):
        old = msgspec.json.encode(document("1") | {"metadata": metadata})
        assert manifest.decode(old).label_rule is None
    new = msgspec.json.encode(document("2") | {"label_rule": None})
    assert manifest.decode(new).label_rule is None


def test_what_format_1_does_not_say_has_the_meaning_that_it_had() -> None:
    found = read("1").manifest
    assert (found.inputs, found.classes, found.positive) == ("candles", None, "short")
    assert (found.stage1.training_ranges, found.stage1.background) == (None, None)


def test_format_2_has_the_training_data() -> None:
    stages = read("2").manifest.stages
    ranges = stages["stage1"].training_ranges
    assert ranges is not None
    assert all(low < -2.0 and high > 2.0 for low, high in ranges)
    assert stages["stage1"].background == ((0.0, 0.25), (0.0, 0.25), (-0.5, 0.0), (0.125, 0.0))
    assert (stages["stage2"].training_ranges, stages["stage2"].background) == (None, None)


@pytest.mark.parametrize("version", [3, 99])
def test_a_later_format_is_refused_with_the_way_out(version: int) -> None:
    with pytest.raises(ManifestError, match=rf"^format_version: {version} .*\b2\b.*upgrade the server"):
        manifest.decode(msgspec.json.encode(document("2") | {"format_version": version}))


@pytest.mark.parametrize("version", [0, None, "2", [2], 2.5])
def test_what_is_no_format_is_refused(version: object) -> None:
    with pytest.raises(ManifestError, match=r"^format_version: .* is not supported, expected 1 or 2$"):
        manifest.decode(msgspec.json.encode(document("2") | {"format_version": version}))
