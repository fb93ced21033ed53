"""Detectors in this process answer what the service answers, to the bit."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reversal
from core.errors import InsufficientData, InvalidInput, UnknownVersion
from reversal.offline import OfflineDetector
from tests import bundles
from tests.market import ONNX, ROOT

EXAMPLE = json.loads((ROOT / "docs" / "examples" / "predict.json").read_bytes())


@pytest.fixture(scope="module")
def detector() -> OfflineDetector:
    return reversal.load("v3.1", ONNX)


@pytest.fixture(scope="module")
def market() -> pd.DataFrame:
    return pd.read_csv(ROOT / "training" / "data" / "eurusd_1h_2017.csv").tail(400).reset_index(drop=True)


def test_it_answers_as_the_service(detector: OfflineDetector) -> None:
    answer = detector.predict(EXAMPLE["data"])
    assert (answer.signal, answer.direction, answer.model_version) == ("short", "short", "v3.1")
    assert (answer.stage1_prob, answer.stage2_prob) == (0.5677404999732971, 0.997639536857605)
    assert (answer.confidence, answer.candle_time, answer.warnings) == (0.782690018415451, "2017-12-29T21:00:00Z", ())
    assert (detector.required_candles, detector.recommended_candles) == (69, 115)
    assert detector.manifest.threshold == 0.5


def test_it_explains_as_the_service(detector: OfflineDetector) -> None:
    found, answer = detector.explain(EXAMPLE["data"]), detector.predict(EXAMPLE["data"])
    assert found.stage2 is not None
    assert (found.stage1.value, found.stage2.value) == (answer.stage1_prob, answer.stage2_prob)
    assert sum(found.stage1.features.values()) == pytest.approx(found.stage1.value - found.stage1.base_value, abs=1e-12)
    assert detector.explain(EXAMPLE["data"], background=2).background == 2
    for background in (0, 51):
        with pytest.raises(InvalidInput, match=r"^background: .*1 to 50"):
            detector.explain(EXAMPLE["data"], background=background)
    with pytest.raises(InsufficientData, match="69"):
        detector.explain(EXAMPLE["data"][:20])


def test_it_refuses_as_the_service(detector: OfflineDetector) -> None:
    with pytest.raises(InsufficientData, match="69"):
        detector.predict(EXAMPLE["data"][:20])
    with pytest.raises(UnknownVersion, match=r"v9"):
        reversal.load("v9", ONNX)


def test_signals_are_those_of_single_predictions(detector: OfflineDetector, market: pd.DataFrame) -> None:
    calls: list[tuple[int, int]] = []
    found = detector.signals(market, progress=lambda done, total: calls.append((done, total)))
    assert found.index.equals(market.index)
    assert calls[-1] == (len(market), len(market))
    assert found.signal[:68].isna().all()
    assert not found.signal[68:].isna().any()
    for row in range(68, len(market)):
        single = detector.predict(market[max(0, row - 114) : row + 1])
        expected = [single.signal, single.confidence, single.stage1_prob, single.stage2_prob]
        shown = [None if value != value else value for value in found.loc[row, list(found)[:4]]]  # noqa: PLR0124 - NaN
        assert shown == expected, row
        assert found.out_of_range[row] == ("OUT_OF_RANGE" in {each.code for each in single.warnings})


def test_signals_keep_the_order_and_the_kind_of_the_table(detector: OfflineDetector, market: pd.DataFrame) -> None:
    oldest_first = detector.signals(market)
    newest_first = detector.signals(market[::-1])
    pd.testing.assert_frame_equal(newest_first[::-1], oldest_first)
    arrays: dict[str, Any] = detector.signals(market.to_dict("records"))
    assert arrays["stage1_prob"].tobytes() == oldest_first.stage1_prob.to_numpy().tobytes()
    assert arrays["signal"].tolist()[-1] == oldest_first.signal.iloc[-1]


def test_few_rows_have_no_signal(detector: OfflineDetector, market: pd.DataFrame) -> None:
    found = detector.signals(market[:10])
    assert len(found) == 10
    assert found.signal.isna().all()
    assert np.isnan(found.confidence).all()


@pytest.mark.parametrize(
    ("user", "experiment", "split", "variant"),
    [
        ("user123", "v30_vs_v31", 0.4122, "A"),
        ("user123", "v30_vs_v31", 0.4121, "B"),
        ("bob", "exp-2", 0.6013, "A"),
        ("bob", "exp-2", 0.6012, "B"),
        (42, "v30_vs_v31", 0.3574, "A"),
        (42, "v30_vs_v31", 0.3573, "B"),
        (np.int64(42), "v30_vs_v31", 0.3574, "A"),
        ("用户7", "v30_vs_v31", 0.5544, "A"),
        ("用户7", "v30_vs_v31", 0.5543, "B"),
    ],
)
def test_assign_is_the_contracts(user: str | int, experiment: str, split: float, variant: str) -> None:
    assert reversal.assign(user, experiment, split) == variant


@pytest.mark.parametrize(
    "arguments",
    [("", "x"), ("u", ""), ("u", "../x"), (True, "x"), (1.5, "x"), (None, "x"), ("a" * 257, "x"), ("\ud800", "x")]
    + [("u", "x", split) for split in (2, -0.1, float("nan"), "0.5")],
    ids=str,
)
def test_assign_refuses_what_the_service_refuses(arguments: Any) -> None:  # noqa: ANN401
    with pytest.raises(InvalidInput):
        reversal.assign(*arguments)


def test_a_wrong_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nowhere"):
        reversal.load("v3.1", tmp_path / "nowhere")
    with pytest.raises(UnknownVersion):
        reversal.load(3.1, ONNX)  # type: ignore[arg-type]


def test_signals_of_a_subclass_of_a_frame_are_one(detector: OfflineDetector, market: pd.DataFrame) -> None:
    class Prices(pd.DataFrame):
        pass

    assert isinstance(detector.signals(Prices(market[:10])), Prices)


def test_threads_share_a_detector(detector: OfflineDetector, market: pd.DataFrame) -> None:
    expected = detector.signals(market)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(detector.signals, [market] * 8):
            pd.testing.assert_frame_equal(found, expected)


def test_its_names_are_shown() -> None:
    assert dir(reversal) == ["Answer", "OfflineDetector", "Replay", "assign", "load", "replay"]
    assert repr(reversal.load("v3.1", ONNX)).startswith("<detector v3.1")


def test_importing_it_imports_no_onnx_runtime() -> None:
    code = "import sys, reversal; assert 'onnxruntime' not in sys.modules and 'numpy' not in sys.modules; reversal.load"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    with pytest.raises(AttributeError):
        _ = reversal.nothing


def test_a_version_that_takes_features_only_refuses_candles_by_name(tmp_path: Path, market: pd.DataFrame) -> None:
    bundles.write(tmp_path, "v5", features=("my secret",), stage2_features=None, inputs="features")
    found = reversal.load("v5", tmp_path)
    for call in (found.predict, found.signals):
        with pytest.raises(InvalidInput, match="v5"):
            call(market)
