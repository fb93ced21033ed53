"""Changes that are stored but not confirmed, and changes that another replica makes at the same time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import pytest

from core.errors import StoreUnavailable
from core.experiments.experiment import ChosenRule
from core.experiments.label_rule import DAILY
from core.serving.state import State
from core.store.interface import Store
from server.keeper import transitions
from server.keeper.changes import Changes
from server.keeper.fleet.members import Members
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
async def test_a_change_that_a_worker_prepares_but_does_not_apply_is_undone(
    worker: ScriptedWorker, call: Call, changes: Changes, store: StoreAccess
) -> None:
    assert (await call("POST", "/reversal/experiments", EXPERIMENT)).status == 201
    before = changes.state
    calling = asyncio.ensure_future(call("POST", "/reversal/experiments/exp/activate"))
    asked = await worker.receive()
    await worker.send(Ready(asked.change))
    applied = await worker.receive()
    assert isinstance(applied, Apply)
    assert applied.until is not None
    assert applied.until <= time.monotonic() + 0.3
    answer = await calling
    assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
    # The store and the other worker have the previous state again, the worker before the client has its answer.
    stored = await store.read(lambda store: store.state())
    assert stored == changes.state == msgspec.structs.replace(before, revision=before.revision + 2)
    assert (await call("GET", "/reversal/experiments")).data["experiments"][0]["status"] == "draft"
    # Immediately, and again when the store has it as well.
    given = [await worker.receive() for _ in range(2)]
    assert [back.state for back in given if isinstance(back, Prepare)] == [before, stored]
    for back in given:
        await worker.send(Ready(back.change))
        assert await worker.receive() == Apply(back.change)


@pytest.mark.usefixtures("impatient", "client")
async def test_a_confirmation_during_a_slow_write_of_the_state_file_is_not_lost(
    changes: Changes, store: StoreAccess, members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RememberedState, "write", lambda *_: time.sleep(0.6))
    state = changes.state
    changed = await store.write(lambda store: store.change(state.revision, state.switching("v2")))
    await changes.follow()
    assert changes.state == changed
    assert members.active == "v2"


async def test_a_stored_change_that_was_answered_with_503_is_undone_when_the_store_is_back(
    worker: ScriptedWorker, call: Call, changes: Changes, store: StoreAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store commits the change and fails before it confirms."""
    before = changes.state
    commit = transitions.commit

    def lost(change: Transition, store: Store) -> State:
        commit(change, store)
        monkeypatch.setattr(transitions, "commit", commit)
        raise StoreUnavailable("gone")

    monkeypatch.setattr(transitions, "commit", lost)
    calling = asyncio.ensure_future(call("POST", "/reversal/models/v2/switch"))
    asked = await worker.receive()
    await worker.send(Ready(asked.change))
    assert (await calling).status == 503
    assert await worker.receive() == Abort(asked.change)
    await changes.follow()
    stored = await store.read(lambda store: store.state())
    assert stored.active == before.active
    assert stored == changes.state == msgspec.structs.replace(before, revision=before.revision + 2)


@pytest.mark.parametrize("planning", ["stop", "load"])
async def test_a_rule_that_is_chosen_meanwhile_neither_prevents_the_undoing_of_a_change_nor_is_lost(
    call: Call, store: StoreAccess, planning: str
) -> None:
    await call("POST", "/reversal/experiments", EXPERIMENT)
    await call("POST", "/reversal/experiments/exp/activate")
    plan = transitions.stopping("exp", "enough") if planning == "stop" else transitions.loading("v2")
    rules = [ChosenRule(msgspec.structs.replace(DAILY, horizon=horizon), "1d", 1) for horizon in (5, 6)]

    def undone(store: Store) -> tuple[State, State]:
        planned = plan(store)
        store.choose_rule("exp", rules[0], replace=False)
        stored = transitions.commit(planned, store)
        store.choose_rule("exp", rules[1], replace=True)
        return stored, transitions.commit_unless_changed(planned.undoing(stored), store)

    stored, after = await store.write(undone)
    assert after.revision == stored.revision + 1
    assert after.experiment is not None
    (shown,) = (await call("GET", "/reversal/experiments")).data["experiments"]
    assert (shown["status"], [each["rule"]["horizon"] for each in shown["label_rules"]]) == ("active", [5, 6])


async def test_switching_to_the_stored_version_still_asks_the_workers(
    call: Call, changes: Changes, members: Members, models: Path
) -> None:
    assert (await call("POST", "/reversal/models/v2/switch")).status == 200
    (models / "v2" / "manifest.json").write_text("{}")
    members.give(msgspec.structs.replace(changes.state, unloaded=("v2",)), ("v1",))
    answer = await call("POST", "/reversal/models/v2/switch")
    assert (answer.status, answer.code) == (503, "MODEL_UNAVAILABLE")


async def test_a_state_read_during_a_change_does_not_overwrite_it(
    worker: ScriptedWorker, changes: Changes, store: StoreAccess, members: Members
) -> None:
    switching = asyncio.ensure_future(changes.switch("v2"))
    asked = await worker.receive()  # the change is in progress, and not in the store yet
    following = asyncio.ensure_future(changes.follow())
    await store.write(lambda _: None)  # by now `follow` has read the state, and waits for the change
    await worker.send(Ready(asked.change))
    applied = await worker.receive()
    await worker.send(Applied(applied.change, "v2"))
    assert await switching == ("v2", "v1")
    await following
    assert (changes.state.active, members.active) == ("v2", "v2")
