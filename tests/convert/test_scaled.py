"""Scalers of every way from end to end: from the source folder to a detector that answers."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PowerTransformer, QuantileTransformer, RobustScaler

from convert.__main__ import main
from core.bundles import bundle as reading
from core.features.catalogue import matrix
from core.inference.stage_runner import StageRunner
from tests.market import candles

# Those of v3.1's first stage in the fixture `source`.
NAMES, STEPS = ["sma_20", "macd", "atr_14", "stoch_k"], 5
# Stage 1's scaler changes the order of the columns, and one for Stage 2 that nothing converts but a graph of our own.
SCALER = ColumnTransformer(
    [("a", QuantileTransformer(n_quantiles=100), ["stoch_k", "atr_14"]), ("b", PowerTransformer(), ["sma_20"])],
    remainder=make_pipeline(RobustScaler(), MinMaxScaler()),
)


def test_a_scaler_of_columns_serves(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = matrix(candles(0, 700), NAMES, 600)
    estimator: Any = SCALER.fit(pd.DataFrame(rows, columns=NAMES))
    (source / "profitable_feature_scaler.pkl").write_bytes(pickle.dumps(estimator))
    metadata = source / "profitable_stage1_metadata.json"
    metadata.write_text(json.dumps({"scaled_ranges": {name: [-i, i] for i, name in enumerate(NAMES, start=1)}}))
    output = tmp_path / "output"
    assert main(["--source", str(source), "--output", str(output), "--version", "v3.1"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "profitable_feature_scaler.pkl was converted by a graph of our own" in said
    found = reading.read(output / "v3.1")
    stage = found.manifest.stage1
    assert stage.scaled_features == ("stoch_k", "atr_14", "sma_20", "macd")
    assert stage.parity["scaler_max_difference"] < 1e-7
    assert stage.limits is not None
    # The ranges are by name; half a range is added. Uniform quantiles also have limits of their means.
    assert stage.limits.low == (-8.0, -6.0, -2.0, -4.0)
    assert stage.limits.mean_high is not None
    assert stage.limits.mean_high[:2] == (0.999, 0.999)
    assert found.manifest.stage2 is not None
    assert found.manifest.stage2.scaled_features is None
    windows = rows[: 20 * STEPS].reshape(20, STEPS, len(NAMES))
    scaled = StageRunner("stage1", stage, found).scale(windows)
    expected = estimator.transform(pd.DataFrame(rows[: 20 * STEPS], columns=NAMES))
    np.testing.assert_allclose(scaled, expected.reshape(scaled.shape), rtol=1e-6, atol=1e-6)


def test_a_scaler_of_other_names_is_refused_before_anything_is_converted(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = matrix(candles(0, 200), NAMES, 100)
    theirs = ["SMA_20", "MACD", "ATR", "%K"]
    estimator = QuantileTransformer(n_quantiles=20).fit(pd.DataFrame(rows, columns=theirs))
    (source / "profitable_feature_scaler.pkl").write_bytes(pickle.dumps(estimator))
    assert main(["--source", str(source), "--output", str(tmp_path / "output")]) == 1
    said = capsys.readouterr().err
    assert json.dumps(dict(zip(NAMES, theirs, strict=True))) in said
    assert "converting" not in said
