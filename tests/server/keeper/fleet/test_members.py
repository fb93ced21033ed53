"""Changes in which one worker does not respond, disconnects or refuses."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from aiohttp import ClientConnectionResetError, WSServerHandshakeError, web

from server.keeper.changes import Changes
from server.keeper.fleet.members import Members
from server.keeper.store_access import StoreAccess
from server.protocol.messages import (
    MEMBERS_PATH,
    Abort,
    Applied,
    Apply,
    Prepare,
    Ready,
)
from tests.server.client import Client
from tests.server.keeper.calls import Call
from tests.server.keeper.scripted_worker import ScriptedWorker
from tests.waiting import until

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


async def test_a_worker_that_joins_with_another_bundle_loads_that_of_the_others_before_it_serves(
    client: Client, members: Members
) -> None:
    agreed = members.agreement.served
    assert agreed is not None
    other = msgspec.structs.replace(agreed, digests=agreed.digests | {"v1": "f00d"})
    async with client.ws_connect(f"{MEMBERS_PATH}?pid=7") as websocket:
        worker = ScriptedWorker(websocket)
        given = await worker.receive()
        assert isinstance(given, Prepare)
        assert given.served == agreed
        await worker.send(Ready(given.change, served=other))
        assert await worker.receive() == given
        assert not members.idle
        await worker.send(Ready(given.change, served=agreed))
        assert await worker.receive() == Apply(given.change)
        await worker.send(Applied(given.change, "v1"))
        await until(lambda: members.idle)


async def test_a_worker_that_cannot_load_the_bundle_of_the_others_serves_its_own_and_is_logged(
    client: Client, members: Members, caplog: pytest.LogCaptureFixture
) -> None:
    agreed = members.agreement.served
    assert agreed is not None
    other = msgspec.structs.replace(agreed, digests=agreed.digests | {"v1": "f00d"})
    async with client.ws_connect(f"{MEMBERS_PATH}?pid=7") as websocket:
        worker = ScriptedWorker(websocket)
        for _ in range(2):
            given = await worker.receive()
            await worker.send(Ready(given.change, served=other))
        assert await worker.receive() == Apply(given.change)
        await worker.send(Applied(given.change, "v1"))
        await until(lambda: members.idle)
    assert members.agreement.served == agreed
    assert 'worker_differs worker="worker 7" versions=v1 effect=' in caplog.text


async def test_workers_that_load_different_bundles_change_nothing(
    worker: ScriptedWorker, call: Call, changes: Changes, members: Members
) -> None:
    agreed = members.agreement.served
    assert agreed is not None
    calling = asyncio.ensure_future(call("POST", "/reversal/models/v2/load"))
    asked = await worker.receive()
    await worker.send(
        Ready(asked.change, served=msgspec.structs.replace(agreed, digests=agreed.digests | {"v2": "f00d"}))
    )
    answer = await calling
    assert (answer.status, answer.code) == (409, "CONFLICT")
    assert "bundle v2 was replaced during the change" in (answer.error or "")
    assert await worker.receive() == Abort(asked.change)
    assert changes.state.loads == {}
    assert members.agreement.served == agreed
