from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, nullcontext
from datetime import datetime
from pathlib import Path

import pytest

from core.store.interface import Store
from core.store.opening import open_store
from tests.migration.old_service import OldService
from tests.postgres import any_postgres, database


@pytest.fixture
def old(tmp_path: Path) -> OldService:
    """The old service, on an empty folder."""
    return OldService(tmp_path / "experiments", datetime(2026, 11, 28, 11, 14, 52, 698_676))  # noqa: DTZ001 - as there


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a PostgreSQL server."""
    with any_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of either kind."""
    sqlite = request.param == "sqlite"
    named = nullcontext(f"sqlite:///{tmp_path}/state.db") if sqlite else database(request.getfixturevalue("server"))
    with named as url, closing(open_store(url)) as store:
        yield store
