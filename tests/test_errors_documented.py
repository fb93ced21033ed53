"""The errors that docs/errors.md shows are the server's, word for word."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from server.http.errors import STATUS
from tests import market
from tests.market import ROOT

Client = TestClient[web.Request, web.Application]
DOCUMENT = ROOT / "docs" / "errors.md"
CELL = r"\| (?P<sent>.+?) \| `(?P<error>.+?)` \| (?P<advice>.*?) ?\|"
JSON = {"Content-Type": "application/json"}
# The bodies that the tables describe in words.
DESCRIBED = {
    "nothing": b"",
    "gzip without its header": gzip.compress(b'{"pair": "EUR/USD"}', mtime=0),
    "an `é` in Latin-1": '{"pair": "é"}'.encode("latin-1"),
    "`JSON.stringify` twice": json.dumps(json.dumps({"pair": "EUR/USD"})).encode(),
    "a byte order mark first": b"\xef\xbb\xbf{}",
    "2,001 candles": json.dumps(market.body(0, 2_001)).encode(),
}


class Row(NamedTuple):
    section: str
    sent: str
    error: str


def rows() -> Iterator[Row]:
    """The rows of the tables that show errors."""
    for section in DOCUMENT.read_text().split("\n### ")[1:]:
        title, _, text = section.partition("\n")
        for found in re.finditer(CELL, text):
            yield Row(title, found["sent"], found["error"])


ROWS = list(rows())


def code(text: str) -> str:
    assert text[0] == text[-1] == "`", text
    return text[1:-1]


def request(row: Row) -> tuple[str, str, bytes | None, dict[str, str]]:
    """The method, path, body and headers of a row."""
    if row.section == "In a request to predict":
        good = market.body(3_000, 120)
        whole = DESCRIBED.get(row.sent) or json.dumps(good | json.loads(code(row.sent))).encode()
        return "POST", "/reversal/predict", whole, JSON
    if row.section == "Instead of JSON":
        whole = DESCRIBED[row.sent] if row.sent in DESCRIBED else code(row.sent).encode()
        return "POST", "/reversal/predict", whole, JSON
    words = code(row.sent)
    if row.section == "In other bodies":
        path, body = words.split(" ", 1)
        return "POST", path, body.encode(), JSON
    method, path, *header = words.split(" ", 2)
    headers = JSON | (dict([header[0].split(": ")]) if header else {})
    return method, path, json.dumps(market.body(3_000, 120)).encode() if method == "POST" else None, headers


@pytest.fixture
async def served(committed: web.Application, aiohttp_client: Callable[[web.Application], Awaitable[Client]]) -> Client:
    return await aiohttp_client(committed)


async def answered(client: Client, row: Row) -> dict[str, Any]:
    method, path, body, headers = request(row)
    response = await client.request(method, path, data=body, headers=headers)
    answer: dict[str, Any] = await response.json()
    if response.status == 200:  # the answer for a list; its only item holds the error
        (answer,) = answer["data"]["results"]
    return answer


async def test_each_row_is_answered_as_documented(served: Client) -> None:
    found = {row: (await answered(served, row))["error"] for row in ROWS}
    assert found == {row: row.error for row in ROWS}
    assert len(ROWS) >= 30


async def test_no_row_is_a_success(served: Client) -> None:
    assert [row for row in ROWS if (await answered(served, row)).get("success")] == []


def test_every_code_has_a_row_with_its_status() -> None:
    documented = dict(re.findall(r"^\| `([A-Z_]+)` \| (\d+)", DOCUMENT.read_text(), re.MULTILINE))
    assert documented == {name: str(status) for name, status in STATUS.items()}
