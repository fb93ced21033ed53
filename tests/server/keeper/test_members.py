"""Workers of which one does not do as it should."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientConnectionResetError, WSServerHandshakeError, web

from server.keeper.changes import Changes
from server.keeper.members import Members
from server.keeper.store_access import StoreAccess
from server.protocol.messages import (
    MEMBERS_PATH,
    Abort,
    Prepare,
    Ready,
)
from tests.server.client import Client
from tests.server.keeper.calls import Call
from tests.server.keeper.scripted_worker import ScriptedWorker

pytestmark = pytest.mark.serial  # workers have 0.3 s to confirm


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


@pytest.mark.usefixtures("impatient")
async def test_a_worker_that_never_is_ready_leaves_all_as_it_was(
    worker: ScriptedWorker, call: Call, changes: Changes, store: StoreAccess, members: Members
) -> None:
    before = changes.state
    answer = await call("POST", "/reversal/models/v2/switch")
    assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
    assert answer.error == "worker 7 did not confirm within 0.3 s: nothing is changed"
    asked = await worker.hears()
    assert isinstance(asked, Prepare)
    assert asked.state.active == "v2"
    assert await worker.hears() == Abort(asked.change)
    assert await store.read(lambda store: store.state()) == before
    assert members.active == "v1"


async def test_a_worker_that_goes_in_the_middle_of_a_change_is_not_waited_for(
    worker: ScriptedWorker, call: Call
) -> None:
    calling = asyncio.ensure_future(call("POST", "/reversal/models/v2/switch"))
    assert isinstance(await worker.hears(), Prepare)
    await worker.goes()
    answer = await calling
    assert answer.data == {"active_version": "v2", "previous_version": "v1"}


async def test_a_worker_that_refuses_has_its_words_passed_on_and_the_others_forget(
    worker: ScriptedWorker, call: Call, changes: Changes
) -> None:
    calling = asyncio.ensure_future(call("POST", "/reversal/models/v2/switch"))
    asked = await worker.hears()
    await worker.says(Ready(asked.change, "MODEL_UNAVAILABLE", "bundle v2: not today"))
    answer = await calling
    assert (answer.status, answer.code, answer.error) == (503, "MODEL_UNAVAILABLE", "bundle v2: not today")
    assert await worker.hears() == Abort(asked.change)
    assert changes.state.active is None
