"""Changes among several workers, of which one does not do as it should."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from aiohttp import ClientConnectionResetError, ClientWebSocketResponse, WSServerHandshakeError, web

from core.errors import StoreUnavailable
from core.serving.state import State
from core.store.interface import Store
from server.keeper import keeper as keeper_module
from server.keeper import members
from server.keeper.keeper import Change, Keeper
from server.protocol.messages import (
    MEMBERS_PATH,
    Abort,
    Announce,
    Applied,
    Apply,
    Prepare,
    Ready,
    ToKeeper,
    ToWorker,
    decode_for_worker,
    encode,
)
from tests.server.conftest import Client
from tests.server.keeper.conftest import EXPERIMENT, Call


class Worker:
    """A worker that does what the test says, beside the one of the `client` fixture that does as it should."""

    def __init__(self, websocket: ClientWebSocketResponse) -> None:
        self._websocket = websocket

    async def hears(self) -> Prepare | Apply | Abort:
        message: ToWorker = decode_for_worker(await self._websocket.receive_str(timeout=10))
        assert not isinstance(message, Announce)
        return message

    async def says(self, message: ToKeeper) -> None:
        await self._websocket.send_str(encode(message).decode())

    async def goes(self) -> None:
        await self._websocket.close()


@pytest.fixture
async def worker(client: Client) -> AsyncIterator[Worker]:
    async with client.ws_connect(f"{MEMBERS_PATH}?pid=7") as websocket:
        worker = Worker(websocket)
        assert isinstance(await worker.hears(), Prepare)
        assert isinstance(await worker.hears(), Apply)
        yield worker


async def test_who_has_gone_before_it_has_joined_is_no_mistake(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def gone(*_: object) -> None:
        raise ClientConnectionResetError("Cannot write to closing transport")

    with monkeypatch.context() as patch:
        patch.setattr(web.WebSocketResponse, "prepare", gone)
        with pytest.raises(WSServerHandshakeError):
            await client.ws_connect(f"{MEMBERS_PATH}?pid=7")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "CONFIRM_SECONDS", 0.3)
    monkeypatch.setattr(members, "TAKE_BACK_SECONDS", 0.3)
    monkeypatch.setattr(members, "LEAST_SECONDS", 0.1)


@pytest.mark.usefixtures("impatient")
async def test_a_worker_that_never_is_ready_leaves_all_as_it_was(
    worker: Worker, call: Call, keeper_itself: Keeper
) -> None:
    before = keeper_itself.state
    answer = await call("POST", "/reversal/models/v2/switch")
    assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
    assert answer.error == "worker 7 did not confirm within 0.3 s: nothing is changed"
    asked = await worker.hears()
    assert isinstance(asked, Prepare)
    assert asked.state.active == "v2"
    assert await worker.hears() == Abort(asked.change)
    assert await keeper_itself.read(lambda store: store.state()) == before
    assert keeper_itself.members.active == "v1"


@pytest.mark.usefixtures("impatient")
async def test_a_worker_that_is_ready_and_does_not_apply_has_the_change_taken_back(
    worker: Worker, call: Call, keeper_itself: Keeper
) -> None:
    assert (await call("POST", "/reversal/experiments", EXPERIMENT)).status == 201
    before = keeper_itself.state
    calling = asyncio.ensure_future(call("POST", "/reversal/experiments/exp/activate"))
    asked = await worker.hears()
    await worker.says(Ready(asked.change))
    applied = await worker.hears()
    assert isinstance(applied, Apply)
    assert applied.until is not None
    assert applied.until <= time.monotonic() + 0.3
    answer = await calling
    assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
    # Both the store and the other worker are where they were, the latter before the caller knows.
    stored = await keeper_itself.read(lambda store: store.state())
    assert stored == keeper_itself.state == msgspec.structs.replace(before, revision=before.revision + 2)
    assert (await call("GET", "/reversal/experiments")).data["experiments"][0]["status"] == "draft"
    for state in (before, stored):  # at once, and again when the store is back as well
        back = await worker.hears()
        assert isinstance(back, Prepare)
        assert back.state == state
        assert await worker.hears() == Apply(back.change)


@pytest.mark.usefixtures("impatient", "client")
async def test_what_another_replica_changed_is_confirmed_however_quick_the_workers_are(
    keeper_itself: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_itself, "_remember", lambda: time.sleep(0.6))
    state = keeper_itself.state
    changed = await keeper_itself.write(lambda store: store.change(state.revision, state.switching("v2")))
    await keeper_itself.follow()
    assert keeper_itself.state == changed
    assert keeper_itself.members.active == "v2"


async def test_a_worker_that_goes_in_the_middle_of_a_change_is_not_waited_for(worker: Worker, call: Call) -> None:
    calling = asyncio.ensure_future(call("POST", "/reversal/models/v2/switch"))
    assert isinstance(await worker.hears(), Prepare)
    await worker.goes()
    answer = await calling
    assert answer.data == {"active_version": "v2", "previous_version": "v1"}


async def test_a_worker_that_refuses_has_its_words_passed_on_and_the_others_forget(
    worker: Worker, call: Call, keeper_itself: Keeper
) -> None:
    calling = asyncio.ensure_future(call("POST", "/reversal/models/v2/switch"))
    asked = await worker.hears()
    await worker.says(Ready(asked.change, "MODEL_UNAVAILABLE", "bundle v2: not today"))
    answer = await calling
    assert (answer.status, answer.code, answer.error) == (503, "MODEL_UNAVAILABLE", "bundle v2: not today")
    assert await worker.hears() == Abort(asked.change)
    assert keeper_itself.state.active is None


async def test_what_the_client_was_told_is_not_done_is_undone_once_the_store_is_there(
    worker: Worker, call: Call, keeper_itself: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store takes the change and goes away before it says so."""
    before = keeper_itself.state
    commit = keeper_module.commit

    def lost(change: Change, store: Store) -> State:
        commit(change, store)
        monkeypatch.setattr(keeper_module, "commit", commit)
        raise StoreUnavailable("gone")

    monkeypatch.setattr(keeper_module, "commit", lost)
    calling = asyncio.ensure_future(call("POST", "/reversal/models/v2/switch"))
    asked = await worker.hears()
    await worker.says(Ready(asked.change))
    assert (await calling).status == 503
    assert await worker.hears() == Abort(asked.change)
    await keeper_itself.follow()
    stored = await keeper_itself.read(lambda store: store.state())
    assert stored.active == before.active
    assert stored == keeper_itself.state == msgspec.structs.replace(before, revision=before.revision + 2)


async def test_switching_to_the_stored_version_still_asks_the_workers(
    call: Call, keeper_itself: Keeper, models: Path
) -> None:
    assert (await call("POST", "/reversal/models/v2/switch")).status == 200
    (models / "v2" / "manifest.json").write_text("{}")
    keeper_itself.members.give(msgspec.structs.replace(keeper_itself.state, unloaded=("v2",)), ("v1",))
    answer = await call("POST", "/reversal/models/v2/switch")
    assert (answer.status, answer.code) == (503, "MODEL_UNAVAILABLE")


async def test_a_store_that_hangs_is_one_that_is_gone(
    call: Call, keeper_itself: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "STORE_SECONDS", 0.3)
    frozen = threading.Event()
    hanging = asyncio.ensure_future(keeper_itself.write(lambda _: frozen.wait(20)))
    with pytest.raises(StoreUnavailable, match="has not answered"):
        await hanging
    answer = await call("POST", "/reversal/models/v2/switch")
    assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
    assert keeper_itself.degraded is not None
    frozen.set()
    monkeypatch.setattr(keeper_module, "STORE_SECONDS", 10.0)
    assert (await call("POST", "/reversal/models/v2/switch")).status == 200
    assert keeper_itself.degraded is None


async def test_what_was_read_of_the_store_during_a_change_does_not_undo_it(
    worker: Worker, keeper_itself: Keeper
) -> None:
    switching = asyncio.ensure_future(keeper_itself.switch("v2"))
    asked = await worker.hears()  # the change is under way, and not in the store yet
    following = asyncio.ensure_future(keeper_itself.follow())
    await keeper_itself.write(lambda _: None)  # by now it has read, and waits for its turn
    await worker.says(Ready(asked.change))
    applied = await worker.hears()
    await worker.says(Applied(applied.change, "v2"))
    assert await switching == ("v2", "v1")
    await following
    assert (keeper_itself.state.active, keeper_itself.members.active) == ("v2", "v2")


async def test_a_store_that_is_silent_leaves_nothing_of_its_callers_behind(
    keeper_itself: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body of 32 MiB that waits for the garbage collector may wait for hours."""

    class Body:
        pass

    monkeypatch.setattr(keeper_module, "STORE_SECONDS", 0.05)
    keeper_itself.degraded = "known already"  # else it is logged, and pytest keeps what is

    async def ask() -> weakref.ref[Body]:
        body = Body()
        with suppress(StoreUnavailable):
            await keeper_itself.write(lambda _: time.sleep(0.2))
        return weakref.ref(body)

    gc.disable()
    try:
        left = await ask()
        await asyncio.sleep(0.3)
        assert left() is None
    finally:
        gc.enable()
