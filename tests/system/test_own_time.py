"""A version that computes features from the candles' own times, on a real server with several workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import bundles
from tests.processes import get, post, serving
from tests.server.open_inference.tensors_of import FIRST, HOUR, bars, body, times
from tests.server.questions import candle, candles

# The mean of 16, 17, 18 and 19 o'clock, as a share of a day.
EVENING = 17.5 / 24


def test_candles_with_times_are_answered_and_those_without_are_refused(tmp_path: Path) -> None:
    bundles.write(tmp_path, "v1")
    bundles.write(tmp_path, "v5", features=("hour",), stage2_features=None, scale=(0.0, 24.0))
    bundles.write_order(tmp_path, "v5", "v1")
    timed = {"pair": "EUR/USD", "data": [candle(timestamp=FIRST + HOUR * hour) for hour in range(20)]}
    with serving("--models", str(tmp_path), REVERSAL_WORKERS="2") as server:
        assert get(f"{server.url}/reversal/models/v5")[1]["data"]["requires_timestamps"] is True
        for path in ("/reversal/predict", "/predict") * 4:  # of either worker
            status, answer = post(f"{server.url}{path}", timed)
            assert (status, answer["data"]["model_version"]) == (200, "v5")
            assert answer["data"]["factors"]["technical"] == pytest.approx(EVENING, abs=1e-6)
            status, answer = post(f"{server.url}{path}", candles())
            assert (status, answer["code"], answer["details"][0]["path"]) == (
                422, "VALIDATION_ERROR", "data[0].timestamp",
            )  # fmt: skip
        _, answer = post(f"{server.url}/reversal/predict/batch", {"items": [timed, candles(), candles(version="v1")]})
        assert [each.get("code") for each in answer["data"]["results"]] == [None, "VALIDATION_ERROR", None]
        infer = f"{server.url}/v2/models/reversal/infer"
        assert post(infer, body(candles=bars(0.4), timestamps=times()))[0] == 200
        status, answer = post(infer, body(candles=bars(0.4)))
        assert (status, answer["error"].split(":")[0]) == (400, "timestamps")
        assert post(f"{server.url}/reversal/predict", candles(version="v1"))[0] == 200
