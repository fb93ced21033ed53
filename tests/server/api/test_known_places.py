from __future__ import annotations

import pytest

from server.api.known_places import known_part


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("data[12].low", "data[12].low"),
        ("features.stage2[3][4]", "features.stage2[3][4]"),
        ("features.s3cret[0]", "features…"),
        ("features.open.high.low.stage1", "features…"),
        ("features.stage1.open", "features.stage1…"),
        ("features.data[4111111111111111].low", "features…"),
        ("data[411111].low", "data…"),
        ("data.s3cret", "data…"),
        ("guardrails.max_p99_ms", "guardrails.max_p99_ms"),
        ("data[3].timestamp", "data[3].timestamp"),
        ("[2]", "[2]"),
        ("s3cret", "…"),
        ("guardrails.s3cret", "guardrails…"),
        ("versions[3]", "versions[3]"),
        ("data[0].s3cret.low", "data[0]…"),
        ("X-Request-Timeout-Ms", "X-Request-Timeout-Ms"),
        ("user_id\nERROR forged", "user_id…"),
        ("", ""),
        ("candles[0][17][1]", "candles[0][17][1]"),
        ("candles.data[0][17][1]", "candles.data[0][17][1]"),
        ("features.shape", "features.shape"),
        ("inputs[0].shape[2]", "inputs[0].shape[2]"),
        ("parameters.pair", "parameters.pair"),
        ("parameters.s3cret", "parameters…"),
        ("Inference-Header-Content-Length", "Inference-Header-Content-Length"),
    ],
)
def test_names_that_a_client_made_up_are_left_out(place: str, shown: str) -> None:
    assert known_part(place) == shown
