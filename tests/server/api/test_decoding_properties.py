"""Every request is decoded as it was sent, or refused with the only place that is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput, ServiceError
from core.features.candle_keys import candle_key_of_time
from core.inference.inputs import CandleWindows
from server.api import candle_forms, decoding
from server.api.schemas.predictions import PredictRequest
from server.http.errors import MalformedJson
from server.keeper import decoding as keeper
from tests.market import FIELDS
from tests.server.api.candle_requests import Row, requests, values
from tests.server.api.spelled_times import spellings

# Makes a good request bad at a candle, and returns the path that the error must name.
Plant = Callable[[Row, int, st.DataObject], str]


def decoded(request: Row) -> Any:  # noqa: ANN401 - a Question
    return decoding.prediction(json.dumps(request).encode(), 0.0)


@given(requests())
@settings(max_examples=150, deadline=None)
def test_candles_are_sorted_and_know_their_positions(request: Row) -> None:
    data, micros = request["data"], request["micros"]
    by_time = sorted(range(len(data)), key=(micros or range(len(data))).__getitem__)
    expected = [[data[i].get(field, 0.0) for field in FIELDS] for i in by_time]
    question = decoded(request)
    assert isinstance(question.source, CandleWindows)
    np.testing.assert_array_equal(question.source.candles.values.T, np.reshape(expected, (-1, 5)))
    assert question.timeframe == (request.get("timeframe") or "1h")
    assert question.user == (None if request.get("user_id") in (None, "") else str(request["user_id"]))
    if micros:
        assert question.source.candle_key() == candle_key_of_time(max(micros) / 1000)
    found = candle_forms.series(msgspec.convert(request, PredictRequest).data or [], "1h", None)
    assert list(found.order or range(len(data))) == by_time


def in_a_candle(name: str, **fields: object) -> Plant:
    """Set these fields in one candle. The error must name `name`."""

    def plant(request: Row, at: int, _: st.DataObject) -> str:
        request["data"][at] |= fields
        return f"data[{at}].{name}"

    return plant


def in_the_body(name: str, **fields: object) -> Plant:
    """Set these fields in the request. The error must name `name`."""

    def plant(request: Row, *_: object) -> str:
        request |= fields
        return name

    return plant


def absent_price(request: Row, at: int, draw: st.DataObject) -> str:
    name = draw.draw(st.sampled_from(FIELDS[:4]))
    del request["data"][at][name]
    return f"data[{at}].{name}"


def no_object(request: Row, at: int, draw: st.DataObject) -> str:
    request["data"][at] = draw.draw(st.sampled_from([None, 1, "1", [1.0] * 5]))
    return f"data[{at}]"


def instant_twice(request: Row, at: int, draw: st.DataObject) -> str:
    other = draw.draw(st.sampled_from([i for i in range(len(request["data"])) if i != at]))
    request["data"][at]["timestamp"] = draw.draw(st.sampled_from(spellings(request["micros"][other])))
    return f"data[{max(at, other)}].timestamp"  # the later one in the request


def some_instants_missing(request: Row, at: int, draw: st.DataObject) -> str:
    first = draw.draw(st.integers(0, at))
    without = {first, at} if len(request["data"]) > 2 else {at}
    for i in without:
        request["data"][i]["timestamp"] = None
    return f"data[{min(without)}].timestamp"


BAR = {*FIELDS, "timestamp"}
BAD: dict[str, tuple[object, ...]] = {
    **dict.fromkeys(FIELDS[:4], (None, "1.1", True, 0, -1.5, 10**400, [1.1], {})),
    "volume": (None, "1", False, -1, 1e301, 10**400),
    "timestamp": ("", "1760605200", "2025-13-01", "2025-10-16T09:00:00." + "0" * 40, 1e15, -1e300, True, [], {}),
    "pair": (None, 1, "", "EURUSD", "EUR/USD\n", "eur/usd", "EUR/USDT", "ÉUR/USD"),
    "timeframe": ("1H", "7x", "", "1h ", 1, []),
    **dict.fromkeys(["user_id", "userId"], ("x" * 257, "用" * 257, 10**256, 1.5, True, [], {})),
    "version": ("v" * 65, 3, []),
    "features_scaled": (None, "yes", 1),
}


@pytest.mark.parametrize(
    "plant",
    [
        *(
            pytest.param((in_a_candle if name in BAR else in_the_body)(name, **{name: bad}), id=f"{name} {bad!r:.30}")
            for name, all_bad in BAD.items()
            for bad in all_bad
        ),
        pytest.param(in_a_candle("high", open=1.0, high=1.5, low=0.5, close=2.0), id="high below close"),
        pytest.param(in_a_candle("high", open=2.0, high=1.5, low=0.5, close=1.0), id="high below open"),
        pytest.param(in_a_candle("high", open=1.0, high=0.5, low=0.75, close=1.0), id="high below low"),
        pytest.param(in_a_candle("low", open=1.0, high=2.0, low=1.5, close=2.0), id="low above open"),
        pytest.param(in_a_candle("low", open=2.0, high=2.0, low=1.5, close=1.0), id="low above close"),
        absent_price,
        no_object,
        instant_twice,
        some_instants_missing,
        pytest.param(in_the_body("userId", user_id="a", userId="b"), id="two users"),
        pytest.param(in_the_body("userId", user_id="1", userId=2), id="a user and a number"),
    ],
)
@given(st.data())
@settings(max_examples=8, deadline=None)
def test_a_single_fault_is_refused_with_its_path_only(plant: Plant, data: st.DataObject) -> None:
    request = data.draw(requests(timed=True, at_least=2))
    path = plant(request, data.draw(st.integers(0, len(request["data"]) - 1)), data)
    with pytest.raises(InvalidInput) as raised:
        decoded(request)
    assert [detail.path for detail in raised.value.details] == [path]


@pytest.mark.parametrize(
    ("text", "offset"),
    [("NaN", 0), ("Infinity", 0), ("-Infinity", 0), ("undefined", 0), ("01", 1), ("[1,]", 3), ("{1:2}", 1)],
)
@given(requests(at_least=1), st.data())
@settings(max_examples=20, deadline=None)
def test_malformed_json_is_refused_with_its_byte(text: str, offset: int, request: Row, data: st.DataObject) -> None:
    row = data.draw(st.sampled_from([request, *request["data"]]))
    row[data.draw(st.sampled_from([*row, "new"]))] = "@ here @"
    whole = json.dumps(request, ensure_ascii=data.draw(st.booleans()))
    before, after = whole.split('"@ here @"')
    with pytest.raises(MalformedJson, match=rf"\(byte {len(before.encode()) + offset}\)"):
        decoding.prediction((before + text + after).encode(), 0.0)


def is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=lambda _: json.loads("not JSON"))
    except json.JSONDecodeError:
        return False
    return True


@given(requests(), st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_body_is_malformed_if_pythons_decoder_says_so(request: Row, data: st.DataObject) -> None:
    whole = json.dumps(request, ensure_ascii=False)
    begin = data.draw(st.integers(0, len(whole)))
    end = begin + data.draw(st.integers(0, 2))
    whole = whole[:begin] + data.draw(st.text('[]{},:" 0-.e1\\\n\x00', max_size=2)) + whole[end:]
    refusal = None
    try:
        decoding.prediction(whole.encode(), 0.0)
    except ServiceError as error:
        refusal = error
    assert isinstance(refusal, MalformedJson) != is_json(whole), refusal
    if isinstance(refusal, MalformedJson):
        place = re.search(r"\(byte (\d+)\)", refusal.message)
        assert place is not None
        assert int(place[1]) <= len(whole.encode())


CANDLES = {"pair": "EUR/USD", "timeframe": "1h", "data": [dict.fromkeys(FIELDS, 1.0) | {"timestamp": 5}]}
FEATURES = {"features": {"v3.0": [[0.1]], "v3.1": {"stage1": [[0.1]], "stage2": [[0.1]]}}, "features_scaled": True}
EXPERIMENT = {"experiment_id": "e", "name": "n", "variant_a": "v3.0", "variant_b": "v3.0", "traffic_split": 0.5}
OUTCOME = {"prediction_id": "p", "outcome": "win", "pnl_pips": 1, "closed_at": 5}
GUARDS = {"max_hold_rate": 0.5, "min_hold_rate": 0.4}
ASKED = {"user_id": "u", "userId": "u", "version": "v3.0", "versions": ["v3.0"]}
RULE = {"horizon": 1, "min_profit_pips": 1, "max_loss_pips": 1, "min_ratio": 1}
ODD = ["v" * 65, "v9", "1h", "", 0, 0.9, -1, 1e301, 10**400, None, [], {}, [[0.1]], {"v" * 65: 1}, {"stage1": [["x"]]}]


def places(value: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401 - JSON
    """Every place within a value: its holder, and its key or index there."""
    if not isinstance(value, dict | list):
        return []
    keys = list(value) if isinstance(value, dict) else range(len(value))
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


def compare(body: bytes) -> None:
    for found in decoding.compared_windows(decoding.comparison(body), ["v3.0", "v3.1"]).values():
        if isinstance(found, InvalidInput):
            raise found


def outcomes(body: bytes) -> None:
    for raw in keeper.outcomes(body):
        with suppress(InvalidInput):
            keeper.outcome(raw)
        keeper.prediction_id(raw)


@pytest.mark.parametrize(
    ("decode", "good"),
    [
        (lambda body: decoding.prediction(body, 0.0), CANDLES | ASKED),
        (compare, CANDLES | ASKED),
        (compare, CANDLES | FEATURES),
        (decoding.batch, {"items": [1]}),
        (lambda body: keeper.experiment(body, ["v3.0"], 0), EXPERIMENT | {"mode": "split", "guardrails": GUARDS}),
        (outcomes, {"outcomes": [OUTCOME]}),
        (keeper.evaluation, CANDLES | RULE),
    ],
    ids=["predict", "compare", "compare features", "batch", "experiment", "outcomes", "evaluate"],
)
@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_body_with_any_value_in_one_place_is_decoded_or_refused_with_a_known_field(
    decode: Callable[[bytes], object], good: Row, data: st.DataObject
) -> None:
    body = json.loads(json.dumps(good))
    holder, key = data.draw(st.sampled_from(places(body)))
    holder[key] = data.draw(st.sampled_from(ODD) | values)
    try:
        decode(json.dumps(body).encode())
    except ServiceError as error:  # anything else fails the test
        (detail,) = error.details
        assert re.split(r"[.\[]", detail.path)[0] in good, detail
