"""Changes that are stored and not confirmed, or made by other replicas meanwhile."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import pytest

from core.errors import StoreUnavailable
from core.serving.state import State
from core.store.interface import Store
from server.keeper import transitions
from server.keeper.changes import Changes
from server.keeper.members import Members
from server.keeper.remembered_state import RememberedState
from server.keeper.store_access import StoreAccess
from server.keeper.transitions import Transition
from server.protocol.messages import (
    Abort,
    Applied,
    Apply,
    Prepare,
    Ready,
)
from tests.server.keeper.calls import EXPERIMENT, Call
from tests.server.keeper.scripted_worker import ScriptedWorker

pytestmark = pytest.mark.serial  # workers have 0.3 s to confirm


@pytest.mark.usefixtures("impatient")
async def test_a_worker_that_is_ready_and_does_not_apply_has_the_change_taken_back(
    worker: ScriptedWorker, call: Call, changes: Changes, store: StoreAccess
) -> None:
    assert (await call("POST", "/reversal/experiments", EXPERIMENT)).status == 201
    before = changes.state
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
    stored = await store.read(lambda store: store.state())
    assert stored == changes.state == msgspec.structs.replace(before, revision=before.revision + 2)
    assert (await call("GET", "/reversal/experiments")).data["experiments"][0]["status"] == "draft"
    for state in (before, stored):  # at once, and again when the store is back as well
        back = await worker.hears()
        assert isinstance(back, Prepare)
        assert back.state == state
        assert await worker.hears() == Apply(back.change)


@pytest.mark.usefixtures("impatient", "client")
async def test_what_another_replica_changed_is_confirmed_however_quick_the_workers_are(
    changes: Changes, store: StoreAccess, members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RememberedState, "write", lambda *_: time.sleep(0.6))
    state = changes.state
    changed = await store.write(lambda store: store.change(state.revision, state.switching("v2")))
    await changes.follow()
    assert changes.state == changed
    assert members.active == "v2"


async def test_what_the_client_was_told_is_not_done_is_undone_once_the_store_is_there(
    worker: ScriptedWorker, call: Call, changes: Changes, store: StoreAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store takes the change and goes away before it says so."""
    before = changes.state
    commit = transitions.commit

    def lost(change: Transition, store: Store) -> State:
        commit(change, store)
        monkeypatch.setattr(transitions, "commit", commit)
        raise StoreUnavailable("gone")

    monkeypatch.setattr(transitions, "commit", lost)
    calling = asyncio.ensure_future(call("POST", "/reversal/models/v2/switch"))
    asked = await worker.hears()
    await worker.says(Ready(asked.change))
    assert (await calling).status == 503
    assert await worker.hears() == Abort(asked.change)
    await changes.follow()
    stored = await store.read(lambda store: store.state())
    assert stored.active == before.active
    assert stored == changes.state == msgspec.structs.replace(before, revision=before.revision + 2)


async def test_switching_to_the_stored_version_still_asks_the_workers(
    call: Call, changes: Changes, members: Members, models: Path
) -> None:
    assert (await call("POST", "/reversal/models/v2/switch")).status == 200
    (models / "v2" / "manifest.json").write_text("{}")
    members.give(msgspec.structs.replace(changes.state, unloaded=("v2",)), ("v1",))
    answer = await call("POST", "/reversal/models/v2/switch")
    assert (answer.status, answer.code) == (503, "MODEL_UNAVAILABLE")


async def test_what_was_read_of_the_store_during_a_change_does_not_undo_it(
    worker: ScriptedWorker, changes: Changes, store: StoreAccess, members: Members
) -> None:
    switching = asyncio.ensure_future(changes.switch("v2"))
    asked = await worker.hears()  # the change is under way, and not in the store yet
    following = asyncio.ensure_future(changes.follow())
    await store.write(lambda _: None)  # by now it has read, and waits for its turn
    await worker.says(Ready(asked.change))
    applied = await worker.hears()
    await worker.says(Applied(applied.change, "v2"))
    assert await switching == ("v2", "v1")
    await following
    assert (changes.state.active, members.active) == ("v2", "v2")
