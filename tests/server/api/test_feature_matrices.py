"""A matrix of features is the same one, read by the extension or without it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput, ServiceError
from core.inference.inputs import GivenWindows
from server.api import candle_forms, decoding
from server.keeper import decoding as keeper
from tests.native_extension import built

# Pieces of JSON that are put into good bodies; most of them make it bad.
PIECES = [
    *'[]{},:" 0-.e1\\\n\x00',
    *("null", "00", "1.", "-0", "-0.0", "--1", "1E5", "1e400", "-1e-400", "12345678901234567890123", "true"),
    *('"data":[],', '"data":null,', '"features":null,', '"features":[[1]],', '{"stage1":[[1]]}', "é"),
]

numbers = st.builds(
    lambda sign, whole, part, power: f"{sign}{whole}{part and '.' + part}{power}",
    st.sampled_from(["", "-"]),
    st.integers(0, 999).map(str) | st.integers(0, 10**24).map(str),
    st.text("0123456789", max_size=24),
    st.sampled_from(["", "", "e0", "E+5", "e-7", "e-30", "e300", "e-320"]),
) | st.floats(allow_nan=False, allow_infinity=False).map(repr)


def said(body: bytes) -> object:
    """What is decoded from a body, or the error."""
    try:
        found = decoding.prediction(body, 0.0)
    except ServiceError as error:
        return type(error), error.message, error.details
    source = found.source
    if not isinstance(source, GivenWindows):
        return type(source)
    windows = {stage: (packed.data, packed.lengths) for stage, packed in source.windows.items()}
    return (found.pair, found.timeframe, found.version, found.user), windows, source.scaled, source.opens, source.kind


def both(body: bytes) -> list[Any]:
    found: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        for extension in (None, built()):
            patch.setattr(candle_forms, "extension", extension)
            found.append(said(body))
    return found


def test_the_extension_reads_usual_bodies() -> None:
    matrix = [[-1.25, 0, 3e-5], [7, -8.125, 1e5]]
    body = json.dumps({"pair": "EUR/USD", "features": matrix, "user_id": "a"}).encode()
    found = built().body(body)
    assert found is not None
    start, stop, form, values, rows = found
    assert json.loads(body[start:stop]) == matrix
    assert (form, rows) == (3, 2)
    assert np.frombuffer(values).reshape(2, 3).tolist() == matrix
    assert both(body)[0] == both(body)[1]


@given(st.lists(st.lists(numbers, min_size=2, max_size=2), min_size=1, max_size=6), st.sampled_from(["", " ", "\n\t"]))
@settings(max_examples=300, deadline=None)
def test_the_extension_reads_numbers_to_the_bit(rows: list[list[str]], blank: str) -> None:
    comma = f"{blank},{blank}"
    matrix = f"[{blank}{comma.join(f'[{blank}{comma.join(row)}{blank}]' for row in rows)}{blank}]"
    pure, fast = both(f'{{"pair":"EUR/USD","features":{blank}{matrix}}}'.encode())
    assert pure == fast


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_with_the_extension_any_body_is_answered_as_without_it(data: st.DataObject) -> None:
    matrix = data.draw(st.lists(st.lists(st.integers(-9, 9) | st.floats(-5, 5), max_size=3), max_size=4))
    request = {"pair": "EUR/USD", "features": matrix, "candle_time": "2025-10-16T09:00:00Z", "features_scaled": False}
    whole = json.dumps(request, ensure_ascii=False)
    for _ in range(data.draw(st.integers(0, 2))):
        begin = data.draw(st.integers(0, len(whole)))
        end = begin + data.draw(st.integers(0, 3))
        whole = whole[:begin] + data.draw(st.sampled_from(PIECES)) + whole[end:]
    pure, fast = both(whole.encode())
    assert pure == fast


@pytest.mark.parametrize(
    "body", ['{"features":[[1', '{"features":[[1,2],[3]]}', '{"features":[[-0]]}', '{"features":[]}']
)
def test_it_gives_up_where_the_pure_way_must_decide(body: str) -> None:
    assert built().body(body.encode()) is None


@pytest.mark.parametrize("more", ['"data":[]', '"features":[[2]]'])
def test_it_gives_up_at_a_second_input(more: str) -> None:
    for pieces in (('"features":[[1]]', more), (more, '"features":[[1]]')):
        assert built().body(f"{{{','.join(pieces)}}}".encode()) is None


def test_a_request_without_such_a_field_ignores_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps({"pair": "EUR/USD", "features": [[1.5, -2]]}).encode()
    for extension in (None, built()):
        monkeypatch.setattr(candle_forms, "extension", extension)
        with pytest.raises(InvalidInput, match="data"):
            keeper.evaluation(body)


def test_comparisons_take_the_matrix_for_all_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps({"pair": "EUR/USD", "features": [[1.5, -2]], "versions": ["v3.0"]}).encode()
    found = []
    for extension in (None, built()):
        monkeypatch.setattr(candle_forms, "extension", extension)
        (source,) = decoding.compared_windows(decoding.comparison(body), ["v3.0"]).values()
        assert isinstance(source, GivenWindows)
        found.append((source.window_key(), source.windows[None].lengths))
    assert found[0] == found[1]
