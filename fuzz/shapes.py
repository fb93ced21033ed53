"""Bodies of absurd shapes, valid and not, of any size. A few bytes are repeated; a seed always gives the same body."""

from __future__ import annotations

import gzip
import random
import zlib
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np

from server.api.endpoints import ENDPOINTS
from server.api.schemas.open_inference import MODEL

Make: TypeAlias = Callable[[random.Random, int], bytes]

_BATCH = "/reversal/predict/batch"
_HEAD = b'"pair":"EUR/USD"'
_CANDLE = b'{"open":1.1,"high":1.2,"low":1.0,"close":1.1,"volume":7}'
_TIMED = b'{"open":1.1,"high":1.2,"low":1.0,"close":1.1,"timestamp":"2025-10-16T09:00:00Z"}'
_ROW = b"[" + b",".join([b"0.12345678901234567"] * 12) + b"]"
_ITEM = b"{" + _HEAD + b',"version":"v3.0","features":[' + b",".join([_ROW] * 20) + b"]}"
_OUTCOME = b'{"prediction_id":"0199ec3c-00ab-7000-8000-000000000000","outcome":"win","pnl_pips":12.5}'
_DIFFERENT = 50_000
_DEEP = 400  # the deepest nesting that is decoded; deeper bodies are refused


def _many(*ones: bytes, left: bytes = b"[", right: bytes = b"]") -> Make:
    """A list or an object in which one of these is repeated."""

    def make(draw: random.Random, size: int) -> bytes:
        one = draw.choice(ones) + b","
        return left + (one * max(1, size // len(one)))[:-1] + right

    return make


def _long(*ones: bytes, left: bytes = b'"', right: bytes = b'"') -> Make:
    """One of these, repeated with nothing between."""

    def make(draw: random.Random, size: int) -> bytes:
        one = draw.choice(ones)
        return left + one * max(1, size // len(one)) + right

    return make


@cache
def _names() -> bytes:
    return b",".join(b'"name%d":[[1]]' % i for i in range(_DIFFERENT)) + b","


def _different(_: random.Random, size: int) -> bytes:
    names = _names()
    return b"{" + names * (size // len(names)) + names[: names.rfind(b",", 0, max(size % len(names), 20))] + b"}"


def _nested(draw: random.Random, size: int) -> bytes:
    opening, closing = draw.choice([(b"[", b"]"), (b'{"a":', b"}")])
    depth = size // len(opening + closing)
    return opening * depth + b"1" + closing * draw.choice([depth, 0])


# Values for any place in a body. Each function takes the approximate number of bytes.
VALUES: dict[str, Make] = {
    "empty lists": _many(b"[]"),
    "lists of one": _many(b"[1]", b"[[1]]"),
    "rows": _many(_ROW),
    "ones": _many(b"1", b"0.5", b"null", b"true"),
    "a row of ones": _many(b"1", b"0.5", left=b"[[", right=b"]]"),
    "a row of digits": _many(b"0.12345678901234567", b"-2.220446049250313e-16", left=b"[[", right=b"]]"),
    "extreme numbers": _many(b"1e308", b"5e-324", b"17976931348623157E+292", b"1e-0310", left=b"[[", right=b"]]"),
    "long extremes": _many(
        b"0." + b"0" * 310 + b"1", b"1." + b"7" * 300 + b"e-300", b"9" * 210 + b"e98", left=b"[[", right=b"]]"
    ),
    "texts": _many(b'""', b'"v3.0"', '"用户"'.encode(), b'"\\u00e9"'),
    "empty objects": _many(b"{}"),
    "candles": _many(_CANDLE),
    "extreme candles": _many(b'{"open":1e308,"high":1e308,"low":1e308,"close":1e308,"volume":5e-324}'),
    "timed candles": _many(_TIMED),
    "items": _many(_ITEM),
    "large items": _many(_ITEM[:-1] + b',"note":"' + b"x" * (1 << 20) + b'"}'),
    "outcomes": _many(_OUTCOME),
    "bad outcomes": _many(_OUTCOME.replace(b"win", b"draw")),
    "digits": _long(b"1", b"9", left=b"", right=b""),
    "decimals": _long(b"1", left=b"0.", right=b""),
    "a text": _long(b"a", b",", b"[", b"1e308"),
    "a text of escapes": _long(b"\\u00e9", b"\\n", b"\\ud83d\\ude00"),
    "a text of other letters": _long("é".encode(), "用".encode(), "😀".encode()),
    "one other letter": _long(b"a", left='"😀'.encode()),
    "nesting": _nested,
    "lists that are nested": _many(b"[" * _DEEP + b"]" * _DEEP),
    "one field again and again": _many(b'"a":1', b'"":[]', b'"stage1":[[1]]', b'"items":[1]', left=b"{", right=b"}"),
    "different fields": _different,
    "blanks": _long(b" ", b"\n", left=b"", right=b"1"),
    "blanks between": _many(b"1" + b" " * 1000, b"[" + b"\n" * 50_000 + b"]"),
}

_PREDICT = [
    b"{" + _HEAD + b',"features":%b}',
    b"{" + _HEAD + b',"features":{"stage1":%b}}',
    b"{" + _HEAD + b',"data":%b}',
    b"{" + _HEAD + b',"user_id":%b}',
    b"{" + _HEAD + b',"data":[{"open":%b}]}',
]
_COMPARE = [
    *_PREDICT,
    b"{" + _HEAD + b',"versions":%b}',
    b"{" + _HEAD + b',"features":{"v3.0":%b}}',
    b"{" + _HEAD + b',"features":{"v3.0":{"stage1":%b},"v3.1":[[1]]}}',
]
_INPUT = b'"name":"features","datatype":"FP32","shape":'
_INFER = [
    b'{"inputs":%b}',
    b'{"inputs":[{' + _INPUT + b'[1,20,12],"data":%b}]}',
    b'{"inputs":[{' + _INPUT + b"%b}]}",
    b'{"outputs":%b,"inputs":[]}',
    b'{"parameters":%b,"inputs":[]}',
    b'{"id":%b,"inputs":[]}',
]
_ANYWHERE = [b"%b", b'{"x":%b}', b"[%b]"]
# By path: the places in a body into which a value is put. Endpoints without a body are left out.
PLACES: dict[str, list[bytes]] = {
    each.path.format_map(defaultdict(lambda: "none", id="v30_vs_v31", model=MODEL, version="v3.0")): []
    for each in ENDPOINTS
    if each.request is not None
} | {
    "/reversal/predict": _PREDICT,
    "/predict": _PREDICT,
    "/reversal/predict_raw": _PREDICT,
    "/reversal/explain": [*_PREDICT, b"{" + _HEAD + b',"background":%b}'],
    "/reversal/compare": _COMPARE,
    "/reversal/compare_raw": _COMPARE,
    _BATCH: [
        b'{"items":%b}',
        b'{"items":[%b]}',
        b'{"x":%b,"items":[]}',
        b'{"items":[],"items":%b}',
        *(b'{"items":[' + place + b"]}" for place in _PREDICT),
    ],
    "/reversal/experiments": [b'{"experiment_id":"e","name":%b}', b'{"experiment_id":"e","guardrails":%b}'],
    "/reversal/experiments/v30_vs_v31/evaluate": [
        b"{" + _HEAD + b',"data":%b}',
        b"{" + _HEAD + b',"horizon":%b}',
        b"{" + _HEAD + b',"min_profit_atr":%b}',
        b"{" + _HEAD + b',"replace":%b}',
    ],
    "/reversal/outcomes": [b'{"outcomes":%b}', b'{"outcomes":[%b]}', b'{"x":%b,"outcomes":[]}'],
    f"/v2/models/{MODEL}/infer": _INFER,
    f"/v2/models/{MODEL}/versions/v3.0/infer": _INFER,
    "/reversal/models/v9/load": [],
    "/reversal/experiments/none/activate": [],
}
_METHODS = ["POST"] * 19 + ["GET"]


class Sent(NamedTuple):
    """A request. kind: the shape of its body. size: of the decompressed body, in bytes."""

    kind: str
    path: str
    size: int
    message: bytes


def sent(seed: str, least: int, most: int) -> Sent:
    """A request with a body of `least` to `most` bytes, approximately. A seed always gives the same request."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    path = draw.choice([*PLACES, *([_BATCH] * 3)])  # only batches take more than 4 MiB
    kind = draw.choice([*VALUES, "a name", "a bomb"])
    size = int(least * (most / least) ** draw.random())
    if kind == "a bomb":
        return _bomb(path, draw.choice(["gzip", "deflate"]))
    if kind == "a name":
        body = b'{"' + b"n" * size + b'":1}'
    else:
        body = draw.choice(PLACES[path] + _ANYWHERE) % VALUES[kind](draw, size)
    body = draw.choice([_as_it_is] * 6 + [_cut, _not_text, _more])(body)
    encoding, headers, packed = draw.choice([_plain] * 5 + [_gzip] * 3 + [_deflate, _chunks, _tiny_chunks, _misstated])(
        draw, body
    )
    return Sent(f"{kind}, {encoding}", path, len(body), _message(draw.choice(_METHODS), path, headers, packed))


def _message(method: str, path: str, headers: str, body: bytes) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}\r\n".encode() + body


def _as_it_is(body: bytes) -> bytes:
    return body


def _cut(body: bytes) -> bytes:
    return body[:-1]


def _not_text(body: bytes) -> bytes:
    return body[:-2] + b"\xff" + body[-2:]


def _more(body: bytes) -> bytes:
    return body + b"]"


# The name of the encoding, its headers, and the encoded body.
_Encoded: TypeAlias = tuple[str, str, bytes]


def _length(body: bytes) -> str:
    return f"Content-Length: {len(body)}\r\n"


def _plain(_: random.Random, body: bytes) -> _Encoded:
    return "plain", _length(body), body


def _gzip(_: random.Random, body: bytes) -> _Encoded:
    packed = gzip.compress(body, 1, mtime=0)
    return "gzip", "Content-Encoding: gzip\r\n" + _length(packed), packed


def _deflate(draw: random.Random, body: bytes) -> _Encoded:
    packed = zlib.compress(body, 1)
    packed = draw.choice([packed, packed[2:-4], packed[:-1], packed + b"x"])
    return "deflate", "Content-Encoding: deflate\r\n" + _length(packed), packed


def _chunks(_: random.Random, body: bytes) -> _Encoded:
    pieces = (body[at : at + (1 << 16)] for at in range(0, len(body), 1 << 16))
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return "chunked", "Transfer-Encoding: chunked\r\n", chunked + b"0\r\n\r\n"


def _tiny_chunks(draw: random.Random, body: bytes) -> _Encoded:
    """The first 2 MiB of a body, in chunks of a few bytes each, which takes up to six times the bytes."""
    size = draw.choice([1, 2, 7])
    codes = np.frombuffer(body[: (2 << 20) // size * size], np.uint8)
    codes = codes[: len(codes) // size * size].reshape(-1, size)
    ends = [np.tile(np.frombuffer(end, np.uint8), (len(codes), 1)) for end in (b"%x\r\n" % size, b"\r\n")]
    chunked = np.hstack((ends[0], codes, ends[1])).tobytes()
    return "tiny chunks", "Transfer-Encoding: chunked\r\n", chunked + b"0\r\n\r\n"


def _misstated(draw: random.Random, body: bytes) -> _Encoded:
    """A length that is too short, so that the rest is not a request. With a longer one the server would only wait."""
    return "misstated", f"Content-Length: {draw.randrange(len(body))}\r\n", body


@cache
def _zeros(packing: str) -> bytes:
    zeros = bytes(256 << 20)
    return gzip.compress(zeros, 9, mtime=0) if packing == "gzip" else zlib.compress(zeros, 9)


def _bomb(path: str, packing: str) -> Sent:
    packed = _zeros(packing)
    headers = f"Content-Encoding: {packing}\r\n" + _length(packed)
    return Sent(f"a bomb, {packing}", path, 256 << 20, _message("POST", path, headers, packed))
