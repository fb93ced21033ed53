"""A worker without a keeper: the test itself says what is served, and reads what the journal holds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from core.bundles.repository import Repository
from core.experiments.experiment import Experiment
from core.experiments.records import Exposure, Record
from core.journals.journal import Journal
from core.serving.batching import Batcher
from core.serving.circuit_breaker import CircuitBreaker
from core.serving.registry import Registry
from core.serving.state import State
from server.api import endpoints
from server.api.known_places import known_part
from server.auth.access import Access
from server.auth.hosts import Hosts
from server.auth.origins import refusing
from server.http.admission import Admission
from server.http.app_keys import ACCESS, ADMISSION, BATCH_ADMISSION, CLOCK, REFUSALS, SETTINGS
from server.http.bodies.body import CONNECTIONS
from server.http.clock import Clock
from server.http.errors import Refusals, errors
from server.http.headers import preparing
from server.settings import Settings
from server.worker.app_keys import BATCHER, CIRCUIT_BREAKER, DRAINING, JOURNAL, METRICS, PREDICTOR, REGISTRY, SHADOW
from server.worker.draining import Draining
from server.worker.metrics import Metrics
from server.worker.predictor import Predictor
from server.worker.routes import add_routes
from server.worker.shadow import Shadow
from tests import described
from tests.core.journals import samples
from tests.server.client import Client, assert_envelope

USER_KEY = bytes(range(16))


def experiment(**fields: Any) -> Experiment:  # noqa: ANN401
    """A running one of v1 and v2. By its id, user123 falls to A and alice to B."""
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
    settings: Settings, folder: Path, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> AsyncIterator[Worker]:
    """A worker and its client, until the end of the test."""
    worker = await asyncio.to_thread(Worker, settings, folder / "journals")
    worker.client = await aiohttp_client(worker.app)
    yield worker
    await worker.shadow.close()
    await asyncio.to_thread(worker.journal.close)


class Worker:
    """The application and what it is made of. `serve` has to be called before the first request."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._folder = folder
        self._repository = Repository(settings.models)
        self.registry = Registry(self._repository, refuse_out_of_range=settings.out_of_range == "refuse")
        self.metrics = Metrics()
        self.journal = Journal(folder, bound_bytes=1 << 30, memory_records=1000)
        self.shadow = Shadow(lambda: self.registry.snapshot, self.journal, self.metrics)
        self.breaker = CircuitBreaker()
        clock = Clock(settings.timezone)
        refusals = Refusals(clock, known_part, endpoints.predictions(), self.metrics.count_error)
        access = Access([], hosts=Hosts(()))
        self.app = app = web.Application(middlewares=[errors(refusals), refusing(access)], handler_args=CONNECTIONS)
        app.on_response_prepare.extend((preparing(()), described.preparing))
        app[SETTINGS], app[REGISTRY], app[CLOCK], app[REFUSALS] = settings, self.registry, clock, refusals
        app[JOURNAL], app[METRICS], app[SHADOW] = self.journal, self.metrics, self.shadow
        app[DRAINING], app[CIRCUIT_BREAKER], app[ACCESS] = Draining(), self.breaker, access
        app[ADMISSION], app[BATCH_ADMISSION] = Admission(settings.max_in_flight), Admission(1)
        self.predictor = app[PREDICTOR] = Predictor(
            self.registry, self.journal, self.metrics, self.shadow, self.breaker
        )
        app[BATCHER] = Batcher(self.predictor.answer, 32)
        add_routes(app)
        self.client: Client

    async def serve(
        self, running: Experiment | None = None, *, active: str = "v1", without: tuple[str, ...] = ()
    ) -> None:
        """Apply a state as the keeper would send it."""

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
        """The data of an answer that must be one."""
        status, answer = await self.post("/reversal/predict", body)
        assert status == 200, answer
        data: dict[str, Any] = answer["data"]
        return data

    async def records(self) -> list[Record]:
        """What the journal holds now."""
        return await asyncio.to_thread(samples.written, self._folder)

    async def exposures(self) -> list[Exposure]:
        """Those of them."""
        return [record for record in await self.records() if isinstance(record, Exposure)]

    async def numbers(self) -> dict[str, float]:
        """What /metrics tells, by series."""
        response = await self.client.get("/metrics")
        assert response.status == 200
        lines = (await response.text()).splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}
