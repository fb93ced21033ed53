from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from contextlib import suppress
from typing import Any

import pytest

from core.errors import StoreUnavailable
from core.journals.drainer import Drainer, DrainResult
from core.store.interface import Store
from server.keeper import store_access
from server.keeper.store_access import StoreAccess
from tests.server.keeper.calls import Call


async def test_a_store_that_hangs_counts_as_unavailable(
    call: Call, store: StoreAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_access, "STORE_SECONDS", 0.3)
    frozen = threading.Event()
    hanging = asyncio.ensure_future(store.write(lambda _: frozen.wait(20)))
    with pytest.raises(StoreUnavailable, match="10 s"):
        await hanging
    answer = await call("POST", "/reversal/models/v2/switch")
    assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
    assert store.degraded is not None
    frozen.set()
    monkeypatch.setattr(store_access, "STORE_SECONDS", 10.0)
    assert (await call("POST", "/reversal/models/v2/switch")).status == 200
    assert store.degraded is None


async def test_a_store_that_does_not_answer_keeps_no_reference_to_the_request(
    store: StoreAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The garbage collector may free a body of 32 MiB only after hours."""

    class Body:
        pass

    monkeypatch.setattr(store_access, "STORE_SECONDS", 0.05)
    frozen, thawed = threading.Event(), threading.Event()
    store.degraded = "known already"  # otherwise the error is logged, and pytest keeps it

    async def ask() -> weakref.ref[Body]:
        body = Body()
        with suppress(StoreUnavailable):
            await store.write(lambda _: frozen.wait(20))
        return weakref.ref(body)

    gc.disable()
    try:
        left = await ask()
        frozen.set()
        monkeypatch.setattr(store_access, "STORE_SECONDS", 10.0)
        await store.write(lambda _: thawed.set())  # runs after the call that hung
        assert thawed.is_set()
        assert left() is None
    finally:
        gc.enable()


async def test_a_call_that_was_answered_while_the_journals_were_drained_is_not_made_later(
    store: StoreAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_access, "STORE_SECONDS", 0.3)
    frozen, made = threading.Event(), list[str]()
    drain = Drainer.drain

    def slow(self: Drainer, *arguments: Any) -> DrainResult:  # noqa: ANN401 - those of the original
        frozen.wait(20)
        return drain(self, *arguments)

    monkeypatch.setattr(Drainer, "drain", slow)
    with pytest.raises(StoreUnavailable):
        await store.write(lambda _: made.append("late"))
    frozen.set()
    monkeypatch.setattr(store_access, "STORE_SECONDS", 10.0)
    await store.write(lambda _: made.append("in time"))
    assert made == ["in time"]


async def test_a_store_that_cannot_be_read_is_degraded_until_it_can(store: StoreAccess) -> None:
    """Even if it can be written, for example because the server allows no second connection."""

    def refuse(_: Store) -> None:
        raise StoreUnavailable("too many connections")

    with pytest.raises(StoreUnavailable):
        await store.read(refuse)
    await store.drain()
    await store.read(lambda store: store.experiments())
    await store.drain()
    assert store.degraded == "too many connections"
    await store.check_access()
    await store.drain()
    assert store.degraded is None


async def test_a_shared_store_is_drained_more_often(store: StoreAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keepers of other machines know only what is in the store."""
    assert store.rest_seconds == store_access.REST_SECONDS  # a file
    await store.read(lambda it: monkeypatch.setattr(it, "is_shared", True))
    assert store.rest_seconds == store_access.SHARED_REST_SECONDS < store_access.REST_SECONDS
