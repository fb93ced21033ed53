from __future__ import annotations

import asyncio

import pytest

from server.keeper.dashboard import subscription
from server.keeper.dashboard.subscription import MOST_WAITING, PING, Subscription


async def test_waiting_events_come_together_and_in_order() -> None:
    page = Subscription()
    getting = asyncio.create_task(page.get())
    await asyncio.sleep(0)
    page.put(b"a")
    page.put(b"b")
    assert await getting == b"ab"
    page.put(b"c")
    page.end()
    page.put(b"d")
    assert [await page.get(), await page.get()] == [b"c", None]


async def test_a_page_that_does_not_read_is_closed_and_takes_no_memory() -> None:
    page = Subscription()
    for _ in range(MOST_WAITING):
        page.put(b"event")
    assert await page.get() == b"event" * MOST_WAITING
    for _ in range(MOST_WAITING + 1):
        page.put(b"event")
    assert page.ended
    assert await page.get() is None


async def test_a_comment_is_sent_while_there_is_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription, "PING_SECONDS", 0.01)
    page = Subscription()
    assert await page.get() == PING
    page.put(b"event")
    assert await page.get() == b"event"
