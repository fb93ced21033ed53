from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from contextlib import suppress

import pytest

from core.errors import StoreUnavailable
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
