"""An experiment with `stop_at` is stopped when that time has come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from core.errors import StoreUnavailable
from core.experiments.experiment import Experiment, Micros
from core.serving.state import State
from core.store import open_store
from core.store.interface import Store
from server.keeper import app
from server.keeper.changes import Changes
from server.keeper.store_access import StoreAccess
from server.settings import Settings, read
from tests.application import Build
from tests.postgres import any_postgres, database
from tests.server.client import Client
from tests.server.keeper.calls import EXPERIMENT, Call
from tests.waiting import until

URL = "/reversal/experiments"
STOP_AT = "2030-06-01T12:00:00Z"
REASON = f"stop_at {STOP_AT} reached"
AT: Micros = int(datetime(2030, 6, 1, 12, tzinfo=UTC).timestamp()) * 1_000_000


class StepClock:
    """The time that the keeper's step reads: at first, one microsecond before STOP_AT."""

    def __init__(self) -> None:
        self.now, self.reads = AT - 1, 0

    def read(self) -> Micros:
        self.reads += 1
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> StepClock:
    made = StepClock()
    monkeypatch.setattr(app, "STOP_AT_SECONDS", 0.01)
    monkeypatch.setattr(app, "now_micros", made.read)
    return made


@pytest.fixture
def postgres_url() -> Iterator[str]:
    with any_postgres() as server, database(server) as url:
        yield url


async def start(call: Call, stop_at: object = STOP_AT) -> None:
    assert (await call("POST", URL, {**EXPERIMENT, "stop_at": stop_at})).status == 201
    assert (await call("POST", f"{URL}/exp/activate")).status == 200


async def test_an_experiment_is_stopped_at_its_time_and_not_before(
    call: Call, changes: Changes, clock: StepClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await start(call)
    await until(lambda: clock.reads >= 3)
    assert (await call("GET", f"{URL}/exp")).data["status"] == "active"
    clock.now = AT
    await until(lambda: changes.state.experiment is None)
    shown = (await call("GET", f"{URL}/exp")).data
    assert (shown["status"], shown["stop_at"], shown["stop_reason"]) == ("stopped", STOP_AT, REASON)
    assert shown["stopped_at"] >= shown["activated_at"]
    line = f'experiment_stopped experiment=exp since={shown["stopped_at"]} reason="{REASON}"'
    await until(lambda: line in caplog.messages)
    again = await call("POST", f"{URL}/exp/stop")
    assert again.data.items() <= shown.items()
    assert caplog.messages.count(line) == 2  # of the step, and of the call


@pytest.mark.parametrize("stop_at", [AT / 1e6, AT / 1e3, "2030-06-01T14:00:00+02:00", "2030-06-01T12:00:00"])
async def test_the_time_has_all_forms_of_a_candles_timestamp(call: Call, stop_at: object) -> None:
    answer = await call("POST", URL, {**EXPERIMENT, "stop_at": stop_at})
    assert (answer.status, answer.data["stop_at"]) == (201, STOP_AT)


async def test_a_draft_whose_time_has_passed_is_not_activated_and_stops_no_other(
    call: Call, store: StoreAccess, running: str
) -> None:
    def late(store: Store) -> None:
        made = store.experiment(running)
        fields = {name: getattr(made, name) for name in ("name", "variant_a", "variant_b", "traffic_split")}
        store.create(Experiment(experiment_id="late", created_at=1, stop_at=2, **fields))

    await store.write(late)
    answer = await call("POST", f"{URL}/late/activate")
    assert (answer.status, answer.code) == (409, "CONFLICT")
    assert "1970-01-01T00:00:00.000002Z" in (answer.error or "")
    assert (await call("GET", f"{URL}/late")).data["status"] == "draft"
    assert (await call("GET", f"{URL}/{running}")).data["status"] == "active"


async def test_an_experiment_with_a_time_can_be_stopped_earlier(call: Call, changes: Changes, clock: StepClock) -> None:
    await start(call)
    stopped = (await call("POST", f"{URL}/exp/stop")).data
    assert stopped["stop_reason"] == "stopped by request"
    clock.now = AT
    assert changes.state.experiment is None
    assert (await call("GET", f"{URL}/exp")).data.items() >= stopped.items()


@pytest.fixture
async def left_active(settings: Settings, clock: StepClock) -> None:
    """The store before the server starts: an active experiment whose time has passed."""
    clock.now = AT + 5
    made = Experiment(
        experiment_id="exp", name="n", variant_a="v1", variant_b="v2", traffic_split=0.5, created_at=1, stop_at=AT
    )

    def leave() -> None:
        with closing(open_store(settings.state_url)) as store:
            active = made.activated(2)
            store.change(0, State(experiment=active), [active])

    await asyncio.to_thread(leave)


@pytest.mark.usefixtures("left_active", "client")
async def test_a_time_that_passed_while_the_server_was_down_stops_it_after_the_restart(
    call: Call, changes: Changes, caplog: pytest.LogCaptureFixture
) -> None:
    await until(lambda: changes.state.revision > 1)
    shown = (await call("GET", f"{URL}/exp")).data
    assert (shown["status"], shown["stop_reason"]) == ("stopped", REASON)
    # Until the first worker has joined, no change is possible. That is no failure.
    assert not any(message.startswith("stop_at_failed") for message in caplog.messages)


@pytest.fixture
def shared(models: Path, tmp_path: Path, postgres_url: str) -> list[Settings]:
    """The settings of two servers that share a store."""
    common = ["--models", str(models), "--state-url", postgres_url]
    folders = [tmp_path / name for name in ("one", "two")]
    return [read([*common, "--journals", str(each), "--audit", f"{each}.jsonl"], {}) for each in folders]


@pytest.fixture
async def replicas(
    shared: list[Settings], build: Build, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> list[Client]:
    return [await aiohttp_client(await build(settings)) for settings in shared]


async def test_two_replicas_stop_it_once(replicas: list[Client], clock: StepClock) -> None:
    for path, body in (("", {**EXPERIMENT, "stop_at": STOP_AT}), ("/exp/activate", {})):
        assert (await replicas[0].post(URL + path, json=body)).status in {200, 201}
    clock.now = AT
    async with asyncio.timeout(10):
        shown = [await shown_stopped(each) for each in replicas]
    assert shown[0] == shown[1]
    assert shown[0]["stop_reason"] == REASON


async def shown_stopped(client: Client) -> dict[str, Any]:
    """The experiment, when a replica no longer answers predictions with it."""
    experiment: dict[str, Any] = {"status": "active"}
    while experiment["status"] != "stopped":
        experiment = (await (await client.get(f"{URL}/exp")).json())["data"]
    return experiment


async def test_a_failed_stop_is_logged_and_repeated(
    call: Call,
    changes: Changes,
    clock: StepClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await start(call)
    stop, failures = Changes.stop, [StoreUnavailable("no answer"), StoreUnavailable("no answer")]

    async def failing(self: Changes, experiment_id: str, reason: str) -> Experiment:
        if failures:
            raise failures.pop()
        return await stop(self, experiment_id, reason)

    monkeypatch.setattr(Changes, "stop", failing)
    clock.now = AT
    await until(lambda: changes.state.experiment is None)
    lines = [message for message in caplog.messages if message.startswith("stop_at_failed ")]
    assert len(lines) == 2
    assert lines[0].startswith('stop_at_failed experiment=exp error="no answer" effect=')


async def test_while_the_store_is_away_its_outage_is_logged_once(
    call: Call,
    changes: Changes,
    clock: StepClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await start(call)
    tried = []

    def away(*_: object) -> None:
        tried.append(1)
        raise StoreUnavailable("away")

    with monkeypatch.context() as outage:
        outage.setattr(StoreAccess, "_drain_and_call", away)
        clock.now = AT
        await until(lambda: len(tried) > 20)
        assert changes.state.experiment is not None
    await until(lambda: changes.state.experiment is None)
    assert len([message for message in caplog.messages if message.startswith("store_unavailable ")]) == 1
    assert not any(message.startswith("stop_at_failed") for message in caplog.messages)
