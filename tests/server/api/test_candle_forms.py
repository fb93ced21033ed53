"""Candles as objects, columns and rows are the same candles, read by the extension or without it."""

from __future__ import annotations

import json
from typing import Any, Literal, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput, ServiceError
from core.inference.inputs import CandleWindows, GivenWindows
from server.api import candle_forms, decoding
from server.keeper import decoding as keeper
from tests.market import FIELDS
from tests.native_extension import built
from tests.server.api.candle_requests import Row, requests
from tests.server.api.spelled_times import spellings
from tests.server.questions import candles

Form: TypeAlias = Literal["objects", "columns", "rows"]
FORMS: tuple[Form, ...] = ("objects", "columns", "rows")
NAMES = [*FIELDS, "timestamp"]


@pytest.fixture(params=[False, True], ids=["pure", "extension"])
def extension(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candle_forms, "extension", built() if request.param else None)


def formed(request: Row, form: Form, names: list[str] = NAMES) -> Row:
    """The same request in another form."""
    rows = [{"volume": 0.0} | row for row in request["data"]]
    names = [name for name in names if name != "timestamp" or any(name in row for row in rows)]
    if form == "columns":
        return request | {"data": {name: [row.get(name) for row in rows] for name in names}}
    if form == "rows":
        return request | {"data": [[row.get(name) for name in names] for row in rows], "columns": names}
    return request


def path(form: Form, index: int, name: str, names: list[str] = NAMES) -> str:
    places = {
        "objects": f"data[{index}].{name}",
        "columns": f"data.{name}[{index}]",
        "rows": f"data[{index}][{names.index(name)}]",
    }
    return places[form]


def source(request: Row) -> CandleWindows:
    found = decoding.prediction(json.dumps(request).encode(), 0.0).source
    assert isinstance(found, CandleWindows)
    return found


def said(body: bytes) -> object:
    """What is decoded from a body, or the error."""
    try:
        found = decoding.prediction(body, 0.0, now=2e12)
    except ServiceError as error:
        return type(error), error.message, error.details
    if isinstance(found.source, GivenWindows):
        return found.source.window_key()
    assert isinstance(found.source, CandleWindows)
    series = found.source.candles
    places = [found.source._places.field(i, "low") for i in range(len(series))]  # noqa: SLF001 - as in errors
    times = None if series.times is None else list(series.times)
    return (
        (found.pair, found.timeframe, found.version, found.user),
        series.values.tobytes(),
        times,
        found.source.warnings,
        places,
    )


@pytest.mark.usefixtures("extension")
@given(requests(at_least=1), st.permutations(NAMES))
@settings(max_examples=40, deadline=None)
def test_all_forms_are_the_same_candles(request: Row, names: list[str]) -> None:
    expected = source(request)
    for form in FORMS:
        found = source(formed(request, form, names))
        np.testing.assert_array_equal(found.candles.values, expected.candles.values)
        assert found.candles.times == expected.candles.times
        assert [each.code for each in found.warnings] == [each.code for each in expected.warnings]
        assert found.window_key() == expected.window_key()


BAD: dict[str, tuple[object, ...]] = {
    **dict.fromkeys(FIELDS[:4], (None, "1.1", True, 0, -1.5, 10**400, [1.1], {})),
    "volume": (None, "1", False, -1, 1e301, 10**400),
    "timestamp": ("", "1760605200", "2025-13-01", "2025-10-16T09:00:00." + "0" * 40, 1e15, -1e300, True, [], {}),
}


@pytest.mark.usefixtures("extension")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", BAD)
@given(st.data())
@settings(max_examples=10, deadline=None)
def test_a_bad_value_is_refused_with_its_path(form: Form, name: str, data: st.DataObject) -> None:
    request = data.draw(requests(timed=True, at_least=2))
    at = data.draw(st.integers(0, len(request["data"]) - 1))
    request["data"][at][name] = data.draw(st.sampled_from(BAD[name]))
    refused(formed(request, form), path(form, at, name))


def refused(request: Row, *paths: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as raised:
        decoding.prediction(json.dumps(request).encode(), 0.0)
    assert [detail.path for detail in raised.value.details] == [*paths]
    return raised.value


@pytest.mark.usefixtures("extension")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("name", "bar"),
    [
        ("high", [1.0, 1.5, 0.5, 2.0]),
        ("high", [2.0, 1.5, 0.5, 1.0]),
        ("low", [1.0, 2.0, 1.5, 2.0]),
        ("low", [2.0, 2.0, 1.5, 1.0]),
    ],
)
def test_an_impossible_bar_is_refused_with_its_path(form: Form, name: str, bar: list[float]) -> None:
    request = candles(5)
    request["data"][3] |= dict(zip(FIELDS[:4], bar, strict=True))
    refused(formed(request, form), path(form, 3, name))


@pytest.mark.usefixtures("extension")
@pytest.mark.parametrize("form", FORMS)
@given(st.data())
@settings(max_examples=10, deadline=None)
def test_times_that_do_not_fit_each_other_are_refused_with_their_paths(form: Form, data: st.DataObject) -> None:
    request = data.draw(requests(timed=True, at_least=3))
    first, second = sorted(data.draw(st.permutations(range(len(request["data"]))))[:2])
    request["data"][second]["timestamp"] = data.draw(st.sampled_from(spellings(request["micros"][first])))
    error = refused(formed(request, form), path(form, second, "timestamp"))
    assert path(form, first, "timestamp") in error.message
    request["data"][second]["timestamp"] = None
    refused(formed(request, form), path(form, second, "timestamp"))


@pytest.mark.usefixtures("extension")
def test_mixed_time_zones_are_named_where_they_stand() -> None:
    request = candles(5)
    for i, row in enumerate(request["data"]):
        row["timestamp"] = f"2025-10-16T0{i}:00:00{'' if i == 3 else 'Z'}"
    for form in FORMS:
        (warning,) = source(formed(request, form)).warnings
        assert path(form, 3, "timestamp") in warning.message


GOOD: Row = formed({"pair": "EUR/USD", "data": [dict.fromkeys(FIELDS, 1.0)] * 4}, "columns", FIELDS)
MATRIX: Row = {"pair": "EUR/USD", "data": [[1.0] * 5] * 4, "columns": FIELDS}


@pytest.mark.usefixtures("extension")
@pytest.mark.parametrize(
    ("request_", "place"),
    [
        (GOOD | {"data": GOOD["data"] | {"close": [1.0] * 3}}, "data.close"),
        (GOOD | {"data": GOOD["data"] | {"volume": []}}, "data.volume"),
        (GOOD | {"data": GOOD["data"] | {"volume": None}}, "data.volume"),
        (GOOD | {"data": GOOD["data"] | {"timestamp": [1] * 5}}, "data.timestamp"),
        (GOOD | {"data": {name: GOOD["data"][name] for name in FIELDS[1:]}}, "data.open"),
        (GOOD | {"data": {name: [1.0] * 2001 for name in FIELDS}}, "data.open"),
        (GOOD | {"data": GOOD["data"] | {"high": "1.0"}}, "data.high"),
        (MATRIX | {"data": [[1.0] * 5] * 2001}, "data"),
        (MATRIX | {"data": [[1.0] * 5, [1.0] * 4]}, "data[1]"),
        (MATRIX | {"data": [[1.0] * 5, [1.0] * 6]}, "data[1]"),
        (MATRIX | {"data": [[1.0] * 5, {}]}, "data[1]"),
        (MATRIX | {"columns": FIELDS[:3]}, "columns"),
        (MATRIX | {"columns": None}, "columns"),
        (MATRIX | {"columns": "open"}, "columns"),
        (MATRIX | {"columns": [*FIELDS[:4], 5]}, "columns[4]"),
        (MATRIX | {"columns": [*FIELDS[:4], "open"]}, "columns[4]"),
        (MATRIX | {"pair": "EURUSD"}, "pair"),
        ({"pair": "EUR/USD", "data": MATRIX["data"]}, "data[0]"),
    ],
)
def test_a_bad_form_is_refused_with_its_path(request_: Row, place: str) -> None:
    refused(request_, place)


@pytest.mark.usefixtures("extension")
def test_what_has_no_meaning_is_ignored() -> None:
    expected = source(MATRIX).window_key()
    for request in (
        GOOD | {"data": GOOD["data"] | {"spread": [{}, "x"], "OPEN": None}},
        MATRIX | {"data": [[*row, "x", None] for row in MATRIX["data"]], "columns": [*FIELDS, "spread", "spread"]},
        GOOD | {"columns": 7},
        {"pair": "EUR/USD", "data": [dict.fromkeys(FIELDS, 1.0)] * 4, "columns": [None]},
    ):
        assert source(request).window_key() == expected


@pytest.mark.usefixtures("extension")
@pytest.mark.parametrize("form", FORMS)
def test_features_win_over_candles_which_are_still_checked(form: Form) -> None:
    request = formed(candles(5), form) | {"features": [[0.5]]}
    assert isinstance(decoding.prediction(json.dumps(request).encode(), 0.0).source, GivenWindows)
    broken = candles(5)
    broken["data"][2]["close"] = -1.0
    refused(formed(broken, form) | {"features": [[0.5]]}, path(form, 2, "close"))


@pytest.mark.usefixtures("extension")
@pytest.mark.parametrize("form", FORMS)
def test_every_body_with_candles_takes_the_form(form: Form) -> None:
    rows = [row | {"timestamp": 1_700_000_000 + 3600 * i} for i, row in enumerate(candles(30)["data"])]
    request = formed({"pair": "EUR/USD", "data": rows}, form)
    body = json.dumps(request).encode()
    values = source(request).candles.values.tobytes()
    (found,) = decoding.compared_windows(decoding.comparison(body), ["v3.0"]).values()
    assert isinstance(found, CandleWindows)
    explained, background = decoding.explanation(json.dumps(request | {"background": 3}).encode(), None, 0.0, 1.0, "")
    assert (background, explained.source.window_key()) == (3, found.window_key())
    assert keeper.evaluation(body).later.candles.values.tobytes() == found.candles.values.tobytes() == values
    (item,) = decoding.batch(json.dumps({"items": [request]}).encode())
    assert decoding.prediction(item, 0.0).source.window_key() == found.window_key()


@pytest.mark.usefixtures("extension")
def test_rows_may_stand_behind_many_blanks() -> None:
    body = json.dumps(MATRIX).encode()
    assert said(body.replace(b"[[", b"[" + b" \n" * 99 + b"[")) == said(body)


@pytest.mark.usefixtures("extension")
@pytest.mark.parametrize(
    ("price", "volume", "message"),
    [("1", "1e-308", "exponents of three digits"), (f"1.{'0' * 62}", "1", "numbers of hundreds of digits")],
)
@pytest.mark.parametrize("form", FORMS)
def test_too_many_slow_numbers_are_refused(form: Form, price: str, volume: str, message: str) -> None:
    rows = [dict.fromkeys(FIELDS[:4], 3) | {"volume": 7}] * 2000
    body = json.dumps(formed({"pair": "EUR/USD", "data": rows}, form)).replace("3", price).replace("7", volume)
    with pytest.raises(InvalidInput, match=message):
        decoding.prediction(body.encode(), 0.0)


def usual(form: Form) -> bytes:
    """A body as the backend writes it, compact."""
    rows = [
        row | {"timestamp": f"2025-10-{1 + i // 24:02}T{i % 24:02}:00:00Z"} for i, row in enumerate(candles(60)["data"])
    ]
    return json.dumps(formed({"pair": "EUR/USD", "data": rows}, form), separators=(",", ":")).encode()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("old", [b'00Z"', b'00.000Z"', b'00+00:00"', b'00"'])
def test_the_extension_reads_usual_bodies(form: Form, old: bytes) -> None:
    found = built().body(usual(form).replace(b'00Z"', old))
    assert found is not None
    assert found[2] == FORMS.index(form)
    assert found[4] is not None


# Pieces of JSON that are put into good bodies; most of them make it bad.
PIECES = [
    *'[]{},:" 0-.e1\\\n\x00',
    *("null", "00", "1.", "-0", "1E5", "1e400", "0.1e-5", "1.0000000000000002", "123456789012345678901234567890"),
    *('"data":[],', '"columns":["open"],', '"features":null,', "\\u0064ata", "é"),
    *("2025-02-29", "24:00", "T", "Z", "+00:00"),
]


@pytest.mark.parametrize("form", FORMS)
@given(st.data())
@settings(max_examples=200, deadline=None)
def test_with_the_extension_any_body_is_answered_as_without_it(form: Form, data: st.DataObject) -> None:
    whole = json.dumps(formed(data.draw(requests(at_least=1)), form), ensure_ascii=False)
    for _ in range(data.draw(st.integers(0, 2))):
        begin = data.draw(st.integers(0, len(whole)))
        end = begin + data.draw(st.integers(0, 3))
        whole = whole[:begin] + data.draw(st.sampled_from(PIECES)) + whole[end:]
    body = whole.encode()
    found: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        for extension in (None, built()):
            patch.setattr(candle_forms, "extension", extension)
            found.append(said(body))
    assert found[0] == found[1]


# Numbers in many spellings, within the limits of a volume.
digits = st.text("0123456789", min_size=1, max_size=24)
numbers = st.builds(
    lambda whole, part, power: f"{int(whole)}{part and '.' + part}{power}",
    st.integers(0, 999).map(str) | st.integers(0, 10**20).map(str) | digits,
    digits | st.just(""),
    st.sampled_from(["", "e0", "E+5", "e-7", "e-30", "e2", "e-300"]),
) | st.floats(0.0, 1e18).map(repr)


@given(st.lists(numbers, min_size=1, max_size=8), st.sampled_from(["", " ", "\n\t"]))
@settings(max_examples=200, deadline=None)
def test_the_extension_reads_numbers_to_the_bit(texts: list[str], blank: str) -> None:
    prices = ",".join(f'"{name}":[{",".join("1" * len(texts))}]' for name in FIELDS[:4])
    body = f'{{"data":{{{prices},"volume":{blank}[{f"{blank},{blank}".join(texts)}{blank}]}}}}'.encode()
    found, expected = built().body(body), np.array([float(text) for text in texts])
    if expected.max() > 1e18:
        assert found is None
    elif max(map(len, texts)) <= 64:
        assert found is not None
        np.testing.assert_array_equal(np.frombuffer(found[3]).reshape(5, -1)[4], expected)
