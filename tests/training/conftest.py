"""The committed history and its parts."""

from __future__ import annotations

import pytest

from lab import history as histories
from lab.history import History
from training.__main__ import HISTORY
from training.dataset import split


@pytest.fixture(scope="session")
def history() -> History:
    return histories.read(HISTORY)


@pytest.fixture(scope="session")
def parts(history: History) -> dict[str, History]:
    return split(history)
