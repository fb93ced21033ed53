from __future__ import annotations

import asyncio
import csv
import io
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from core.errors import StoreUnavailable
from core.experiments.records import ShadowScore
from core.features.candle_keys import candle_key_of_time
from core.store.interface import EXPORT_COLUMNS
from core.store.relational import RelationalStore
from server.keeper.handlers.export import PIECE_ROWS
from tests.server.client import Client
from tests.server.keeper.calls import Call, Write
from tests.server.keeper.records import AT, exposure
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("running")

URL = "/reversal/experiments/exp/export"


async def fetch(client: Client, query: str = "") -> tuple[aiohttp.ClientResponse, str]:
    response = await client.get(URL + query)
    assert response.status == 200
    return response, await response.text()


async def test_a_row_has_exposure_outcome_and_shadow_score(
    client: Client, call: Call, write: Write, running: str
) -> None:
    await write(
        exposure("p1", 3), ShadowScore(AT, running, "EUR/USD", "1h", candle_key_of_time(0), "hold", 0.9, "long", 0.8)
    )
    outcome = {"prediction_id": "p1", "outcome": "loss", "pnl_pips": -4.5, "closed_at": "2025-10-17T00:00:00Z"}
    await call("POST", "/reversal/outcomes", {"outcomes": [outcome]})
    response, text = await fetch(client)
    assert response.headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="exp.jsonl"'
    (line,) = text.splitlines()
    row = json.loads(line)
    assert set(row) == set(EXPORT_COLUMNS)
    expected = {
        "prediction_id": "p1",
        "experiment_id": "exp",
        "variant": "A",
        "model_version": "v1",
        "fallback_reason": None,
        "pair": "EUR/USD",
        "candle": "t:10800000",
        "signal": "long",
        "confidence": 0.75,
        "outcome": "loss",
        "pnl_pips": -4.5,
        "label": None,
        "b_signal": None,
    }
    assert row.items() >= expected.items()
    assert (row["at"], row["candle_time"], row["closed_at"]) == (
        "2025-10-16T09:00:00.000000Z",
        "1970-01-01T03:00:00.000000Z",
        "2025-10-17T00:00:00.000000Z",
    )


async def test_csv_has_the_same_rows_under_a_header(client: Client, write: Write) -> None:
    reason = 'version v2: failed, "badly"'
    await write(exposure("p1"), exposure("p2", fallback_reason=reason))
    response, text = await fetch(client, "?format=csv")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="exp.csv"'
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    lines = [json.loads(line) for line in (await fetch(client))[1].splitlines()]
    assert tuple(rows[0]) == EXPORT_COLUMNS
    assert rows == [{name: "" if value is None else str(value) for name, value in line.items()} for line in lines]
    assert rows[1]["fallback_reason"] == reason


async def test_an_export_without_records_is_empty_or_only_a_header(client: Client) -> None:
    assert (await fetch(client))[1] == ""
    assert (await fetch(client, "?format=csv"))[1] == ",".join(EXPORT_COLUMNS) + "\r\n"


@pytest.mark.parametrize("count", [PIECE_ROWS, 2 * PIECE_ROWS + 1])
async def test_several_pieces_have_every_row_once(
    client: Client,
    write: Write,
    count: int,
) -> None:
    await write(*(exposure(f"p{n:05}", n % 7) for n in range(count)))
    _, text = await fetch(client)
    assert [json.loads(line)["prediction_id"] for line in text.splitlines()] == [f"p{n:05}" for n in range(count)]


async def test_another_format_is_a_422(call: Call) -> None:
    answer = await call("GET", f"{URL}?format=xml")
    assert (answer.status, answer.details[0]["path"]) == (422, "format")
    assert all(word in answer.details[0]["message"] for word in ("jsonl, csv", '"xml"'))


def breaks_after(rows: int, error: Exception | None = None) -> Any:  # noqa: ANN401 - replaces a method
    def export(*_: object) -> Iterator[dict[str, Any]]:
        for n in range(rows):
            yield dict.fromkeys(EXPORT_COLUMNS, n)
        raise error or StoreUnavailable("the database is gone")

    return export


async def test_a_store_that_fails_before_the_first_row_is_a_503(
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(RelationalStore, "export", breaks_after(0))
    assert (await call("GET", URL)).code == "STORE_UNAVAILABLE"


@pytest.mark.parametrize("error", [StoreUnavailable("the database is gone"), LookupError("the database is gone")])
async def test_a_store_that_fails_during_the_export_closes_the_connection(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    monkeypatch.setattr(RelationalStore, "export", breaks_after(2 * PIECE_ROWS, error))
    response = await client.get(URL)
    with pytest.raises(aiohttp.ClientPayloadError):
        await response.read()
    assert f"export_failed path={URL} " in caplog.text
    assert "the database is gone" in caplog.text
    assert ("Traceback" in caplog.text) == isinstance(error, LookupError)


async def test_a_client_that_disconnects_is_not_logged_as_a_failure(
    client: Client,
    write: Write,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await write(*(exposure(f"p{n:05}") for n in range(20 * PIECE_ROWS)))
    response = await client.get(URL)
    await response.content.readline()
    response.close()
    assert (await fetch(client))[1].count("\n") == 20 * PIECE_ROWS
    assert "failed" not in caplog.text


async def test_a_client_that_disconnects_before_the_first_row_is_not_logged_as_a_failure(
    client: Client, call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert client.server.runner is not None
    assert client.server.runner.server is not None
    client.server.runner.server.handler_cancellation = False  # as in the keeper's process
    begun, gone = threading.Event(), threading.Event()

    def export(*_: object) -> Iterator[dict[str, Any]]:
        begun.set()
        assert gone.wait(30)
        yield dict.fromkeys(EXPORT_COLUMNS, 0)

    monkeypatch.setattr(RelationalStore, "export", export)
    asked = asyncio.create_task(client.get(URL))
    assert await asyncio.to_thread(begun.wait, 30)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await call("GET", "/reversal/experiments/exp")  # when it is answered, the server has seen the end of the other one
    gone.set()
    await until(lambda: f"client_disconnected path={URL}" in caplog.text)
    assert "failed" not in caplog.text
