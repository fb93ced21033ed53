"""Model cards: the committed ones are those of the committed bundles, and say where a version is of no use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from core.bundles.manifest import Manifest
from core.bundles.repository import Repository
from core.features.candles import Candles
from core.inference.detector import Detector
from core.inference.history import answer_history
from lab.history import BROKER_FILES, read_broker
from training import cards

ROOT = Path(__file__).parents[2]
REPOSITORY = Repository(ROOT / "models" / "onnx")


@pytest.fixture
def manifest() -> Manifest:
    return REPOSITORY.read_manifest("v3.1")


def test_the_committed_cards_are_those_of_the_committed_bundles(tmp_path: Path) -> None:
    assert cards.main(["--output", str(tmp_path)]) == 0
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_text() for path in (ROOT / "docs" / "models").iterdir()}
    assert set(made) == {f"{version}.md" for version in REPOSITORY.listing().versions}


@pytest.mark.parametrize(
    ("auc", "said"),
    [
        ([0.62, 0.49, 0.7], "Stage 1: an AUC of 0.62 is not better than chance beyond its interval"),
        ([0.52, 0.51, 0.53], "Stage 1: an AUC of 0.52 ranks hardly better than chance"),
        (0.51, "Stage 1: an AUC of 0.51 ranks hardly better than chance"),
        ([0.62, 0.6, 0.64], None),
        (0.62, None),
    ],
)
def test_a_weak_ranking_is_among_the_limits(manifest: Manifest, auc: Any, said: str | None) -> None:  # noqa: ANN401 - JSON
    card = cards.card(msgspec.structs.replace(manifest, metrics={"stage1": {"auc": auc}}))
    limits = card.split("## Where not")[1]
    assert (said in limits) if said else ("AUC" not in limits)


@pytest.mark.parametrize(
    ("interval", "verdict"), [([-1.0, -2.0, -0.1], "loses"), ([1.0, 0.1, 2.0], "gains"), ([0.1, -1.0, 1.0], "neither")]
)
def test_what_a_trade_brings_is_said_with_its_interval(manifest: Manifest, interval: list[float], verdict: str) -> None:
    metrics = {"stage1": {"signals": {"2020": {"expectancy_pips": interval}}}}
    card = cards.card(msgspec.structs.replace(manifest, metrics=metrics))
    assert f"- 2020 expectancy pips: a trade on each signal {verdict}" in card


def test_a_version_without_metadata_has_a_card_that_says_so(manifest: Manifest) -> None:
    card = cards.card(msgspec.structs.replace(manifest, metrics={}, metadata={}, label_rule=None))
    assert "The metadata do not say." in card
    assert "The metadata have no scores." in card


def test_prices_as_inputs_are_named_as_a_limit(manifest: Manifest) -> None:
    assert "Its inputs are absolute prices" in cards.card(manifest)
    assert "Its inputs have no unit" in cards.card(REPOSITORY.read_manifest("v3.2"))


def test_flat_weekends_alarm_as_the_card_says() -> None:
    history = read_broker(BROKER_FILES / "GBPUSD_1h_2012_2020.csv.gz").part(slice(40_000, 41_000))
    detector = Detector(REPOSITORY.read("v3.2"))
    assert "Leave out flat candles" in cards.card(detector.manifest)
    values = history.candles.values
    friday = int(np.argmax(np.diff(np.asarray(history.candles.times))[200:])) + 200
    flat = np.vstack([np.full((4, 48), values[3, friday]), np.zeros((1, 48))])
    filled = np.hstack([values[:, : friday + 1], flat, values[:, friday + 1 : friday + 4]])

    def alarms(of: np.ndarray, last: int) -> float:
        found = answer_history(detector, Candles(of), rows=range(of.shape[1] - last, of.shape[1]))
        return float((found.stage1_prob[-last:] >= detector.manifest.threshold).mean())

    assert alarms(filled, 51) > 0.9
    assert alarms(values[:, : friday + 4], 3) == 0.0
