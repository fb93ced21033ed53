"""Whether a worker can answer, as probes and the Open Inference Protocol ask it."""

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
        return self.trouble() is None

    def trouble(self) -> str | None:
        """Why a load balancer should send requests elsewhere; None if it should not.

        A fallback in place of the active version answers those that come, but other replicas may have the right one.
        """
        if self.draining.announced:
            return "the server is stopping"
        return self._trouble_of_versions()

    def of_version(self, version: str | None) -> bool:
        """Whether a version can answer; without a name, whether the active one is loaded and any can."""
        if version is None:
            return self._trouble_of_versions() is None
        detector = self.registry.snapshot.detectors.get(version)
        return detector is not None and self.breaker.reason(detector) is None

    def _trouble_of_versions(self) -> str | None:
        snapshot = self.registry.snapshot
        if snapshot.active is None:
            return "no version is active"
        if snapshot.missing is not None:
            return f"the active version {snapshot.missing} is not loaded here, {snapshot.active} answers instead"
        if all(map(self.breaker.reason, snapshot.detectors.values())):
            return "every version fails"
        return None
