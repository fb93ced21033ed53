"""Versions with one network for both stages, and versions that take ready-made features only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from core.serving.circuit_breaker import FAILURES
from server.settings import Settings
from tests import bundles
from tests.application import Build
from tests.bundles import class_window
from tests.server.client import Client, Post
from tests.server.questions import asks, candle, candles, window

NAMES = ("Close (USD)", "moving avg 5")
LABEL = {"rule": "swing_points", "neighbours": 20}


@pytest.fixture
def models(models: Path) -> Path:
    """v1, v2 and v3 as everywhere; v5 takes features only, v6 has classes."""
    bundles.write(models, "v5", features=NAMES, stage2_features=NAMES, inputs="features", label_rule=LABEL)
    bundles.write(
        models, "v6", features=("close", "sma_2", "sma_3"), classes=("short", "hold", "long"), scale=(0.0, 1.0)
    )
    bundles.write_order(models, "v1", "v2", "v3", "v5", "v6")
    return models


def class_asks(*probabilities: float, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"pair": "EUR/USD", "version": "v6", "features": class_window(*probabilities)} | fields


@pytest.mark.parametrize(
    ("features", "signal", "confidence", "p1", "p2"),
    [
        ((0.125, 0.25, 0.625), "long", 0.7916667, 0.75, 5 / 6),
        ((0.625, 0.25, 0.125), "short", 0.7916667, 0.75, 5 / 6),
        ((0.125, 0.75, 0.125), "hold", 0.75, 0.25, None),
    ],
)
async def test_a_version_with_classes_answers_as_two_stages_would(  # noqa: PLR0917
    post: Post, features: tuple[float, ...], signal: str, confidence: float, p1: float, p2: float | None
) -> None:
    expected = None if p2 is None else pytest.approx(p2, abs=1e-6)
    for body in (class_asks(*features), class_asks(*features) | {"features": {"stage1": class_window(*features)}}):
        status, answer = await post("/reversal/predict", body)
        data = answer["data"]
        assert (status, data["signal"], data["stage2_prob"]) == (200, signal, expected)
        assert data["stage1_prob"] == pytest.approx(p1, abs=1e-6)
        assert data["confidence"] == pytest.approx(confidence, abs=1e-6)
        assert data["factors"]["pattern"] == expected
        assert data["factors"]["direction"] == (None if p2 is None else signal)
        assert "warnings" not in data
    _, legacy = await post("/predict", class_asks(*features))
    assert legacy["data"]["prediction"] == signal
    assert legacy["data"]["factors"]["pattern"] == (0.5 if p2 is None else expected)


async def test_classes_that_do_not_sum_to_1_are_a_503_that_the_circuit_breaker_counts(
    post: Post, client: Client
) -> None:
    status, answer = await post("/reversal/predict", class_asks(0.5, 0.5, 0.5))
    assert (status, answer["code"]) == (503, "MODEL_UNAVAILABLE")
    await post("/reversal/models/v6/switch")
    served = [await post("/reversal/predict", class_asks(0.5, 0.5, 0.5, version=None)) for _ in range(FAILURES)]
    # No other version takes windows of three features, so nothing can answer.
    assert {(status, answer["code"]) for status, answer in served} == {(503, "MODEL_UNAVAILABLE")}
    assert (await client.get("/readyz")).status == 200  # other versions still answer


async def test_a_version_with_classes_is_shown(client: Client) -> None:
    data = (await (await client.get("/reversal/models/v6")).json())["data"]
    assert (data["has_stage2"], data["classes"], data["inputs"]) == (True, ["short", "hold", "long"], "candles")
    assert list(data["stages"]) == ["stage1"]
    assert data["stages"]["stage1"]["positive"] is None
    assert data["required_candles"] == 6


async def test_a_version_that_takes_features_only_is_shown(client: Client) -> None:
    data = (await (await client.get("/reversal/models/v5")).json())["data"]
    assert (data["inputs"], data["required_candles"], data["recommended_candles"]) == ("features", None, None)
    assert data["stages"]["stage1"]["features"] == list(NAMES)
    assert (data["classes"], data["has_stage2"], data["label_rule"]) == (None, True, LABEL)
    assert data["stages"]["stage1"]["training_ranges"] is None


async def test_training_ranges_are_shown(post: Post, client: Client, models: Path) -> None:
    file = bundles.write(models, "v7", stage2_features=None) / "manifest.json"
    text = file.read_text()
    file.write_text(text.replace('"training_ranges": null', '"training_ranges": [[-1.5, 2.5], [0.0, 1.0]]'))
    assert (await post("/reversal/models/v7/load"))[0] == 200
    stages = (await (await client.get("/reversal/models/v7")).json())["data"]["stages"]
    assert stages["stage1"]["training_ranges"] == [[-1.5, 2.5], [0.0, 1.0]]


@pytest.mark.parametrize("path", ["/reversal/predict", "/reversal/predict_raw", "/predict"])
@pytest.mark.parametrize("count", [0, 1, 20])
async def test_candles_for_a_version_that_takes_features_only_are_a_422(post: Post, path: str, count: int) -> None:
    status, answer = await post(path, candles(count, version="v5"))
    assert (status, answer["code"], answer["details"][0]["path"]) == (422, "VALIDATION_ERROR", "data")
    assert all(word in answer["error"] for word in ("v5", "features"))


async def test_features_of_its_own_names_are_answered_scaled_or_not(post: Post) -> None:
    for changes in ({}, {"features_scaled": False}, {"data": [candle()] * 3}):  # features win over candles
        status, answer = await post("/reversal/predict", asks(0.82, 0.32, version="v5", **changes))
        assert (status, answer["data"]["signal"]) == (200, "long")
    status, answer = await post("/reversal/predict", {"pair": "EUR/USD", "version": "v5", "features": window(0.1)[:3]})
    assert (status, answer["details"][0]["path"]) == (422, "features")


async def test_it_is_an_entry_with_an_error_in_a_comparison_of_candles(post: Post) -> None:
    _, answer = await post("/reversal/compare", candles(versions=["v1", "v5"]))
    predictions = answer["data"]["predictions"]
    assert (predictions["v1"]["signal"], predictions["v5"]["code"]) == ("hold", "VALIDATION_ERROR")
    assert (answer["data"]["consensus"], answer["data"]["disagreement"]) == (None, False)
    status, answer = await post("/reversal/compare", candles(versions=["v5"]))
    assert (status, answer["details"][0]["path"]) == (422, "data")
    features = {"v1": window(0.1), "v5": window(0.1), "v6": class_window(0.0, 1.0, 0.0)}
    body = {"pair": "EUR/USD", "features": features, "versions": list(features)}
    _, answer = await post("/reversal/compare", body)
    assert (answer["data"]["consensus"], answer["data"]["disagreement"]) == ("hold", False)


async def test_an_item_of_a_batch_is_refused_alone(post: Post) -> None:
    items = [candles(version="v5"), asks(0.82, 0.32, version="v5"), class_asks(0.125, 0.25, 0.625), candles()]
    _, answer = await post("/reversal/predict/batch", {"items": items})
    refused, *others = answer["data"]["results"]
    assert (refused["code"], refused["details"][0]["path"]) == ("VALIDATION_ERROR", "data")
    assert [each["data"]["signal"] for each in others] == ["long", "long", "hold"]


async def test_it_can_be_active_and_is_no_fallback_for_candles(post: Post, client: Client) -> None:
    await post("/reversal/models/v5/switch")
    status, answer = await post("/reversal/predict", candles())
    assert (status, answer["details"][0]["path"]) == (422, "data")  # the client must fix it: no fallback
    status, answer = await post("/reversal/predict", asks(0.82, 0.32))
    assert (answer["data"]["model_version"], answer["data"]["signal"]) == ("v5", "long")
    assert (await client.get("/readyz")).status == 200


async def test_a_server_with_nothing_else_starts_with_it(
    settings: Settings, build: Build, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> None:
    for version in ("v1", "v2", "v3"):
        bundles.write(settings.models, version, features=NAMES, stage2_features=None, inputs="features")
    client = await aiohttp_client(await build(settings))
    health = await (await client.get("/health")).json()
    assert (health["status"], health["model_version"]) == ("healthy", "v1")
    assert (await client.get("/readyz")).status == 200
    response = await client.post("/reversal/predict", json=candles())
    assert response.status == 422
    response = await client.post("/reversal/compare", json=candles(versions=["v1", "v2"]))
    assert ((await response.json())["code"], response.status) == ("VALIDATION_ERROR", 422)
    assert (await client.post("/reversal/predict", json=asks(0.9))).status == 200
