"""The committed histories."""

from __future__ import annotations

import pytest

from lab import history as histories
from lab.history import History
from training.__main__ import HISTORY


@pytest.fixture(scope="session")
def history() -> History:
    return histories.read(HISTORY)


@pytest.fixture(scope="session")
def broker() -> list[History]:
    return histories.read_all()
