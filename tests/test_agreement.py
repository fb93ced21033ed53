"""Answers over HTTP, compared with Keras on features from the independent transcription of the indicators."""

from __future__ import annotations

import json
import pickle
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from tests import market, transcription
from tests.market import KERAS, V30, V31

# The number of windows, spread over the year. The long test has more of them.
WINDOWS = [100, pytest.param(500, marks=pytest.mark.long)]
CANDLES = 120
TOLERANCE = 1e-5
STAGE1 = {
    "v3.0": ("reversal_detector_stage1.h5", "feature_scaler.pkl", V30, 0.2),
    "v3.1": ("profitable_reversal_detector_stage1.h5", "profitable_feature_scaler.pkl", V31, 0.5),
}
STAGE2 = ("direction_classifier_stage2.h5", "feature_scaler.pkl", V30)

Client = TestClient[web.Request, web.Application]


def starts(windows: int) -> list[int]:
    """Return the first bars of `windows` series of 120 candles, spread over the year."""
    return [int(start) for start in np.linspace(0, len(market.frame()) - CANDLES, windows)]


@cache
def transcribed(windows: int) -> list[Any]:
    rows = (market.frame().iloc[i : i + CANDLES].reset_index(drop=True) for i in starts(windows))
    return [transcription.features(each) for each in rows]


@cache
def keras_probabilities(windows: int, model: str, scaler: str, names: tuple[str, ...]) -> Any:  # noqa: ANN401
    """Return the probabilities of the Keras model and the pickled scaler: shape (windows,)."""
    import tf_keras  # noqa: PLC0415 - the import takes seconds, and only this test needs it

    rows = np.stack([frame[list(names)].to_numpy()[-20:] for frame in transcribed(windows)])
    fitted = pickle.loads((KERAS / scaler).read_bytes())  # noqa: S301 - our own file
    scaled = fitted.transform(rows.reshape(-1, len(names))).reshape(rows.shape).astype(np.float32)
    return tf_keras.models.load_model(KERAS / model, compile=False).predict(scaled, verbose=0)[:, 0]


@pytest.fixture
async def client(committed: web.Application, aiohttp_client: Callable[[web.Application], Awaitable[Client]]) -> Client:
    return await aiohttp_client(committed)


@pytest.mark.parametrize("version", ["v3.0", "v3.1"])
@pytest.mark.parametrize("windows", WINDOWS)
async def test_answers_for_the_real_series_agree_with_keras(client: Client, version: str, windows: int) -> None:
    model, scaler, names, threshold = STAGE1[version]
    p1 = keras_probabilities(windows, model, scaler, tuple(names))
    p2 = keras_probabilities(windows, *STAGE2[:2], tuple(STAGE2[2]))
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
        assert (await response.json())["data"]["model_version"] == "v3.1"


async def test_too_few_candles_are_refused_with_both_numbers(client: Client) -> None:
    response = await client.post("/reversal/predict", json=market.body(5000, 20))
    answer = await response.json()
    assert (response.status, answer["code"]) == (422, "INSUFFICIENT_DATA")
    assert "69" in answer["error"]
    assert "20" in answer["error"]
