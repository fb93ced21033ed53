"""docs/market-data.md has the answer to each unusual body of tests/market_cases.py."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from core.inference.warnings import CODES
from tests.market import ROOT
from tests.market_cases import CASES

DOCUMENT = ROOT / "docs" / "market-data.md"
ROW = re.compile(r"\| (?P<case>[^|]+) \| (?P<answer>[^|]+) \| (?P<warnings>[^|]*)\|")
# In seconds. A case of the last hours is only valid in the hour in which it is built, so no test begins shortly before
# the hour ends.
_MARGIN = 30.0

Client = TestClient[web.Request, web.Application]


def documented() -> dict[str, tuple[str, str]]:
    """The answer and the warnings of each case in the tables."""
    _, _, tables = DOCUMENT.read_text().partition("\n## What unusual data get\n")
    rows = [ROW.fullmatch(line) for line in tables.splitlines()]
    return {row["case"]: (row["answer"], row["warnings"].strip()) for row in rows if row and row["case"] != "sent"}


def shown(status: int, answer: dict[str, Any]) -> tuple[str, str]:
    """Format an answer as in the tables."""
    if status == 200:
        return answer["data"]["signal"], " ".join(f"`{each['code']}`" for each in answer["data"].get("warnings", []))
    return f"{status} `{answer['code']}` `{answer['details'][0]['path']}`", ""


@pytest.fixture
async def client(committed: web.Application, aiohttp_client: Callable[[web.Application], Awaitable[Client]]) -> Client:
    return await aiohttp_client(committed)


async def answered(client: Client, version: str) -> dict[str, tuple[str, str]]:
    """The answer of this version to each case."""
    if (left := 3600 - time.time() % 3600) < _MARGIN:
        await asyncio.sleep(left)
    found = {}
    for case, body in CASES.items():
        response = await client.post("/reversal/predict", json=body(time.time()) | {"version": version})
        found[case] = shown(response.status, await response.json())
    return found


async def test_each_case_is_answered_as_documented(client: Client) -> None:
    assert await answered(client, "v3.1") == documented()


async def test_the_version_without_a_scale_differs_as_documented(client: Client) -> None:
    expected = {
        case: (answer, "" if warning in {"`FEW_CANDLES`", "`OUT_OF_RANGE`"} else warning)
        for case, (answer, warning) in documented().items()
    } | {"69 hours": ("422 `INSUFFICIENT_DATA` `data`", "")}
    found = await answered(client, "v3.2")
    assert {case: warning for case, (_, warning) in found.items()} == {case: w for case, (_, w) in expected.items()}
    assert refusals(found) == refusals(expected)


def refusals(answers: dict[str, tuple[str, str]]) -> dict[str, str]:
    return {case: answer for case, (answer, _) in answers.items() if answer.startswith("4")}


def test_every_warning_about_candles_has_a_case() -> None:
    assert len(CASES) >= 60
    codes = {code for _, warnings in documented().values() for code in re.findall(r"`(\w+)`", warnings)}
    assert codes == set(CODES) - {"NO_STAGE2"}
