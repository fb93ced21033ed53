"""The committed history and its parts."""

from __future__ import annotations

import pytest

from training import data
from training.__main__ import HISTORY
from training.data import History
from training.dataset import split


@pytest.fixture(scope="session")
def history() -> History:
    return data.read(HISTORY)


@pytest.fixture(scope="session")
def parts(history: History) -> dict[str, History]:
    return split(history)
