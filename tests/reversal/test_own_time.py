"""A version that computes features from the candles' own times, without a server and from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import reversal
from core.errors import InsufficientData, InvalidInput
from reversal.__main__ import main
from tests import bundles
from tests.market import frame

# v1's probability is the mean hour of its four candles, as a share of a day.
TABLE = frame().iloc[3000:3100].reset_index(drop=True)
HOURS = pd.to_datetime(TABLE["timestamp"], utc=True).dt.hour.to_numpy(float)
MEANS = np.convolve(HOURS, np.full(4, 1 / 96), "valid")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    bundles.write(tmp_path, "v1", features=("hour",), stage2_features=None, scale=(0.0, 24.0))
    bundles.write(tmp_path, "v2")
    bundles.write_order(tmp_path, "v1", "v2")
    return tmp_path


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(each) for each in arguments])
    shown = capfd.readouterr()
    return code, shown.out, shown.err


def test_an_answer_and_a_whole_history_know_each_candles_time(models: Path) -> None:
    detector = reversal.load("v1", models)
    assert detector.manifest.requires_timestamps
    assert detector.predict(TABLE).stage1_prob == pytest.approx(MEANS[-1], abs=1e-6)
    signals = detector.signals(TABLE)
    assert signals["stage1_prob"].isna().tolist() == [True] * 3 + [False] * 97
    np.testing.assert_allclose(signals["stage1_prob"][3:], MEANS, atol=1e-6)
    newest_first = detector.signals(TABLE[::-1])
    pd.testing.assert_frame_equal(newest_first[::-1], signals)


def test_closing_times_are_converted_first(models: Path) -> None:
    closes = TABLE.assign(timestamp=pd.to_datetime(TABLE["timestamp"], utc=True) + pd.Timedelta(hours=1))
    detector = reversal.load("v1", models)
    pd.testing.assert_frame_equal(detector.signals(closes, timestamps="close"), detector.signals(TABLE))


def test_a_table_without_times_is_refused_and_not_left_unanswered(models: Path) -> None:
    detector = reversal.load("v1", models)
    untimed = TABLE.drop(columns="timestamp")
    for call in (detector.predict, detector.signals):
        with pytest.raises(InvalidInput, match=r"timestamp of candle 0: missing; version v1 computes hour from"):
            call(untimed)
        with pytest.raises(InsufficientData):
            call(untimed[:2])
    assert len(detector.signals(TABLE[:2])) == 2
    assert reversal.load("v2", models).signals(untimed)["signal"].notna().sum() == 93


def test_the_commands_read_times_in_their_zone(models: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    zoned = pd.to_datetime(TABLE["timestamp"], utc=True).dt.tz_convert("Europe/Athens")
    file = tmp_path / "broker.csv"
    TABLE.assign(timestamp=zoned.dt.strftime("%Y.%m.%d %H:%M")).to_csv(file, index=False)
    code, out, _ = run(capfd, "predict", file, "--models", models, "--timezone", "Europe/Athens", "--json")
    assert code == 0
    assert json.loads(out)["stage1_prob"] == pytest.approx(MEANS[-1], abs=1e-6)
    _, out, _ = run(capfd, "predict", file, "--models", models, "--json")  # as if the times were UTC
    assert json.loads(out)["stage1_prob"] != pytest.approx(MEANS[-1], abs=1e-2)
    bare = tmp_path / "bare.csv"
    TABLE.drop(columns="timestamp").to_csv(bare, index=False)
    code, _, error = run(capfd, "predict", bare, "--models", models, "--version", "v1")
    assert code == 1
    assert "version v1 computes hour from the candles' own times" in error
    code, out, _ = run(capfd, "compare", bare, "--models", models, "--json")
    found = json.loads(out)["predictions"]
    assert (code, found["v1"]["code"], found["v2"]["signal"]) == (0, "VALIDATION_ERROR", "short")


def test_models_bench_and_doctor_know_the_version(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capfd, "models", "--models", models, "--json")
    assert [each["requires_timestamps"] for each in json.loads(out)["versions"]] == [True, False]
    code, out, _ = run(capfd, "bench", "--models", models, "--seconds", 0.1, "--json")
    assert (code, [each["version"] for each in json.loads(out)]) == (0, ["v1", "v2"])
    _, out, _ = run(capfd, "doctor", "--models", models, "--port", "0", "--json")
    (text,) = (each["text"] for each in json.loads(out) if each["about"] == "bundles")
    assert text.endswith("; v1 only for candles with timestamps")
