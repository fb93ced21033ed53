"""A window of features is the same window, read by the extension or without it."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ServiceError
from core.inference.inputs import GivenWindows
from server.api import candle_forms, decoding
from server.api.schemas.predictions import CompareRequest
from tests.native_extension import built

REQUEST: dict[str, object] = {"pair": "EUR/USD", "user_id": "用户", "note": {"features": [[1]]}}
WINDOW = [[0.5, -1.25, 3.0], [1e-7, -2.5e3, 7]]
# Pieces of JSON that are put into good bodies; most of them make it bad.
PIECES = [
    *'[]{},:" 0-.e1\\\n\x00',
    *("null", "00", "1.", "-0", "-0.0", "- 1", "+1", "1E5", "1e400", "-1e-400", "0.1e-5", "-1.0000000000000002"),
    *('"data":[],', '"features":null,', '"features":[[1]],', "\\u0066eatures", "é", "],[", '"1"'),
]


def said(body: bytes) -> object:
    """What is decoded from a body, or the error."""
    try:
        found = decoding.prediction(body, 0.0)
    except ServiceError as error:
        return type(error), error.message, error.details
    assert isinstance(found.source, GivenWindows)
    windows = {stage: (packed.data, list(packed.lengths)) for stage, packed in found.source.windows.items()}
    return found[:4], windows, found.source.kind, found.source.opens


def both_ways(body: bytes) -> list[Any]:
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for extension in (None, built()):
            patch.setattr(candle_forms, "extension", extension)
            found.append(said(body))
    return found


@pytest.mark.parametrize(
    "features", [WINDOW, [[1]], [[-0.1] * 500] * 80, {"stage1": WINDOW}, [], [[]], [[1.0], [1.0, 2.0]], [1.0], [["1"]]]
)
@pytest.mark.parametrize("before", [True, False])
def test_a_window_is_the_same_with_the_extension(features: object, before: bool) -> None:  # noqa: FBT001
    window: dict[str, object] = {"features": features, "features_scaled": False, "candle_time": 1_760_000_000}
    body = window | REQUEST if before else REQUEST | window
    for separators in ((",", ":"), (" , ", " :\n")):
        pure, fast = both_ways(json.dumps(body, separators=separators).encode())
        assert pure == fast


def test_the_extension_reads_usual_bodies() -> None:
    found = built().window(json.dumps(REQUEST | {"features": WINDOW}).encode())
    assert found is not None
    assert found[2:] == (3, struct.pack("6d", *WINDOW[0], *WINDOW[1]))


def test_a_comparison_takes_the_window_that_the_extension_has_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candle_forms, "extension", built())
    wanted = decoding.comparison(json.dumps(REQUEST | {"features": WINDOW}).encode())
    assert isinstance(wanted.request, CompareRequest)
    source = decoding.compared_windows(wanted, ["v1"])["v1"]
    assert isinstance(source, GivenWindows)
    assert source.windows[None].data == struct.pack("6d", *WINDOW[0], *WINDOW[1])


@given(st.data())
@settings(max_examples=500, deadline=None)
def test_with_the_extension_any_body_is_answered_as_without_it(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 3))
    row = st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(), min_size=width, max_size=width)
    whole = json.dumps(REQUEST | {"features": data.draw(st.lists(row, min_size=1, max_size=4))}, ensure_ascii=False)
    for _ in range(data.draw(st.integers(0, 2))):
        begin = data.draw(st.integers(0, len(whole)))
        end = begin + data.draw(st.integers(0, 3))
        whole = whole[:begin] + data.draw(st.sampled_from(PIECES)) + whole[end:]
    pure, fast = both_ways(whole.encode())
    assert pure == fast


# Numbers in many spellings.
digits = st.text("0123456789", min_size=1, max_size=24)
numbers = st.builds(
    lambda sign, whole, part, power: f"{sign}{int(whole)}{part and '.' + part}{power}",
    st.sampled_from(["", "-"]),
    st.integers(0, 10**20).map(str) | digits,
    digits | st.just(""),
    st.sampled_from(["", "e0", "E+5", "e-7", "e-30", "e2", "e-300", "e290"]),
) | st.floats(allow_nan=False, allow_infinity=False).map(repr)


@given(st.lists(numbers, min_size=1, max_size=8), st.sampled_from(["", " ", "\n\t"]))
@settings(max_examples=500, deadline=None)
def test_the_extension_reads_numbers_to_the_bit(texts: list[str], blank: str) -> None:
    found = built().window(f'{{"features":[{blank}[{f"{blank},{blank}".join(texts)}{blank}]]}}'.encode())
    if found is not None:
        assert found[3] == struct.pack(f"{len(texts)}d", *map(float, texts))
    else:
        assert any(len(text.lstrip("-")) > 60 or abs(float(text)) in {0.0, float("inf")} for text in texts)
