"""What a request on the fast path needs of the application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from aiohttp import web

from core.serving.batching import Batcher
from core.serving.routing import Question, Result
from server.auth.access import Access
from server.auth.client_address import ClientAddresses
from server.http.admission import Admission
from server.http.app_keys import ACCESS, ADMISSION, BATCH_ADMISSION, CLIENT_ADDRESSES, CLOCK, REFUSALS, SETTINGS
from server.http.clock import Clock
from server.http.errors import Refusals
from server.logs.request_id import request_id
from server.tracing.requests import TRACER
from server.worker.app_keys import BATCHER, DRAINING, METRICS
from server.worker.draining import Draining
from server.worker.metrics import Metrics
from server.worker.open_inference.infer import InferenceService


class Services(NamedTuple):
    """Objects of the application. timeout_ms: for a request that gives none. access_log: whether there is one.

    identify: returns the id of a request with these headers.
    """

    access: Access
    admission: Admission
    batch_admission: Admission
    batcher: Batcher[Question, Result]
    clock: Clock
    draining: Draining
    metrics: Metrics
    refusals: Refusals
    identify: Callable[[Mapping[str, str]], str]
    inference: InferenceService
    addresses: ClientAddresses
    timeout_ms: int
    access_log: bool

    @classmethod
    def of(cls, app: web.Application) -> Services:
        """Those of an application."""
        return cls(
            access=app[ACCESS],
            admission=app[ADMISSION],
            batch_admission=app[BATCH_ADMISSION],
            batcher=app[BATCHER],
            clock=app[CLOCK],
            draining=app[DRAINING],
            metrics=app[METRICS],
            refusals=app[REFUSALS],
            identify=app[TRACER].identify if TRACER in app else request_id,
            inference=InferenceService.of(app),
            addresses=app[CLIENT_ADDRESSES],
            timeout_ms=app[SETTINGS].request_timeout_ms,
            access_log=app[SETTINGS].access_log,
        )
