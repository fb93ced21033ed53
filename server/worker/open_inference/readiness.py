"""Whether a worker can answer, as the Open Inference Protocol asks it."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web

from core.serving.circuit_breaker import CircuitBreaker
from core.serving.registry import Registry
from server.worker.app_keys import CIRCUIT_BREAKER, DRAINING, REGISTRY
from server.worker.draining import Draining


class Readiness(NamedTuple):
    """What decides whether a worker can answer."""

    registry: Registry
    breaker: CircuitBreaker
    draining: Draining

    @classmethod
    def of(cls, app: web.Application) -> Readiness:
        """That of a worker's application."""
        return cls(app[REGISTRY], app[CIRCUIT_BREAKER], app[DRAINING])

    def of_server(self) -> bool:
        """Whether the server is ready for requests, as /readyz says."""
        return not self.draining.announced and self._any()

    def of_version(self, version: str | None) -> bool:
        """Whether a version can answer; without a name, whether any can."""
        if version is None:
            return self._any()
        detector = self.registry.snapshot.detectors.get(version)
        return detector is not None and self.breaker.reason(detector) is None

    def _any(self) -> bool:
        """Whether there is an active version, and any version can answer."""
        snapshot = self.registry.snapshot
        return snapshot.active is not None and not all(map(self.breaker.reason, snapshot.detectors.values()))
