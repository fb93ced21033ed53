"""Every complaint of a decoder is one that a client understands: in JSON's words, with the value and the keys sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta

from core.errors import InvalidInput, ServiceError
from server.api.decoding import prediction
from server.api.endpoints import ENDPOINTS
from server.api.schemas.experiments import CreateExperiment, ReportedOutcome
from server.api.schemas.predictions import MAX_BATCH, StageFeatures
from server.http.bodies import explaining, sizes
from server.http.bodies.json_decoding import decode

CANDLE = {"open": 1.1, "high": 1.2, "low": 1.0, "close": 1.1, "volume": 1.0, "timestamp": "2025-10-16T09:00:00Z"}
REQUEST = {
    "pair": "EUR/USD",
    "timeframe": "1h",
    "data": [CANDLE],
    "timestamps": "open",
    "features_scaled": True,
    "user_id": "a",
}
LIMITS = {"max_error_rate": 0.1, "max_p99_ms": 5, "max_hold_rate": 0.9}
GOOD: dict[str, dict[str, Any]] = {
    "PredictRequest": REQUEST | {"features": [[0.5]], "version": "v3.0"},
    "ExplainRequest": REQUEST | {"features": [[0.5]], "version": "v3.0", "background": 2},
    "CompareRequest": REQUEST | {"features": {"v3.0": [[0.5]]}, "versions": ["v3.0"]},
    "BatchRequest": {"items": [{}]},
    "CreateExperiment": {
        "experiment_id": "e",
        "name": "n",
        "description": "d",
        "owner": "o",
        "variant_a": "v3.0",
        "variant_b": "v3.1",
        "traffic_split": 0.5,
        "mode": "split",
        "metric": "win_rate",
        "minimum_effect": 0.1,
        "guardrails": LIMITS,
        "stop_at": "2099-10-16T09:00:00Z",
    },
    "SignIn": {"token": "t"},
    "PlanExperiment": {
        "mode": "shadow",
        "metric": "win_rate",
        "baseline": 0.5,
        "effect": 0.06,
        "sd_pips": 30,
        "timeframe": "1h",
        "pairs": 2,
        "predictions_per_day": 48,
        "trade_share": 0.5,
        "users": 100,
        "traffic_split": 0.5,
        "user_sd": 0.05,
        "days": 30,
    },
    "AddNote": {"text": "t"},
    "InferBody": {
        "id": "i",
        "parameters": {
            "pair": "EUR/USD",
            "timeframe": "1h",
            "timestamps": "open",
            "candle_time": 1,
            "user_id": "a",
            "timeout": 1,
            "binary_data_output": True,
        },
        "inputs": [{"name": "features", "datatype": "FP32", "shape": [1, 1, 1], "parameters": {"binary_data_size": 4}}],
        "outputs": [{"name": "signal", "parameters": {"binary_data": True}}],
    },
    "RepositoryIndex": {"ready": True},
    "RepositoryChange": {"parameters": {"version": "v3.0"}},
    "ReportOutcomes": {"outcomes": [{}]},
    "ReportedOutcome": {"prediction_id": "p", "outcome": "win", "pnl_pips": 1.0, "closed_at": 1},
    "Evaluate": {"pair": "EUR/USD", "data": [CANDLE], "horizon": 2, "min_profit_pips": 1, "min_ratio": 1.5},
    "StageFeatures": {"stage1": [[0.5]], "stage2": [[0.5]]},
}
KINDS: list[type[msgspec.Struct]] = [
    *dict.fromkeys(each.request for each in ENDPOINTS if each.request is not None),
    *(ReportedOutcome, StageFeatures),
]
DECODERS: dict[str, msgspec.json.Decoder[Any]] = {kind.__name__: msgspec.json.Decoder(kind) for kind in KINDS}
ODD: list[Any] = [
    *(None, True, 1, 1.5, -1, 0, 1e300, "", "x", "Open", "x" * 3_000, [], [1], [None], {}, {"open": 1}),
    *([{}] * (MAX_BATCH + 1), ["v"] * 300, {f"v{i}": 1 for i in range(300)}, {"v" * 65: 1}, [CANDLE] * 2_001),
]
# Texts that json.dumps does not write.
NUMBERS = ("1e400", "-" + "9" * 400)
# What a message of ours begins with.
OURS = re.compile(
    r"(the (body|item) )?(must (be|have) |is a JSON string)|missing; (found|expected) |there is no such field|each key "
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - JSON
    """Every place within a value: its holder, and its key or index there."""
    keys: Any = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from places(value[key])


def bad_bodies(good: dict[str, Any]) -> Iterator[bytes]:
    """A good body with one thing in it that is odd, and the odd things alone."""
    text = json.dumps(good)
    for index, _ in enumerate(places(good)):
        for odd in (*ODD, *NUMBERS):
            body = json.loads(text)
            holder, key = list(places(body))[index]
            holder[key] = "@" if odd in NUMBERS else odd
            yield json.dumps(body).replace('"@"', odd if odd in NUMBERS else '"@"').encode()
        body = json.loads(text)
        holder, key = list(places(body))[index]
        value = holder.pop(key)
        yield json.dumps(body).encode()
        if isinstance(holder, dict):
            holder[key.upper()] = value
            yield json.dumps(body).encode()
    yield from (json.dumps(odd).encode() for odd in ODD)


def complaint(decoder: msgspec.json.Decoder[Any], body: bytes) -> str | None:
    try:
        decoder.decode(body)
    except msgspec.ValidationError as error:
        return str(error)
    return None


def refused(decoder: msgspec.json.Decoder[Any], body: bytes | msgspec.Raw, prefix: str = "") -> tuple[str, str]:
    with pytest.raises(InvalidInput) as raised:
        decode(decoder, body, prefix)
    (detail,) = raised.value.details
    assert raised.value.message == (f"{detail.path}: {detail.message}" if detail.path else detail.message)
    return detail.path, detail.message


@pytest.mark.parametrize("name", DECODERS)
def test_no_error_of_a_body_has_the_decoders_words(name: str) -> None:
    count = 0
    assert name in GOOD, "a type of bodies needs a good example in GOOD"
    for body in bad_bodies(GOOD[name]):
        told = complaint(DECODERS[name], body)
        if told is None or (len(body) > sizes.UNCOUNTED and body.count(b",") > sizes.VALUES):
            continue
        path, message = refused(DECODERS[name], body)
        assert OURS.match(message), (message, told)
        assert "`" not in message
        assert not re.search(r"\b(float|int|str|bool|None|regex)\b", message), message
        place = re.search(r"`\$\.?([^`]*)`\Z", told)
        assert path.startswith("" if place is None else place[1])
        assert len(message) < 600
        count += 1
    assert count > len(ODD)


def test_every_form_of_message_occurs() -> None:
    told = [complaint(DECODERS[name], body) for name in DECODERS for body in bad_bodies(GOOD[name])]
    texts = {explaining._PLACE.sub("", text) for text in told if text is not None}  # noqa: SLF001
    forms = {form.pattern for form, _ in explaining._FORMS if any(map(form.match, texts))}  # noqa: SLF001
    # Our schemas have no tuples and no multiples.
    absent = {form.pattern for form, _ in explaining._FORMS} - forms  # noqa: SLF001
    assert {re.split(r"[^\w ]", form.replace("`", ""))[0] for form in absent} == {"Expected array of ", "Expected "}
    assert len(absent) == 2
    assert [text for text in texts if not any(form.match(text) for form, _ in explaining._FORMS)] == []  # noqa: SLF001


class Planted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Types that no schema of ours has."""

    three: tuple[int, int, int] = (0, 0, 0)
    even: Annotated[int, Meta(multiple_of=2)] = 0
    below: Annotated[float, Meta(gt=1, lt=2)] = 1.5
    many: Annotated[list[int], Meta(min_length=2)] | None = None
    word: Annotated[str, Meta(pattern=r"\A[a-z]+\Z")] = "a"
    short: Annotated[str, Meta(min_length=2, max_length=3)] = "ab"
    kind: Literal["open", "close"] | None = None
    code: Literal[1, 2] = 1
    wide: int | float | None = None
    when: Annotated[str, Meta(max_length=3)] | int | None = None
    keys: dict[str, float] | None = None


PLANTED = msgspec.json.Decoder(Planted)


@pytest.mark.parametrize(
    ("body", "path", "words"),
    [
        ({"three": [1, 2]}, "three", ["must have 3 values, has 2"]),
        ({"even": 3}, "even", ["multiple of 2", "not 3"]),
        ({"below": 2}, "below", ["above 1 and below 2", "not 2"]),
        ({"many": [1]}, "many", ["at least 2 items", "has 1"]),
        ({"word": "A"}, "word", ["^[a-z]+$", 'not "A"']),
        ({"short": "a"}, "short", ["2 to 3 characters", "has 1"]),
        ({"kind": "Open"}, "kind", ["one of open, close", 'not "Open"']),
        ({"kind": 1}, "kind", ["one of open, close", "not a number"]),
        ({"code": 3}, "code", ["one of 1, 2"]),
        ({"wide": "1"}, "wide", ["a number or null", "not a string"]),
        ({"when": True}, "when", ["a string, an integer or null", "not a boolean"]),
        ({"when": 1.5}, "when", ["not 1.5"]),
        ({"when": [1]}, "when", ["not an array"]),
        ({"keys": {"a": None}}, "keys[...]", ["must be a number, not null"]),
        ({"worf": "a"}, "worf", ["did you mean word"]),
        ({"evil`\n - at `$.x": 1}, '"evil`\\n - at `$.x"', ["known are three, even"]),
        ([], "", ["the body must be an object", "not an array"]),
        ("{}", "", ["JSON.stringify(request) once"]),
    ],
)
def test_a_message_has_what_is_wanted_and_what_was_sent(body: object, path: str, words: list[str]) -> None:
    place, message = refused(PLANTED, json.dumps(body).encode())
    assert place == path
    assert all(word in message for word in words), message
    assert "`" not in message


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (["Open"], ["found Open,"]),
        (["OPEN", "open_price", "x"], ["found OPEN,"]),
        (["opne"], ["found opne,"]),
        (["o", "h", "l", "c"], ["found o, h, l, c,"]),
        (["high", "low"], ["found high, low,"]),
        ([], ["found no keys,"]),
        (["a b", 'q"`\n', "\u202e", "é"], ['"a b"', r'"q\"`\n"', r'"\u202e"', '"é"']),
        (["k" * 100], [f'"{"k" * 40}…"']),
        ([f"k{i}" for i in range(1_000)], ["k0, k1", "and 992 more"]),
    ],
)
def test_a_missing_key_is_told_with_the_keys_that_are_there(keys: list[str], words: list[str]) -> None:
    body = json.dumps({"pair": "EUR/USD", "data": [dict.fromkeys(keys, 1)]}).encode()
    path, message = refused(DECODERS["PredictRequest"], body)
    assert path == "data[0].open"
    assert message.startswith("missing; found ")
    assert message.endswith(", expected open")
    assert all(word in message for word in words), message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("InferBody", {"inputs": [{"name": 1, "datatype": "FP64", "shape": [1]}]}, "a string,"),
        ("InferBody", {"inputs": [], "outputs": [{"name": None}]}, "a string,"),
        ("CreateExperiment", {"name": 1}, "one line of 1 to 200 characters"),
    ],
)
def test_a_form_is_told_only_where_it_is_required(kind: str, body: dict[str, Any], words: str) -> None:
    _, message = refused(DECODERS[kind], json.dumps(body).encode())
    assert message.startswith(f"must be {words}"), message


def test_a_field_that_has_a_meaning_is_no_misspelt_one() -> None:
    body = {"experiment_id": "e", "name": "n", "variant_b": "v3.0"}
    _, message = refused(DECODERS["CreateExperiment"], json.dumps(body).encode())
    assert "found experiment_id, name, variant_b," in message


@pytest.mark.parametrize(
    ("body", "absent"),
    [
        (b'{"pair": "EURUSD", "pair": "EUR/USD"}', "not "),
        (b'{"pair": "EUR/USD", "timeframe": "H1", "timeframe": "1h"}', "not "),
        (b'{"pair": "EUR/USD", "data": [{"open": 0, "open": 1}]}', "not "),
        (b'{"pair": "EUR/USD", "user_id": "%s", "user_id": "a"}' % (b"x" * 300), "has "),
        (b'{"pair": "EUR/USD", "data": [{}], "data": [{"open": 1}]}', "found "),
    ],
)
def test_the_last_value_of_a_key_that_is_given_twice_is_not_blamed(body: bytes, absent: str) -> None:
    assert absent not in refused(DECODERS["PredictRequest"], body)[1]


def test_a_part_of_a_body_is_not_called_the_body() -> None:
    decoder = DECODERS["PredictRequest"]
    assert refused(decoder, msgspec.Raw(b"[]"))[1].startswith("the item must be an object")
    assert refused(DECODERS["StageFeatures"], msgspec.Raw(b"[]"), "features.v3.0") == (
        "features.v3.0",
        "must be an object with stage1, not an array",
    )


def test_a_complaint_of_an_unknown_form_stays_as_it_is() -> None:
    error = explaining.refusal("Expected a miracle - at `$.pair`", Planted, b"{}", "")
    assert [tuple(detail) for detail in error.details] == [("pair", "Expected a miracle")]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(sorted(DECODERS)), json_values | st.fixed_dictionaries({"pair": json_values, "data": json_values})
)
@settings(max_examples=300, deadline=None)
def test_explaining_never_fails(name: str, value: object) -> None:
    body = json.dumps(value).encode()
    if complaint(DECODERS[name], body) is not None:
        with pytest.raises(ServiceError) as raised:
            decode(DECODERS[name], body)
        assert "Expected `" not in raised.value.message


@pytest.mark.parametrize("text", ["H1 - at `$.pair", " - at `$" + ".a" * 20_000, " - at `$" + "[0]" * 20_000])
def test_a_value_that_looks_like_a_place_is_a_value(text: str) -> None:
    body = msgspec.json.encode({"pair": "EUR/USD", "timeframe": text})
    with pytest.raises(InvalidInput) as raised:
        prediction(body, 0.0)
    ((path, message),) = raised.value.details
    assert path == "timeframe"
    assert "1min" in message
    assert len(message) < 200


@pytest.mark.parametrize("key", ["", "a\nfake line", "k" * 60_000, "\x1b[31m"])
def test_an_unknown_key_is_quoted_and_bounded(key: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        decode(msgspec.json.Decoder(CreateExperiment), msgspec.json.encode({key: 1}))
    ((path, _),) = raised.value.details
    assert path.startswith('"')
    assert len(raised.value.message) < 400
    assert raised.value.message.isprintable()


def test_a_large_body_is_not_read_again_for_its_error() -> None:
    found = []
    for blanks in (0, sizes.READ_AGAIN):
        with pytest.raises(InvalidInput) as raised:
            prediction(b'{"pair":"EUR/USD","data":[{"Open":1}]' + b" " * blanks + b"}", 0.0)
        found.append(raised.value.details[0])
    assert [detail.path for detail in found] == ["data[0].open"] * 2
    assert ["found Open" in detail.message for detail in found] == [True, False]
