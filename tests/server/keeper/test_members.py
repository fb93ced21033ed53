"""Changes in which one worker does not respond, disconnects or refuses."""

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


async def test_a_worker_that_ends_before_it_has_joined_is_not_logged_as_an_error(
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
async def test_a_change_that_a_worker_never_confirms_is_not_made(
    worker: ScriptedWorker, call: Call, changes: Changes, store: StoreAccess, members: Members
) -> None:
    before = changes.state
    answer = await call("POST", "/reversal/models/v2/switch")
    assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
    assert "worker 7 " in (answer.error or "")
    assert " 0.3 s" in (answer.error or "")
    asked = await worker.receive()
    assert isinstance(asked, Prepare)
    assert asked.state.active == "v2"
    assert await worker.receive() == Abort(asked.change)
    assert await store.read(lambda store: store.state()) == before
    assert members.active == "v1"


async def test_a_worker_that_disconnects_during_a_change_is_not_waited_for(worker: ScriptedWorker, call: Call) -> None:
    calling = asyncio.ensure_future(call("POST", "/reversal/models/v2/switch"))
    assert isinstance(await worker.receive(), Prepare)
    await worker.disconnect()
    answer = await calling
    assert answer.data == {"active_version": "v2", "previous_version": "v1"}


async def test_a_refusal_is_passed_on_and_the_other_workers_abort(
    worker: ScriptedWorker, call: Call, changes: Changes
) -> None:
    calling = asyncio.ensure_future(call("POST", "/reversal/models/v2/switch"))
    asked = await worker.receive()
    await worker.send(Ready(asked.change, "MODEL_UNAVAILABLE", "bundle v2: not today"))
    answer = await calling
    assert (answer.status, answer.code, answer.error) == (503, "MODEL_UNAVAILABLE", "bundle v2: not today")
    assert await worker.receive() == Abort(asked.change)
    assert changes.state.active is None
