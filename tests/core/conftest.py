from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.journals.samples import Ledger


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journals"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "ledger")
    yield opened
    opened.close()
