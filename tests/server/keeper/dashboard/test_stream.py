"""The stream of a keeper with a real worker, read over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, web

from core.errors import StoreUnavailable
from core.serving.replicas import Replica, ReplicaVersion
from server.keeper.app_keys import HUB, MEMBERS, REPLICAS, STORE
from server.keeper.dashboard import hub as hubs
from server.keeper.dashboard.hub import Hub
from server.keeper.handlers import dashboard
from server.protocol.messages import MEMBERS_PATH, Prepare, decode_for_worker, encode
from server.protocol.pages import ShownSignal, Watch, Watched
from server.protocol.timing import BUCKETS, PHASES
from server.settings import Settings
from tests.market import ROOT
from tests.server.client import Client
from tests.server.keeper.calls import EXPERIMENT, Call
from tests.streams import Event, events
from tests.waiting import until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the stream ten times as fast."""
    monkeypatch.setattr(hubs, "SIGNALS_SECONDS", 0.1)
    monkeypatch.setattr(hubs, "EXPERIMENT_SECONDS", 0.2)


@pytest.fixture
def hub(started: web.Application) -> Hub:
    return started[HUB]


Opened = AsyncIterator[Event]


@asynccontextmanager
async def opened(client: Client, last: str | None = None) -> AsyncIterator[Opened]:
    headers = {} if last is None else {"Last-Event-ID": last}
    async with client.get("/dashboard/stream", headers=headers) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.headers["X-Accel-Buffering"] == "no"
        yield events(response)


async def first(stream: Opened, kind: str, condition: Callable[[dict[str, Any]], bool] = lambda _: True) -> Event:
    """The next event of a kind that meets a condition."""
    async with asyncio.timeout(10):
        async for event in stream:
            if event.kind == kind and condition(event.data):
                return event
    raise AssertionError("the stream has ended")


class Answering:
    """A worker that only answers what pages ask."""

    def __init__(self, websocket: ClientWebSocketResponse, pid: int) -> None:
        self._websocket = websocket
        self._pid = pid
        self.asked: list[Watch] = []
        self.given = 0
        self.answered = 0
        self.waiting: list[ShownSignal] = []
        self.condition: dict[str, Any] = {"trouble": None, "failing": {}, "journal_degraded": False, "waiting": 0}

    def answer(self, count: int, *, listed: int | None = None) -> None:
        """Answer some predictions, of which only the last ones are told."""
        shown = (f"2026-01-02T12:00:00.{self.answered:03}Z", "EUR/USD", "1h", "hold", 0.9, 0.1, None, 0.5, "v1", 1.0)
        self.answered += count
        new = count if listed is None else listed
        self.waiting += [ShownSignal(*shown, (), None, None, None, None, self._pid)] * new

    async def run(self) -> None:
        async for received in self._websocket:
            if received.type != WSMsgType.TEXT:
                return
            message = decode_for_worker(received.data)
            self.given += isinstance(message, Prepare)
            if isinstance(message, Watch):
                self.asked.append(message)
                signals, self.waiting = tuple(self.waiting), []
                told = Watched(message.question, signals, self.answered, **self.condition)
                await self._websocket.send_str(encode(told).decode())


@asynccontextmanager
async def answering(client: Client, pid: int = 7) -> AsyncIterator[Answering]:
    async with client.ws_connect(f"{MEMBERS_PATH}?pid={pid}") as websocket:
        worker = Answering(websocket, pid)
        task = asyncio.create_task(worker.run())
        await until(lambda: worker.given > 0)
        yield worker
        task.cancel()


async def test_it_begins_with_everything_and_goes_on_with_figures(client: Client, settings: Settings) -> None:
    async with opened(client) as stream:
        hello = await anext(stream)
        assert (hello.kind, hello.data["resumed"], hello.data["missed"]) == ("hello", False, None)
        assert hello.number.startswith(f"{hello.data['epoch']}-")
        assert hello.data["bounds"] == list(BUCKETS)
        assert hello.data["phases"] == list(PHASES)
        assert (hello.data["signals"], hello.data["recent"]) == ([], [])
        now = hello.data["now"]
        assert (now["ready"], now["healthy"], now["active_version"], now["environment"]) == (True, True, "v1", "test")
        assert (now["workers"], now["workers_configured"]) == (1, settings.workers)
        assert now["max_in_progress"] == settings.max_in_flight
        assert now["replicas"] == [{"name": hello.data["replica"], "active_version": "v1", "revision": 0, "this": True}]
        figures = await first(stream, "figures")
        assert figures.number > hello.number
        assert set(figures.data) == {"now", "point", "minute"}
        assert figures.data["point"]["answers"] == {}


async def test_every_field_of_the_events_is_documented(client: Client) -> None:
    async with answering(client) as worker, opened(client) as stream:
        found = [await anext(stream)]
        worker.answer(1)
        found += [await first(stream, kind) for kind in ("signals", "figures")]
    text = (ROOT / "docs" / "dashboard-stream.md").read_text()
    assert [name for event in found for name in sorted(names(event.data)) if f"`{name}`" not in text] == []


def names(data: Any) -> set[str]:  # noqa: ANN401 - JSON
    """The names of all fields; those by version, code or phase are empty here."""
    if isinstance(data, list):
        return {name for each in data for name in names(each)}
    return {*data, *(name for each in data.values() for name in names(each))} if isinstance(data, dict) else set()


async def test_ten_pages_get_the_same_events(client: Client, hub: Hub) -> None:
    async with answering(client) as worker:

        async def page() -> Event:
            async with opened(client) as stream:
                await anext(stream)
                ready.append(1)
                return await first(stream, "signals")

        ready: list[int] = []
        pages = [asyncio.create_task(page()) for _ in range(10)]
        await until(lambda: len(ready) == 10)
        worker.answer(3, listed=2)
        found = await asyncio.gather(*pages)
        assert len({(event.number, str(event.data)) for event in found}) == 1
        assert (len(found[0].data["signals"]), found[0].data["answered"]) == (2, 3)
        await until(lambda: not hub.pages)


async def test_workers_are_asked_only_while_a_page_is_open(client: Client, hub: Hub) -> None:
    async with answering(client) as worker:
        assert worker.asked == []
        async with opened(client) as stream:
            worker.answer(5)
            await first(stream, "signals")
            assert len(worker.asked) >= 2
            assert worker.asked[-1].after in {0, 5}
        await until(lambda: not hub.pages)
        asked = len(worker.asked)
        await asyncio.sleep(4 * hubs.SIGNALS_SECONDS)
        assert len(worker.asked) == asked


async def test_a_page_that_was_away_gets_what_it_missed(client: Client, hub: Hub) -> None:
    async with answering(client) as worker:
        worker.answer(4)
        async with opened(client) as stream:
            hello = await anext(stream)
            assert len(hello.data["signals"]) == 4
            last = (await first(stream, "figures")).number
        await until(lambda: not hub.pages)
        worker.answer(10, listed=6)
        hub.note("models")
        async with opened(client, last) as stream:
            again = await anext(stream)
            assert (again.data["resumed"], again.data["missed"], len(again.data["signals"])) == (True, 4, 6)
            assert (await anext(stream)).data == {"what": ["models"]}
        async with opened(client, "other-1") as stream:
            assert (await anext(stream)).data["missed"] is None


async def test_answers_of_a_worker_that_ended_are_not_forgotten(client: Client, hub: Hub) -> None:
    async with opened(client) as stream:
        async with answering(client, 8) as worker:
            worker.answer(5)
            last = (await first(stream, "signals")).number
        async with answering(client, 9) as worker:
            worker.answer(2)
            assert (await first(stream, "signals")).data["answered"] == 2
    async with opened(client, last) as stream:
        hello = await anext(stream)
        assert (len(hello.data["signals"]), hello.data["missed"]) == (2, 0)
    assert hub.events.answered == 7


async def test_a_page_that_does_not_read_is_closed(client: Client, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "WRITE_SECONDS", 0.2)
    async with client.get("/dashboard/stream") as response, answering(client) as worker:
        assert response.connection is not None
        assert response.connection.transport is not None
        response.connection.transport.pause_reading()
        await until(lambda: len(hub.pages) == 1)
        (page,) = hub.pages
        page.put(bytes(32 << 20))  # more than sockets hold
        await until(lambda: not hub.pages)
        worker.answer(1)
        assert not hub.pages


async def test_too_many_pages_are_refused(client: Client, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "MOST_PAGES", 1)
    async with opened(client):
        await until(lambda: len(hub.pages) == 1)
        refused = await client.get("/dashboard/stream")
        assert (refused.status, (await refused.json())["code"]) == (503, "OVERLOADED")
        assert refused.headers["Retry-After"] == "5"
    await until(lambda: not hub.pages)
    async with opened(client) as stream:
        assert (await anext(stream)).kind == "hello"


async def test_a_question_for_the_head_opens_no_page(client: Client, hub: Hub) -> None:
    response = await client.head("/dashboard/stream")
    assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")
    assert not hub.pages


async def test_changes_are_told_and_those_of_records_seldom(client: Client, call: Call, hub: Hub) -> None:
    async with opened(client) as stream:
        assert (await call("POST", "/reversal/experiments", EXPERIMENT)).status == 201
        assert (await first(stream, "changed")).data == {"what": ["experiments"]}
        assert (await call("POST", "/reversal/models/v2/switch")).status == 200
        await first(stream, "changed", lambda data: data == {"what": ["models"]})
        begun = time.monotonic()
        for _ in range(2):
            hub.note_records()
            await first(stream, "changed", lambda data: data == {"what": ["experiments"]})
        assert time.monotonic() - begun >= 0.2
        assert (await call("POST", "/reversal/models/v9/load")).status != 200  # a refusal changes nothing
        assert (await call("GET", "/reversal/experiments")).status == 200
        async for event in stream:
            assert event.data.get("what") != ["models"]
            if event.kind == "figures":
                break


async def test_each_trouble_is_told_in_words(
    client: Client, started: web.Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = started[MEMBERS]

    async def problems() -> dict[str, str]:
        async with opened(client) as stream:
            now = (await anext(stream)).data["now"]
        await until(lambda: not started[HUB].pages)
        return {each["code"]: each["text"] for each in now["problems"]}

    async with answering(client) as worker:
        assert await problems() == {}
        worker.condition |= {"trouble": "every version fails", "failing": {"v1": "version v1 failed 3 times in a row"}}
        worker.condition |= {"journal_degraded": True, "waiting": 1234}
        found = await problems()
        assert found.keys() == {"not_ready", "version_failing", "journal_degraded"}
        assert found["not_ready"].startswith("Every version fails. /readyz answers 503")
        assert "Version v1 failed 3 times in a row. Other versions answer" in found["version_failing"]
        assert "1,234 records wait" in found["journal_degraded"]
        worker.condition |= {"trouble": None, "failing": {}, "journal_degraded": False}
        started[STORE].degraded = str(StoreUnavailable("away", "secret-host refuses"))
        served = members.agreement.served
        assert served is not None
        served.errors["v7"] = "no manifest.json"
        there = {"v1": ReplicaVersion("0" * 64, loaded=True)}
        started[REPLICAS].others = (Replica("id", "other:8000", 0, "v3", there),)
        monkeypatch.setattr(type(members), "__len__", lambda _: 0)
        found = await problems()
        assert found.keys() >= {"version_not_loaded", "workers_missing", "digests_differ", "versions_differ"}
        assert "Version v7 could not be loaded: no manifest.json." in found["version_not_loaded"]
        assert "other:8000 serves another bundle of v1" in found["digests_differ"]
        assert "other:8000 answers with v3, this one with v1" in found["versions_differ"]
        assert "secret-host" not in str(found)
        members.stopping = True
        assert "The server is stopping" in (await problems())["stopping"]


async def test_a_server_without_a_version_says_so(client: Client, started: web.Application) -> None:
    started[MEMBERS].active = None
    async with opened(client) as stream:
        now = (await anext(stream)).data["now"]
    assert (now["ready"], now["healthy"], now["problems"][0]["code"]) == (False, False, "no_version")
