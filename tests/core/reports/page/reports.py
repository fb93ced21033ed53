"""Makers of reports as the JSON has them, for the tests of pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from server.keeper import answers
from tests.core.statistics.tables import experiment

AT = "2025-10-20T12:34:56Z"
DAY = 24 * 3600 * 1_000_000
BEGIN = 1_760_000_000_000_000  # 2025-10-09 08:53 UTC


def estimate(value: float | None, half: float = 0.0, candles: int = 1_000, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    interval = None if value is None or not half else [value - half, value + half]
    return {"estimate": value, "interval": interval, "candles": candles, **more}


def variant(version: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    names = ("hold_rate", "confidence", "precision", "recall")
    sourced = ("win_rate", "mean_pnl", "pnl_per_candle")
    return {
        "model_version": version,
        "predictions": 2_000,
        "unique_users": 60,
        "unique_candles": 1_000,
        "signals": {"hold": 1_000, "long": 600, "short": 400},
        **{name: estimate(0.5, 0.034) for name in names},
        **{name: estimate(0.5, 0.034, source="reported") for name in sourced},
        "outcomes_joined": 1_000,
        "labelled_candles": 0,
        "fallbacks": 0,
        "failures": 0,
        "unrecorded": 0,
        "warnings": {},
        "imported": None,
        **changes,
    }


def report(
    word: str = "not yet",
    *,
    setting: Mapping[str, Any] | None = None,
    a: Mapping[str, Any] | None = None,
    b: Mapping[str, Any] | None = None,
    difference: Mapping[str, Any] | None = None,
    **changes: Any,  # noqa: ANN401 - any field
) -> dict[str, Any]:
    """A report of an active split experiment on win rates. setting: fields of the experiment."""
    fields = {"status": "active", "created_at": BEGIN, "activated_at": BEGIN + DAY, **(setting or {})}
    found = {
        "variants": {"A": variant("v3.0", **(a or {})), "B": variant("v3.1", **(b or {}))},
        "differences": {
            name: estimate(0.0123, 0.034, source="reported", p_value=0.5) | dict(difference or {})
            for name in ("win_rate", "mean_pnl", "pnl_per_candle")
        },
        "breakdown": {"exploratory": True, "metric": "win_rate", "total": 0, "places": []},
        "history": [],
        "sample_ratio": {"users": {"A": 60, "B": 60}, "users_in_both": 0, "mismatch": False},
        "pairs": None,
        "verdict": {"word": word, "sentence": "the reason; more of it", "more_candles": 1_234.5, "days_left": 12.34},
    }
    return answers.experiment(experiment(**fields)) | found | changes


def looks(count: int) -> Iterator[dict[str, Any]]:
    """A history with a look a day; the first half of its intervals is not yet valid."""
    for n in range(count):
        at = f"2025-10-{n % 20 + 1:02}T{n // 20:02}:00:00Z"
        yield {
            "at": at,
            **estimate(0.02 + 0.1 / (n + 1), 0.5 / (n + 1), 10 * n),
            "word": "not yet",
            "valid": 2 * n >= count,
        }
