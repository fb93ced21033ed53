"""The looks at an experiment that the keeper stores, and the history in its report."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
from aiohttp import web

from core.errors import StoreUnavailable
from core.experiments.look import SLOT_MICROS, Look
from core.experiments.records import ShadowScore
from core.features.candle_keys import candle_key_of_time
from core.store.relational import RelationalStore
from server.keeper.app_keys import REPORTER
from server.keeper.changes import Changes
from server.keeper.reports import reporter
from server.keeper.store_access import StoreAccess
from tests.server.keeper.calls import EXPERIMENT, Call, Write
from tests.server.keeper.records import AT, HOUR_MS, exposure

At: TypeAlias = Callable[[int], int]
Kept: TypeAlias = Callable[[], Awaitable[list[Look]]]

REPORT = "/reversal/experiments/exp/report"


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> At:
    """Set the clock of reports to the beginning of a slot, and return the time."""

    def set_clock(slot: int) -> int:
        now = (AT // SLOT_MICROS + slot) * SLOT_MICROS
        monkeypatch.setattr(reporter, "now_micros", lambda: now)
        return now

    return set_clock


@pytest.fixture
async def traded(call: Call, write: Write, running: str) -> str:
    """The id of an active experiment with results of both variants on four candles; all trades of A lose."""
    for n in range(8):
        await write(exposure(f"p{n}", n // 2, variant="AB"[n % 2], version=f"v{n % 2 + 1}", user=f"u{n}"))
    outcomes = [{"prediction_id": f"p{n}", "outcome": "win" if n in (1, 3) else "loss"} for n in range(8)]
    await call("POST", "/reversal/outcomes", {"outcomes": outcomes})
    return running


@pytest.fixture
def kept(started: web.Application, store: StoreAccess) -> Kept:
    """A function that returns the stored looks."""

    async def looks() -> list[Look]:
        await started[REPORTER].close()
        return await store.read(lambda store: store.looks("exp"))

    return looks


@pytest.mark.usefixtures("traded")
async def test_a_report_of_an_active_experiment_is_a_look(call: Call, at: At, kept: Kept) -> None:
    first = at(0)
    (shown,) = (await call("GET", REPORT)).data["history"]
    assert (shown["estimate"], shown["candles"], shown["word"]) == (0.5, 4, "not yet")
    assert [look.at for look in await kept()] == [first]
    assert (await call("GET", REPORT)).data["history"] == [shown]
    at(3)
    history = (await call("GET", REPORT)).data["history"]
    assert history[0] == shown
    assert [look["at"] for look in history] == ["2025-10-16T09:00:00Z", "2025-10-16T09:45:00Z"]


@pytest.mark.usefixtures("traded")
async def test_the_keeper_looks_by_itself_once_a_slot(
    call: Call, at: At, kept: Kept, started: web.Application, changes: Changes
) -> None:
    times = []
    for slot in (0, 0, 1):
        times.append(at(slot))
        await started[REPORTER].look(changes.state.experiment)
    assert [look.at for look in await kept()] == times[1:]
    await call("POST", "/reversal/experiments/exp/stop")
    at(2)
    await started[REPORTER].look(changes.state.experiment)
    assert len((await call("GET", REPORT)).data["history"]) == 2


@pytest.mark.usefixtures("traded")
async def test_a_slot_in_which_another_replica_looked_is_left_alone(
    at: At, kept: Kept, started: web.Application, changes: Changes, store: StoreAccess
) -> None:
    other = Look(at=at(0) + 5, estimate=0.25, candles=9, word="not yet")
    await store.write(lambda store: store.add_look("exp", other))
    await started[REPORTER].look(changes.state.experiment)
    assert await kept() == [other]


@pytest.mark.usefixtures("running")
async def test_an_experiment_without_results_has_no_history(call: Call, write: Write) -> None:
    await write(exposure("p1"))
    assert (await call("GET", REPORT)).data["history"] == []


@pytest.mark.parametrize(
    ("error", "event"),
    [(StoreUnavailable("the disk is full"), "look_unrecorded"), (ValueError("a bug"), "look_recording_failed")],
)
@pytest.mark.usefixtures("traded")
async def test_a_look_that_cannot_be_stored_fails_neither_the_report_nor_the_store(
    call: Call,
    kept: Kept,
    store: StoreAccess,
    *,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    event: str,
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(RelationalStore, "add_look", fails)
    with caplog.at_level(logging.WARNING):
        assert len((await call("GET", REPORT)).data["history"]) == 1
        assert await kept() == []
    assert f"{event} experiment=exp" in caplog.text
    assert store.degraded is None
    assert (await call("GET", REPORT)).status == 200


async def test_days_left_are_in_the_verdict_of_an_active_experiment(call: Call, write: Write) -> None:
    """Four of the 300 candle times that a verdict needs have come."""
    await call("POST", "/reversal/experiments", EXPERIMENT | {"mode": "shadow", "traffic_split": None})
    await call("POST", "/reversal/experiments/exp/activate")
    for n in range(4):
        key = candle_key_of_time(n * HOUR_MS)
        await write(exposure(f"p{n}", n), ShadowScore(AT, "exp", "EUR/USD", "1h", key, "long", 0.75, "long", 0.6))
    await call(
        "POST", "/reversal/outcomes", {"outcomes": [{"prediction_id": f"p{n}", "outcome": "win"} for n in range(4)]}
    )
    verdict = (await call("GET", REPORT)).data["verdict"]
    assert verdict["more_candles"] == 300
    assert verdict["days_left"] == pytest.approx(300 / 24)  # they were replayed, but hours come no faster
    await call("POST", "/reversal/experiments/exp/stop")
    verdict = (await call("GET", REPORT)).data["verdict"]
    assert (verdict["more_candles"], verdict["days_left"]) == (None, None)
