"""Switches while eight clients predict: a hundred in every run, a thousand in `make test-long`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests import bundles
from tests.server.client import Client, Post
from tests.server.questions import window

CLIENTS = 8


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Two versions whose answers differ in every field.

    Both get the same two windows. Through its scalers, `low` reads them as 0.1 and 0.2, `high` as 0.8 and 0.9.
    """
    for version, centre, positive, weights in (("low", 0.0, "short", (1.0, 0.0)), ("high", -0.7, "short", (0.0, 1.0))):
        bundles.write(
            tmp_path,
            version,
            scale=(centre, 1.0),
            stage2_scale=(centre, 1.0),
            threshold=0.05,
            positive=positive,  # type: ignore[arg-type]
            weights=weights,
        )
    bundles.write_order(tmp_path, "low", "high")
    return tmp_path


@pytest.mark.parametrize("switches", [100, pytest.param(1000, marks=pytest.mark.long)])
async def test_every_answer_is_entirely_of_one_version(client: Client, post: Post, switches: int) -> None:
    body = {"pair": "EUR/USD", "features_scaled": False, "features": {"stage1": window(0.1), "stage2": window(0.2)}}
    expected = {
        "low": ("long", pytest.approx(0.1, abs=1e-6), pytest.approx(0.8, abs=1e-6), pytest.approx(0.1, abs=1e-6)),
        "high": ("short", pytest.approx(0.8, abs=1e-6), pytest.approx(0.9, abs=1e-6), pytest.approx(0.9, abs=1e-6)),
    }
    seen = {"low": 0, "high": 0}
    done = asyncio.Event()

    async def predict() -> None:
        while not done.is_set():
            status, answer = await post("/reversal/predict", body)
            assert status == 200
            data = answer["data"]
            found = (data["signal"], data["stage1_prob"], data["stage2_prob"], data["confidence"])
            assert found == expected[data["model_version"]]
            seen[data["model_version"]] += 1

    clients = [asyncio.create_task(predict()) for _ in range(CLIENTS)]
    for i in range(switches):
        version, other = ("low", "high") if i % 2 else ("high", "low")
        status, answer = await post(f"/reversal/models/{version}/switch")
        assert (status, answer["data"]) == (200, {"active_version": version, "previous_version": other})
        if i % 50 == 0:  # the switch then has to load as well
            assert (await post(f"/reversal/models/{other}/unload"))[0] == 200
    done.set()
    await asyncio.gather(*clients)
    assert min(seen.values()) > CLIENTS
    assert (await (await client.get("/health")).json())["model_version"] == "low"
