"""The keeper follows the changes of other replicas, also if the store fails just then."""

from __future__ import annotations

from typing import cast

import pytest

from core.errors import StoreUnavailable
from server.keeper import app
from server.keeper.changes import Changes
from server.keeper.store_access import StoreAccess


class Notified:
    """A store that notifies of one change."""

    def __init__(self) -> None:
        self.waits = 0

    async def wait_for_change(self, _: float) -> bool:
        self.waits += 1
        return True


class Failing:
    """Changes whose store fails twice."""

    def __init__(self) -> None:
        self.calls = 0

    async def follow(self) -> None:
        self.calls += 1
        if self.calls < 3:
            raise StoreUnavailable("away")


async def test_a_notified_change_is_followed_after_failures_without_another_notification(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app, "FOLLOW_RETRY_SECONDS", 0)
    store, changes = Notified(), Failing()
    await app.follow_other_replicas(cast("StoreAccess", store), cast("Changes", changes))
    assert (store.waits, changes.calls) == (1, 3)
