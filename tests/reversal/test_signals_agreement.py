"""Signals of a whole history, compared to the bit with single answers of a server over HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest

import reversal
from tests.market import ONNX, VERSIONS, frame
from tests.processes import Server, serving

pytestmark = pytest.mark.serial  # starts a server

COLUMNS = ["open", "high", "low", "close", "volume"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(REVERSAL_MODELS=str(ONNX)) as started:
        yield started


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("candles", "answers"), [(2_000, 100), pytest.param(50_000, 2_000, marks=pytest.mark.long)])
def test_each_row_is_the_answer_of_the_service(version: str, candles: int, answers: int, server: Server) -> None:
    year = frame()[COLUMNS].astype(float)
    market = pd.concat([year] * (1 + candles // len(year)), ignore_index=True)[:candles]
    market["timestamp"] = (412_000 + np.arange(candles)) * 3_600_000  # from 2017 on
    detector = reversal.load(version, ONNX)
    signals = detector.signals(market)
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    records = market.to_dict("records")
    for row in np.linspace(detector.required_candles - 1, candles - 1, answers, dtype=int).tolist():
        sent = records[max(0, row + 1 - detector.recommended_candles) : row + 1]
        body = json.dumps({"pair": "EUR/USD", "version": version, "data": sent})
        connection.request("POST", "/reversal/predict", body, {"Content-Type": "application/json"})
        data = json.loads(connection.getresponse().read())["data"]
        found = signals.iloc[row]
        stage2 = None if np.isnan(found.stage2_prob) else found.stage2_prob
        outside = "OUT_OF_RANGE" in {warning["code"] for warning in data.get("warnings", ())}
        assert (found.signal, found.confidence, found.stage1_prob, stage2, found.out_of_range) == (
            data["signal"],
            data["confidence"],
            data["stage1_prob"],
            data["stage2_prob"],
            outside,
        ), row
    connection.close()
