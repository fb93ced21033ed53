"""gRPC's server in a worker. All workers listen on the same port, and the kernel gives each connection to one of them.

It is made after the fork, because gRPC's threads do not survive one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import grpc
from aiohttp import web

from server.auth.access import Level
from server.auth.tls import Certificate
from server.grpc.calls import Calls, Method
from server.grpc.handlers.health import HEALTH, Health
from server.grpc.handlers.inference import InferenceCalls
from server.grpc.handlers.models import ModelCalls
from server.grpc.handlers.reflection import REFLECTION, Reflection
from server.grpc.handlers.repository import RepositoryCalls
from server.http.app_keys import CERTIFICATE, SETTINGS
from server.http.bodies import sizes
from server.settings import Settings
from server.worker.app_keys import KEEPER_CLIENT
from server.worker.open_inference.readiness import Readiness

# Calls in progress on one connection. Further ones wait in the client.
_MOST_STREAMS = 1_000
# A client may ask for signs of life this often. With gRPC's own limit of five minutes, most settings of clients end
# their connections.
_PING_MS = 10_000
_MESSAGE_BYTES = sizes.TENSORS
_METADATA_BYTES = 16 * 1024
# How long a port that stops waits for clients without a call to close their connections.
_LINGER_SECONDS = 1.0
_LOOK_SECONDS = 0.05


class GrpcPort:
    """Serves an application over gRPC."""

    def __init__(self, app: web.Application, addresses: Sequence[str]) -> None:
        """`addresses`: those to listen on, each with its port. Call it inside the event loop."""
        self._server = grpc.aio.server(options=_options(app[SETTINGS]))
        self._health = Health(Readiness.of(app))
        self._open = AsyncExitStack()
        self._calls = Calls(app, methods(app) | standard_methods(app, self._health))
        self._server.add_generic_rpc_handlers((self._calls,))
        for address in addresses:
            if CERTIFICATE in app:
                self._server.add_secure_port(address, _credentials(app[CERTIFICATE]))
            else:
                self._server.add_insecure_port(address)

    async def start(self) -> None:
        """Begin to accept connections."""
        await self._open.enter_async_context(self._health.following())
        await self._server.start()

    async def stop(self, seconds: float, hurry: asyncio.Event) -> None:
        """Accept no more calls, and wait for those in progress: for at most some seconds, or until `hurry` is set.

        Clients are told at once that their connections close. Those that do not answer, as if their machine were gone,
        are not waited for: gRPC would wait for them as for calls.
        """
        await self._open.aclose()
        stopping = asyncio.create_task(self._server.stop(seconds))
        ends = [asyncio.create_task(hurry.wait()), asyncio.create_task(self._idle())]
        await asyncio.wait((stopping, *ends), return_when=asyncio.FIRST_COMPLETED)
        for each in ends:
            each.cancel()
        if not stopping.done():
            await self._server.stop(None)
        await asyncio.gather(*ends, return_exceptions=True)
        await stopping

    async def _idle(self) -> None:
        """Wait until no call has been in progress for _LINGER_SECONDS, in which the last answers leave."""
        quiet = 0.0
        while quiet < _LINGER_SECONDS:
            await asyncio.sleep(_LOOK_SECONDS)
            quiet = 0.0 if self._calls.in_progress else quiet + _LOOK_SECONDS


def methods(app: web.Application) -> dict[str, Method]:
    """The methods by name. ModelStreamInfer is not one of them, because no detector answers a request in parts."""
    models, repository = ModelCalls(app), RepositoryCalls(app[KEEPER_CLIENT])
    return {
        "ModelInfer": Method(InferenceCalls(app).infer),
        "ServerLive": Method(models.live, Level.OPEN),
        "ServerReady": Method(models.ready, Level.OPEN),
        "ModelReady": Method(models.model_ready),
        "ServerMetadata": Method(models.server),
        "ModelMetadata": Method(models.metadata),
        "ModelConfig": Method(models.configuration),
        "ModelStatistics": Method(models.statistics),
        "RepositoryIndex": Method(models.index),
        "RepositoryModelLoad": Method(repository.load, Level.ADMIN),
        "RepositoryModelUnload": Method(repository.unload, Level.ADMIN),
    }


def standard_methods(app: web.Application, health: Health) -> dict[str, Method]:
    """Those of the standard services. Probes send no token; the description needs one, as over HTTP."""
    reflection = Reflection(app[SETTINGS].request_timeout_ms / 1e3)
    return {
        "Check": Method(health.check, Level.OPEN, HEALTH),
        "Watch": Method(health.watch, Level.OPEN, HEALTH, streams=True),
        "ServerReflectionInfo": Method(reflection.describe, Level.API, REFLECTION, streams=True),
    }


def _options(settings: Settings) -> list[tuple[str, Any]]:
    return [
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", _MESSAGE_BYTES),
        # The library measures connections, and lets each call on a fast one send megabytes that nothing reads. Without
        # its probe they are 64 KiB. Of a message that is being read, 1 MiB is on its way in both cases.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.max_metadata_size", _METADATA_BYTES),
        ("grpc.max_concurrent_streams", _MOST_STREAMS),
        ("grpc.max_connection_idle_ms", settings.keepalive_seconds * 1_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", _PING_MS),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", _PING_MS),
    ]


def _credentials(certificate: Certificate) -> grpc.ServerCredentials:
    """Present the certificate that is in use when a client connects."""
    shown = certificate.pem

    def configuration() -> grpc.ServerCertificateConfiguration:
        chain, key = certificate.pem
        return grpc.ssl_server_certificate_configuration([(key, chain)])

    def changed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal shown
        if certificate.pem is shown:
            return None
        shown = certificate.pem
        return configuration()

    return grpc.dynamic_ssl_server_credentials(configuration(), changed)  # type: ignore[arg-type] # None: no change
