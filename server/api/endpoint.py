"""The declaration of one endpoint, from which its route, its checks and its description follow."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Literal, TypeAlias

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from server.api.schemas.json_schema import Schema
from server.auth.access import Level
from server.http.bodies import sizes
from server.http.errors import ENVELOPE, FailureForm

Method: TypeAlias = Literal["GET", "POST"]
Process: TypeAlias = Literal["worker", "keeper"]

_READING = ("MALFORMED_JSON", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "VALIDATION_ERROR", "DEADLINE_EXCEEDED")


class BadEndpoint(Exception):
    """A row of the table that cannot be served. The message names the row and what to change."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of the table of endpoints."""

    method: Method
    path: str
    summary: str
    _: KW_ONLY
    # Its name in a generated client.
    operation_id: str
    # Workers receive the requests of all endpoints, and forward those that the keeper answers.
    answered_by: Process
    # `module.function`, of server/worker/handlers or server/keeper/handlers.
    handler: str
    # The token that it needs. Every call of an ADMIN endpoint is written into the audit log.
    level: Level = Level.API
    # The type of its body; null if it takes none.
    request: type[msgspec.Struct] | None = None
    # Whether a body must be sent, and further content types of bodies, which no schema describes.
    requires_body: bool = True
    other_bodies: tuple[str, ...] = ()
    # The most bytes of a body, both as it was sent and decompressed.
    largest_body: int = sizes.SMALL
    # The schema of each query parameter.
    query: Mapping[str, Schema] = field(default_factory=dict)
    # The name in ANSWERS of server/api/schemas: that of the envelope's `data`, or with `bare` that of the whole answer.
    # Null if no schema describes the answer.
    answer: str | None = None
    bare: bool = False
    # The status of a success, and whether the same answer can also have the status 503.
    status: int = 200
    unwell: bool = False
    media: tuple[str, ...] = ("application/json",)
    # Further content types, of pages that no schema describes.
    pages: tuple[str, ...] = ()
    # The codes of its failures, in addition to `implied_codes` and those of its level.
    codes: tuple[str, ...] = ()
    # The codes of its failures that name a place in the body. In an envelope they are 422, whatever their usual status.
    codes_in_body: tuple[str, ...] = ()
    # The form of its failures.
    failures: FailureForm = ENVELOPE
    # Whether /metrics counts its failures as failed predictions.
    is_prediction: bool = False

    def __post_init__(self) -> None:
        """Raise BadEndpoint for a row that contradicts itself."""
        if self.level is Level.ADMIN and self.answered_by != "keeper":
            raise BadEndpoint(f"{self}: an ADMIN endpoint is answered by the keeper, which writes the audit log")
        if self.level is Level.ADMIN and self.bare:
            raise BadEndpoint(
                f"{self}: the answer of an ADMIN endpoint has the envelope, because the audit log keeps its data"
            )
        if self.level is Level.OPEN and self.answered_by != "worker":
            raise BadEndpoint(
                f"{self}: an OPEN endpoint is answered by a worker: the keeper gets no request without a token"
            )
        if self.request is not None and self.method != "POST":
            raise BadEndpoint(f"{self}: only a POST has a body")

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def implied_codes(self) -> tuple[str, ...]:
        """The codes of failures while a body is read, which every POST may have, and while a request is forwarded."""
        is_read = self.method == "POST"
        if self.answered_by == "worker":
            return _READING if is_read else ()
        return (*_READING, "OVERLOADED", "STORE_UNAVAILABLE") if is_read else ("STORE_UNAVAILABLE",)

    def handler_in(self, handlers: ModuleType) -> Handler:
        """The function that answers it, in a module of the package. Raises BadEndpoint if there is none."""
        module, _, name = self.handler.partition(".")
        where = f"{handlers.__name__}.{module}"
        try:
            found: Handler = getattr(import_module(where), name)
        except ModuleNotFoundError as error:
            if error.name != where:  # the module exists, but its own imports fail
                raise
            raise BadEndpoint(f"{self}: there is no module {where}") from None
        except AttributeError:
            raise BadEndpoint(f"{self}: there is no function {name!r} in {where}") from None
        if not inspect.iscoroutinefunction(found):
            raise BadEndpoint(f"{self}: {where}.{name} is not a coroutine function")
        return found

    def route(self, handler: Handler) -> web.RouteDef:
        """The route to a handler. A GET also answers HEAD."""
        return (web.get if self.method == "GET" else web.post)(self.path, handler)
