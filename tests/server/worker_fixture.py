"""A worker without a keeper: the test sets the state that it serves, and reads its journal."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from core.bundles.repository import Repository
from core.experiments.experiment import Experiment
from core.experiments.records import Beside, Exposure, Record
from core.serving.state import State
from server.auth.credentials import Credentials
from server.settings import Settings
from server.worker import resources
from server.worker.app import make_app
from server.worker.app_keys import CIRCUIT_BREAKER, JOURNAL, METRICS, PREDICTOR, REGISTRY, SHADOW
from tests import described
from tests.core.journals import samples
from tests.server.client import Client, assert_envelope

USER_KEY = bytes(range(16))


def experiment(**fields: Any) -> Experiment:  # noqa: ANN401
    """A running experiment of v1 and v2. Its id assigns user123 to A and alice to B."""
    running: dict[str, Any] = {
        "experiment_id": "v30_vs_v31",
        "name": "Test",
        "variant_a": "v1",
        "variant_b": "v2",
        "traffic_split": 0.5,
        "status": "active",
        "created_at": 0,
        "activated_at": 0,
    }
    return Experiment(**running | fields)


@asynccontextmanager
async def running(
    settings: Settings, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> AsyncIterator[Worker]:
    """A worker and its client."""
    worker = await asyncio.to_thread(Worker, settings)
    worker.client = await aiohttp_client(worker.app)
    yield worker


class Worker:
    """The application of a worker that follows no keeper.

    `serve` must be called before the first request.
    """

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.journal_folder
        self._folder.mkdir(parents=True)  # as the keeper does
        self._repository = Repository(settings.models)
        self.app = app = make_app(settings, Credentials(settings), settings.journals / "no keeper")
        app.cleanup_ctx.remove(resources.keeper)
        app.on_response_prepare.append(described.preparing)
        self.registry, self.metrics, self.journal = app[REGISTRY], app[METRICS], app[JOURNAL]
        self.shadow, self.breaker, self.predictor = app[SHADOW], app[CIRCUIT_BREAKER], app[PREDICTOR]
        self.client: Client

    async def serve(
        self, running: Experiment | None = None, *, active: str | None = "v1", without: tuple[str, ...] = ()
    ) -> None:
        """Apply a state as if the keeper had sent it."""

        def change() -> None:
            revision = self.registry.snapshot.revision + 1
            state = State(
                revision=revision, active=active, unloaded=without, experiment=running, user_key=USER_KEY.hex()
            )
            order = self._repository.listing().versions
            self.registry.apply(self.registry.prepare(state, order))

        await asyncio.to_thread(change)

    async def post(self, path: str, body: object) -> tuple[int, dict[str, Any]]:
        """The status and the envelope."""
        headers = {"Content-Type": "application/json"}
        response = await self.client.post(path, data=json.dumps(body), headers=headers)
        answer: dict[str, Any] = await response.json()
        assert_envelope(response.status, answer)
        return response.status, answer

    async def predict(self, body: object) -> dict[str, Any]:
        """The data of a prediction that must succeed."""
        status, answer = await self.post("/reversal/predict", body)
        assert status == 200, answer
        data: dict[str, Any] = answer["data"]
        return data

    async def records(self) -> list[Record]:
        """The records in the journal, without those of `beside`, which a timer writes."""
        return [record for record in await self._written() if not isinstance(record, Beside)]

    async def beside(self) -> dict[tuple[str, str], int]:
        """The predictions beside experiments, by experiment and reason."""
        self.predictor.beside.flush()
        found: Counter[tuple[str, str]] = Counter()
        for record in await self._written():
            if isinstance(record, Beside):
                found[record.experiment_id, record.reason] += record.count
        return dict(found)

    async def _written(self) -> list[Record]:
        return await asyncio.to_thread(samples.written, self._folder)

    async def exposures(self) -> list[Exposure]:
        """The exposures in the journal."""
        return [record for record in await self.records() if isinstance(record, Exposure)]

    async def numbers(self) -> dict[str, float]:
        """The numbers of /metrics by series."""
        response = await self.client.get("/metrics")
        assert response.status == 200
        lines = (await response.text()).splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}
