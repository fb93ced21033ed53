from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.server.grpc.caller import Caller, served
from tests.server.worker_fixture import Worker


@pytest.fixture
async def caller(worker: Worker) -> AsyncIterator[Caller]:
    """A client of the worker's port of gRPC."""
    async with served(worker.app) as made:
        yield made
