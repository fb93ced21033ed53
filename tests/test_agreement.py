"""Answers over HTTP, compared with Keras and LightGBM on features from the independent transcription."""

from __future__ import annotations

import json
import pickle
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from numpy.typing import NDArray

from tests import market, transcription
from tests.market import KERAS, V30, V31

# The number of windows, spread over the year. The long test has more of them.
WINDOWS = [100, pytest.param(500, marks=pytest.mark.long)]
CANDLES = 120
TOLERANCE = 1e-5


def features_of(file: str) -> list[str]:
    names: list[str] = json.loads((KERAS / file).read_text())["features"]
    return names


# The model, the scaler, the features and the window of Stage 1.
STAGE1 = {
    "v3.0": ("reversal_detector_stage1.h5", "feature_scaler.pkl", V30, 20),
    "v3.1": ("profitable_reversal_detector_stage1.h5", "profitable_feature_scaler.pkl", V31, 20),
    "v3.2": (
        "scale_free_detector_stage1.keras",
        "scale_free_feature_scaler.pkl",
        features_of("scale_free_stage1_features.json"),
        86,
    ),
}
THRESHOLDS = {"v3.0": 0.2, "v3.1": 0.5, "v3.2": 0.35}

Client = TestClient[web.Request, web.Application]


def starts(windows: int) -> list[int]:
    """Return the first bars of `windows` series of 120 candles, spread over the year."""
    return [int(start) for start in np.linspace(0, len(market.frame()) - CANDLES, windows)]


@cache
def transcribed(windows: int) -> list[Any]:
    rows = (market.frame().iloc[i : i + CANDLES].reset_index(drop=True) for i in starts(windows))
    return [transcription.features(each) for each in rows]


@cache
def rows(windows: int, names: tuple[str, ...], steps: int) -> NDArray[np.float64]:
    """Return the last values of the features: shape (windows, steps, features)."""
    return np.stack([frame[list(names)].to_numpy()[-steps:] for frame in transcribed(windows)])


@cache
def keras_probabilities(windows: int, version: str) -> NDArray[np.float32]:
    """Return the outputs of Stage 1's Keras model and pickled scaler: shape (windows,)."""
    return by_keras(windows, *STAGE1[version])


def by_keras(windows: int, file: str, scaler: str, names: Sequence[str], steps: int) -> NDArray[np.float32]:
    # The imports take seconds, and only this test needs them.
    if file.endswith(".keras"):
        from keras.models import load_model  # noqa: PLC0415
    else:
        from tf_keras.models import load_model  # noqa: PLC0415

    values = rows(windows, tuple(names), steps)
    fitted = pickle.loads((KERAS / scaler).read_bytes())  # noqa: S301 - our own file
    scaled = fitted.transform(values.reshape(-1, len(names))).reshape(values.shape).astype(np.float32)
    found: NDArray[np.float32] = load_model(KERAS / file, compile=False).predict(scaled, verbose=0)[:, 0]
    return found


@cache
def direction_probabilities(windows: int, version: str) -> NDArray[np.float32]:
    """Return P(short) of Stage 2: by Keras, or by LightGBM for trees."""
    if version != "v3.2":
        return by_keras(windows, "direction_classifier_stage2.h5", "feature_scaler.pkl", V30, 20)
    import lightgbm  # noqa: PLC0415

    names = tuple(features_of("scale_free_stage2_features.json"))
    booster = lightgbm.Booster(model_file=KERAS / "scale_free_direction_stage2.txt")
    return np.asarray(booster.predict(rows(windows, names, 1)[:, 0]), np.float32)


@pytest.fixture
async def client(committed: web.Application, aiohttp_client: Callable[[web.Application], Awaitable[Client]]) -> Client:
    return await aiohttp_client(committed)


@pytest.mark.parametrize("version", market.VERSIONS)
@pytest.mark.parametrize("windows", WINDOWS)
async def test_answers_for_the_real_series_agree_with_keras(client: Client, version: str, windows: int) -> None:
    threshold = THRESHOLDS[version]
    p1, p2 = keras_probabilities(windows, version), direction_probabilities(windows, version)
    signals = set()
    for i, start in enumerate(starts(windows)):
        body = json.dumps(market.body(start, CANDLES, version=version)).encode()
        response = await client.post("/reversal/predict", data=body, headers={"Content-Type": "application/json"})
        answer = await response.json()
        assert response.status == 200, answer
        data = answer["data"]
        signals.add(data["signal"])
        assert data["model_version"] == version
        assert data["stage1_prob"] == pytest.approx(float(p1[i]), abs=TOLERANCE)
        if data["signal"] != "hold":
            short = data["signal"] == "short"
            assert data["stage2_prob"] == pytest.approx(float(p2[i] if short else 1 - p2[i]), abs=TOLERANCE)
            assert data["confidence"] == pytest.approx((data["stage1_prob"] + data["stage2_prob"]) / 2, abs=1e-9)
        expected = "hold" if p1[i] < np.float32(threshold) else "short" if p2[i] > 0.5 else "long"
        if abs(p1[i] - threshold) > TOLERANCE and abs(p2[i] - 0.5) > TOLERANCE:
            assert data["signal"] == expected
    assert signals == {"hold", "long", "short"}


async def test_the_body_of_the_backend_is_accepted_on_all_paths(client: Client) -> None:
    body = market.body(5000, 100)
    assert body["version"] is None
    assert body["features"] is None
    assert isinstance(body["data"][0]["volume"], float)
    for path in ("/reversal/predict", "/reversal/predict_raw", "/predict"):
        response = await client.post(path, json=body | {"add_indicators": True})
        assert response.status == 200
        assert (await response.json())["data"]["model_version"] == market.DEFAULT


async def test_too_few_candles_are_refused_with_both_numbers(client: Client) -> None:
    response = await client.post("/reversal/predict", json=market.body(5000, 20))
    answer = await response.json()
    assert (response.status, answer["code"]) == (422, "INSUFFICIENT_DATA")
    assert "100" in answer["error"]
    assert "20" in answer["error"]
