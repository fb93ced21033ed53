"""Examples of bodies and of names in paths, for people who try the API. All of them run on the committed bundles.

Sent in the order of the table to a server that has just started, each is answered with the status of a success.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from server.api.schemas.json_schema import Schema
from server.api.schemas.open_inference import MODEL

Json = dict[str, Any]

_VERSION, _EXPERIMENT = "v3.2", "v30_vs_v31"
# The last 120 hours of EUR/USD of 2017, as docs/examples has them. The event loop must not read files, so they are
# read when this module is imported.
_CANDLES = Path(__file__).with_name("candles.json").read_bytes()
# An item of a batch has fewer candles, because a reader sees all of them. v3.2 needs 100, the others fewer.
_FEW = 100


@cache
def bodies() -> dict[str, Json]:
    """The example of each body, by the name of its type."""
    candles = orjson.loads(_CANDLES)
    market: Json = {"pair": "EUR/USD", "timeframe": "1h"}
    rule = {"horizon": 10, "min_profit_pips": 6.18063, "max_loss_pips": 10.30105, "min_ratio": 1.5}
    return {
        "PredictRequest": market | {"data": candles, "user_id": "user123"},
        "ExplainRequest": market | {"data": candles},
        "CompareRequest": market | {"data": candles, "versions": ["v3.0", _VERSION]},
        "BatchRequest": {
            "items": [market | {"data": candles[-_FEW:]}, market | {"data": candles[-_FEW:], "version": "v3.0"}]
        },
        "CreateExperiment": {
            "experiment_id": _EXPERIMENT,
            "name": "v3.0 against v3.1",
            "description": "Is v3.1 better than v3.0?",
            "variant_a": "v3.0",
            "variant_b": "v3.1",
            "traffic_split": 0.5,
        },
        "PlanExperiment": {
            "mode": "split", "baseline": 0.5, "effect": 0.06, "predictions_per_day": 480, "pairs": 2, "users": 100,
        },
        "Evaluate": market | rule | {"data": candles},
        "AddNote": {"text": "The spread was wide on Monday."},
        "ReportOutcomes": {
            "outcomes": [{"prediction_id": "0643df1f4f8c0-0a1b2c3d4e5f", "outcome": "win", "pnl_pips": 12.5}]
        },
        "InferBody": {"parameters": market, "inputs": _tensors(candles[-_FEW:])},
        "RepositoryIndex": {"ready": False},
        "SignIn": {"token": "a-long-random-token"},
        "RepositoryChange": {"parameters": {"version": "v3.0"}},
    }  # fmt: skip


def _tensors(candles: list[Json]) -> list[Json]:
    """Candles as inputs of the Open Inference Protocol."""
    rows = [[each[name] for name in ("open", "high", "low", "close", "volume")] for each in candles]
    times = [int(datetime.fromisoformat(each["timestamp"]).timestamp() * 1000) for each in candles]
    return [
        {"name": "candles", "datatype": "FP64", "shape": [1, len(rows), 5], "data": [rows]},
        {"name": "timestamps", "datatype": "INT64", "shape": [1, len(times)], "data": [times]},
    ]


def of_parameter(operation: str, name: str) -> Json:
    """The `example` of a name in a path; empty if there is none."""
    if operation == "unloadModel":  # the active version cannot be unloaded
        return {"example": "v3.0"}
    if operation == "dashboardFile":
        return {"example": "main.js"}
    names = {"version": _VERSION, "id": _EXPERIMENT, "file": "page.css", "model": MODEL}
    return {"example": names[name]} if name in names else {}


def of_body(kind: str) -> Schema:
    """The `examples` of a body of this type: a reference, so that the description has each only once."""
    return {"examples": {"example": {"$ref": f"#/components/examples/{kind}"}}} if kind in bodies() else {}


def components() -> dict[str, Schema]:
    """The examples that `of_body` refers to."""
    return {kind: {"summary": "runs on the committed bundles", "value": body} for kind, body in bodies().items()}
