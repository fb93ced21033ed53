"""The bundle and the decision rule of all peers: the least that an answer needs, with NumPy only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "models" / "onnx" / "v3.0"
WINDOW = (20, 12)
_POSITIVE_ABOVE = 0.5


class RefusedError(ValueError):
    """The features are not a valid window of the version."""


@dataclass(frozen=True)
class Rule:
    """The decision rule: `threshold` of Stage 1, `positive` and `negative` direction of Stage 2, equal weights."""

    threshold: np.float32
    positive: str
    negative: str

    def row(self, p1: float, p2: float | None) -> dict[str, Any]:
        """Return the fields of an answer; `p2` is None if the gate is closed."""
        if p2 is None:
            factors: dict[str, Any] = {"reversal_detected": False, "direction": None}
            signal, confidence, probability = "hold", 1.0 - p1, None
        else:
            signal, probability = (self.positive, p2) if p2 > _POSITIVE_ABOVE else (self.negative, 1.0 - p2)
            confidence = 0.5 * p1 + 0.5 * probability
            factors = {"reversal_detected": True, "direction": signal}
        return {
            "signal": signal,
            "confidence": confidence,
            "stage1_prob": p1,
            "stage2_prob": probability,
            "factors": factors,
        }


def manifest() -> dict[str, Any]:
    """Read the manifest of the bundle."""
    read: dict[str, Any] = json.loads((BUNDLE / "manifest.json").read_text())
    return read


def rule() -> Rule:
    """Return the rule of the bundle."""
    read = manifest()
    positive = read["stage2"]["positive"]
    return Rule(np.float32(read["threshold"]), positive, "long" if positive == "short" else "short")


def window(features: object) -> NDArray[np.float32]:
    """Return a matrix as input of the networks, (1, 20, 12).

    Raises RefusedError if it has another shape or a value that is not finite.
    """
    try:
        made = np.array(features, np.float32)
    except ValueError as error:
        raise RefusedError(f"features: {error}") from error
    if made.shape != WINDOW:
        raise RefusedError(f"features: expected shape {WINDOW}, found {made.shape}")
    if not np.isfinite(made).all():
        raise RefusedError("features: every value must be finite")
    return made[np.newaxis]


def envelope(pair: str, timeframe: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return the whole answer of /reversal/predict."""
    now = datetime.now(UTC).isoformat()
    data = {"pair": pair, "timeframe": timeframe, **row, "model_version": "v3.0", "timestamp": now}
    return {"success": True, "data": data, "error": None, "timestamp": now}
