"""What metadata say about training: ranges, the background window, and limits that follow."""

from __future__ import annotations

import pytest

from convert.errors import Refused
from convert.sources import training_data
from convert.sources.versions import StageFiles, StageSource
from core.bundles import limits

FILES = StageFiles(model="m.h5", features="f.json", metadata="meta.json")
RANGES = {"close": [-1.0, 3.0], "sma_20": [-2.0, 2.0], "rsi_14": [0.0, 1.0]}
WINDOW = [[0.0, 1.0], [0.5, -1.5], [3, 4]]


def source(features: tuple[str, ...] = ("close", "sma_20"), **metadata: object) -> StageSource:
    return StageSource(FILES, features, metadata, {})


def test_ranges_are_in_the_order_of_the_features_and_become_limits_half_a_width_further_out() -> None:
    ranges = training_data.training_ranges(source(("sma_20", "close"), scaled_ranges=RANGES))
    assert ranges == ((-2.0, 2.0), (-1.0, 3.0))
    found = limits.of_training(*zip(*ranges, strict=True))
    assert (found.low, found.high, found.source) == ((-4.0, -3.0), (4.0, 5.0), "training")
    assert training_data.training_ranges(source(metrics={})) is None


@pytest.mark.parametrize(
    ("ranges", "place"),
    [
        ({"close": [0.0, 1.0]}, "meta.json: scaled_ranges: .*sma_20.*f.json"),
        (RANGES | {"close": [1.0, 0.5]}, r"scaled_ranges.close: \[1, 0.5\] "),
        (RANGES | {"close": [-1e308, 1e308]}, r"scaled_ranges.close: \[-1e\+308, 1e\+308\] "),
        (RANGES | {"close": [1.0]}, "scaled_ranges.close: Expected `array` of length 2, got 1"),
        (RANGES | {"close": "0 to 1"}, "scaled_ranges.close: Expected `array`, got `str`"),
        ([0.0, 1.0], "scaled_ranges: Expected `object`, got `array`"),
    ],
)
def test_invalid_ranges_are_refused_by_feature(ranges: object, place: str) -> None:
    with pytest.raises(Refused, match=place):
        training_data.training_ranges(source(scaled_ranges=ranges))


def test_a_constant_feature_has_narrow_limits_and_small_ranges_keep_their_digits() -> None:
    ranges = training_data.training_ranges(source(scaled_ranges={"close": [0.0, 0.0], "sma_20": [0.0, 1e-7]}))
    assert ranges is not None
    found = limits.of_training(*zip(*ranges, strict=True))
    limits.check(found, 2)
    assert (found.low, found.high) == ((-5e-7, -5e-7), (5e-7, 6e-7))


def test_a_background_window_has_the_shape_of_the_model() -> None:
    found = training_data.background(source(background_window=WINDOW), (3, 2))
    assert found == ((0.0, 1.0), (0.5, -1.5), (3.0, 4.0))
    assert training_data.background(source(), (3, 2)) is None
    assert training_data.background(source(background_window=None), (3, 2)) is None


@pytest.mark.parametrize(
    ("window", "place"),
    [
        (WINDOW[:2], r"^meta\.json: background_window: 2 steps, .* 3;"),
        ([*WINDOW[:2], [1.0]], r"background_window\[2\]: 1 values, .* 2 features"),
        ([*WINDOW[:2], [1.0, 1e39]], r"background_window\[2\]\[1\]: 1e\+39 "),
        ([*WINDOW[:2], [1.0, float("inf")]], r"background_window\[2\]\[1\]: inf "),
        ([*WINDOW[:2], [1.0, float("nan")]], r"background_window\[2\]\[1\]: nan "),
        ([*WINDOW[:2], [1.0, "x"]], r"background_window\[2\]\[1\]: Expected `float`, got `str`"),
        ([*WINDOW[:2], 1.0], r"background_window\[2\]: Expected `array`, got `float`"),
        ("mean", r"background_window: Expected `array`, got `str`"),
    ],
)
def test_another_background_window_is_refused_with_its_place(window: object, place: str) -> None:
    with pytest.raises(Refused, match=place):
        training_data.background(source(background_window=window), (3, 2))
