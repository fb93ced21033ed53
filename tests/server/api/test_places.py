"""The paths in errors, from the bytes of a body to the error of a detector."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from core.bundles import bundle
from core.bundles.limits import Limits
from core.bundles.manifest import FILE_NAME, decode, encode
from core.errors import InsufficientData, InvalidInput, OutOfRange, ServiceError
from core.features.candles import Candles
from core.inference.detector import Detector
from core.inference.inputs import CandleWindows, WindowSource
from server.api import decoding
from server.api.places import DATA, PathsOfCandles
from tests import bundles

GOOD = [[0.9, 0.9]] * 4


def detector(root: Path, limits: Limits | None = None, **fields: Any) -> Detector:  # noqa: ANN401
    folder = bundles.write(root, **fields)
    if limits is not None:
        found = decode((folder / FILE_NAME).read_bytes())
        stage1 = msgspec.structs.replace(found.stage1, limits=limits)
        (folder / FILE_NAME).write_bytes(encode(msgspec.structs.replace(found, stage1=stage1)))
    return Detector(bundle.read(folder), refuse_out_of_range=limits is not None)


def asked(features: object, *, scaled: bool = True) -> WindowSource:
    body = {"pair": "EUR/USD", "features": features, "features_scaled": scaled}
    return decoding.prediction(json.dumps(body).encode(), 0.0).source


def candles(*closes: float) -> WindowSource:
    data = [dict.fromkeys(("open", "high", "low", "close"), close) for close in closes]
    return decoding.prediction(json.dumps({"pair": "EUR/USD", "data": data}).encode(), 0.0).source


def refused(loaded: Detector, source: WindowSource, kind: type[ServiceError] = InvalidInput) -> tuple[str, str]:
    """The only detail of the error; the sentence repeats it."""
    (outcome,) = loaded.predict([source])
    assert isinstance(outcome, kind)
    ((path, message),) = outcome.details
    assert outcome.message in (f"{path}: {message}", message)
    return path, message


@pytest.mark.parametrize(
    ("features", "path", "numbers"),
    [
        ([[0.9, 0.9]] * 3, "features", ["4 rows of 2", "has 3"]),
        ([*GOOD[:3], [0.9]], "features[3]", ["2 values", "has 1"]),
        ([*GOOD[:2], [0.9, 1e39], GOOD[3]], "features[2][1]", ["stage1", "3.4e38"]),
        ({"stage1": GOOD}, "features.stage2", ["missing", "v1"]),
        ({"stage1": GOOD, "stage2": GOOD[:2]}, "features.stage2", ["4 rows of 2", "has 2"]),
        ({"stage1": [[1.0]] * 4, "stage2": GOOD}, "features.stage1[0]", ["2 values", "has 1"]),
        ({"stage1": GOOD, "stage2": [[1e39, 1.0]] * 4}, "features.stage2[0][0]", ["stage2", "3.4e38"]),
    ],
)
def test_of_windows(tmp_path: Path, features: object, path: str, numbers: list[str]) -> None:
    place, message = refused(detector(tmp_path), asked(features))
    assert place == path
    assert all(number in message for number in numbers), message


def test_of_raw_features_whose_scaled_value_overflows(tmp_path: Path) -> None:
    loaded = detector(tmp_path, scale=(0.0, 1e-10), stage2_scale=(0.0, 1e-10))
    source = asked([[1.0, 1.0], [1.0, 1.0], [1.0, 1e30], [1.0, 1.0]], scaled=False)
    path, message = refused(loaded, source)
    assert path == "features[2][1]"
    assert "stage1" in message


def test_of_one_window_where_each_stage_needs_its_own(tmp_path: Path) -> None:
    path, message = refused(detector(tmp_path, stage2_scale=(1.0, 1.0)), asked(GOOD))
    assert path == "features"
    assert '{"stage1": [[...]], "stage2": [[...]]}' in message
    assert "v1" in message


def test_of_windows_by_version(tmp_path: Path) -> None:
    body = {"pair": "EUR/USD", "features": {"v1": {"stage1": GOOD, "stage2": [[1.0]] * 4}, "v2": [[1e39, 0.5]] * 4}}
    sources = decoding.compared_windows(decoding.comparison(json.dumps(body).encode()), ["v1", "v2", "v3"])
    missing = sources.pop("v3")
    assert isinstance(missing, InvalidInput)
    assert missing.details[0].path == "features.v3"
    loaded = detector(tmp_path)
    paths = {
        version: refused(loaded, source)[0]
        for version, source in sources.items()
        if not isinstance(source, InvalidInput)
    }
    assert paths == {"v1": "features.v1.stage2[0]", "v2": "features.v2[0][0]"}


def test_of_too_few_candles(tmp_path: Path) -> None:
    loaded = detector(tmp_path)
    path, message = refused(loaded, candles(1.0, 1.0, 1.0), InsufficientData)
    assert path == "data"
    assert f"version v1 needs at least {loaded.required_candles} candles, 3 " in message


def test_of_what_is_out_of_range(tmp_path: Path) -> None:
    loaded = detector(tmp_path, Limits(low=(0.0, 0.0), high=(0.95, 0.95), source="training"))
    assert refused(loaded, asked([[1.5, 0.5]] * 4), OutOfRange)[0] == "features"
    assert refused(loaded, asked({"stage1": [[1.5, 0.5]] * 4, "stage2": GOOD}), OutOfRange)[0] == "features.stage1"
    assert refused(loaded, candles(*[3.0] * 20), OutOfRange)[0] == "data"


@pytest.mark.parametrize(
    ("places", "path"), [(DATA, "data[9].close"), (PathsOfCandles(range(9, -1, -1)), "data[0].close")]
)
def test_of_a_candles_field_as_it_was_sent(tmp_path: Path, places: PathsOfCandles, path: str) -> None:
    # Decoding refuses such prices, so the candles are made here.
    close = np.full(10, 0.5)
    close[9] = 1e39
    loaded = detector(tmp_path, features=["close"], stage2_features=["close"])
    source = CandleWindows(Candles.from_fields(*[close] * 5), places=places)
    place, message = refused(loaded, source)
    assert place == path
    assert "stage1" in message


@pytest.mark.parametrize(("places", "number"), [(DATA, 6), (PathsOfCandles(range(9, -1, -1)), 3)])
def test_of_a_feature_that_overflows(tmp_path: Path, places: PathsOfCandles, number: int) -> None:
    close = np.full(10, 1e-300)
    close[::2] = 1e300
    loaded = detector(tmp_path, features=["returns"], stage2_features=["returns"])
    source = CandleWindows(Candles.from_fields(*[close] * 5), places=places)
    path, message = refused(loaded, source)
    assert path == "data"
    assert f"returns of candle {number} " in message
    assert "stage1" in message
