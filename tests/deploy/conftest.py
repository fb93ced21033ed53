from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.reader import Reader, reading


@pytest.fixture(scope="session")
def reader() -> Iterator[Reader]:
    """A reader of the deployment guide. What it has done on its machine stays for the tests that follow."""
    with reading() as it:
        yield it
