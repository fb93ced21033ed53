from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import bundles
from tests.postgres import Server, running_postgres


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """v1 and v2 take the same small matrix; v1 is active where nobody has said otherwise."""
    folder = tmp_path_factory.mktemp("models")
    bundles.write(folder, "v1")
    bundles.write(folder, "v2", threshold=0.6)
    bundles.write_order(folder, "v1", "v2")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server that tests may stop, if they start it again."""
    with running_postgres() as server:
        yield server
