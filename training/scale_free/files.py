"""The files of v3.2, in the formats that convert reads."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import keras
import lightgbm
import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from core.features.catalogue import required_candles
from lab import networks, splits
from lab.labels import TRADES_3_ATR
from lab.panel import Mask, Rows
from training.files import write_json
from training.scale_free import metrics
from training.scale_free.recipe import (
    PRECISION,
    STAGE1,
    STAGE1_NAMES,
    STAGE2,
    STAGE2_NAMES,
    THRESHOLD,
    Material,
    ScaleFree,
)

# Windows that explanations compare with: an even spread over the training part.
_BACKGROUND = 50
_SCALER = "scale_free_feature_scaler.pkl"


def write(detector: ScaleFree, without: ScaleFree, given: Material, output: Path) -> dict[str, Any]:
    """Write all files. Returns the metrics of Stage 1. without: see metrics.all_scores."""
    output.mkdir(parents=True, exist_ok=True)
    first, second = metrics.all_scores(detector, without, given)
    detector.stage1.network.save(output / "scale_free_detector_stage1.keras")
    (output / _SCALER).write_bytes(pickle.dumps(detector.stage1.scaler))
    detector.stage2.booster.save_model(output / "scale_free_direction_stage2.txt")
    split = splits.expanding(given.stage1, splits.UNTOUCHED)
    rows = given.rows(split.train)
    scaled = networks.scaled_features(detector.stage1.scaler, given.stage1)
    shared = _shared(given, (split.train, split.validation, split.test))
    _stage(
        output,
        "scale_free_stage1",
        STAGE1_NAMES,
        _spread(scaled, rows, STAGE1.window),
        shared
        | {
            "training": {"network": STAGE1._asdict(), "examples": len(rows)},
            "temperature": round(detector.temperature, 6),
            "threshold": THRESHOLD,
            "threshold_aim": f"precision of at least {PRECISION} in {splits.VALIDATION}",
            "lowest_threshold_with_that_precision": detector.lowest_threshold,
            "scaled_ranges": metrics.ranges(given.stage1, scaled, rows, STAGE1.window),
            "background_window": _mean(scaled, rows, STAGE1.window),
            "metrics": first,
        },
    )
    directions = given.directions(split.train)
    raw = np.nan_to_num(given.stage2.features).astype(np.float32)
    _stage(
        output,
        "scale_free_stage2",
        STAGE2_NAMES,
        _spread(raw, directions, STAGE2.window),
        shared
        | {
            "training": {"trees": STAGE2._asdict(), "examples": len(directions)},
            "scaled_ranges": metrics.ranges(given.stage2, raw, directions, STAGE2.window),
            "background_window": _mean(raw, directions, STAGE2.window),
            "metrics": second,
        },
    )
    return first


def _stage(
    output: Path, stem: str, names: tuple[str, ...], background: NDArray[np.float32], metadata: dict[str, Any]
) -> None:
    write_json(output / f"{stem}_features.json", {"features": names})
    write_json(output / f"{stem}_metadata.json", metadata)
    np.save(output / f"{stem}_background.npy", background)


def _shared(given: Material, parts: tuple[Mask, Mask, Mask]) -> dict[str, Any]:
    """What holds for both stages: data, splits, label, search, and the tools."""
    panel = given.stage1
    spans = {}
    for name, part in zip(("train", "validation", "test"), parts, strict=True):
        times = panel.times[part]
        spans[name] = {"first": f"{times.min()}Z", "last": f"{times.max()}Z", "bars": int(part.sum())}
    return {
        "trained_on": {
            "files": {each.name: {"pair": each.pair, "sha256": each.sha256} for each in given.histories},
            "parts": spans,
            "embargo_bars": panel.horizon,
        },
        "label": TRADES_3_ATR.values,
        "required_candles": required_candles(STAGE1_NAMES, STAGE1.window),
        "search": "docs/lab-search.md",
        "libraries": {each.__name__: each.__version__ for each in (keras, lightgbm, sklearn, np)},
    }


def _spread(values: NDArray[np.float32], rows: Rows, window: int) -> NDArray[np.float32]:
    chosen = rows[np.linspace(0, len(rows) - 1, min(_BACKGROUND, len(rows))).round().astype(np.intp)]
    return networks.windows(values, chosen, window)


def _mean(values: NDArray[np.float32], rows: Rows, window: int) -> list[list[float]]:
    """The mean window: by step, the mean of each feature over all windows that end at `rows`."""
    steps = [values[rows - window + 1 + step].mean(axis=0, dtype=np.float64) for step in range(window)]
    return [[round(float(each), 6) for each in step] for step in steps]


def read_scaler(folder: Path) -> StandardScaler:
    """The scaler of Stage 1 as written by `write`. It is unpickled: only files of one's own."""
    found: StandardScaler = pickle.loads((folder / _SCALER).read_bytes())  # noqa: S301 - see the docstring
    return found
