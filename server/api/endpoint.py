"""What is written down of one endpoint; everything else about it follows from that."""

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

Method: TypeAlias = Literal["GET", "POST"]
Process: TypeAlias = Literal["worker", "keeper"]

_READING = ("MALFORMED_JSON", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "VALIDATION_ERROR", "DEADLINE_EXCEEDED")


class BadEndpoint(Exception):
    """A row of the table that cannot be served; the message names the row and what to change."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of the table of endpoints."""

    method: Method
    path: str
    summary: str
    _: KW_ONLY
    # What a generated client calls it.
    operation_id: str
    # Workers serve every endpoint; what the keeper answers they forward to it.
    answered_by: Process
    # `module.function`, of server/worker/handlers or server/keeper/handlers.
    handler: str
    # The token that it takes. Every call of an ADMIN endpoint is written into the audit log.
    level: Level = Level.API
    # The type of its body; null where it takes none.
    request: type[msgspec.Struct] | None = None
    # The most bytes that a body may have, packed and unpacked.
    largest_body: int = sizes.SMALL
    # The schema of each query parameter.
    query: Mapping[str, Schema] = field(default_factory=dict)
    # The name of its answer in ANSWERS of server/api/schemas: of the envelope's `data`, or with `bare` of the
    # whole; null where no schema tells what it is.
    answer: str | None = None
    bare: bool = False
    # Of a success, and whether the same answer also comes with a 503.
    status: int = 200
    unwell: bool = False
    media: tuple[str, ...] = ("application/json",)
    # Of its failures, beside `implied_codes` and those of its level.
    codes: tuple[str, ...] = ()
    # Of those that blame the body, and are 422 whatever they are elsewhere.
    codes_in_body: tuple[str, ...] = ()
    # Whether /metrics counts its failures as failed predictions.
    is_prediction: bool = False

    def __post_init__(self) -> None:
        """Raise BadEndpoint for a row that contradicts itself."""
        if self.level is Level.ADMIN and self.answered_by != "keeper":
            raise BadEndpoint(f"{self}: an ADMIN endpoint is answered by the keeper, which writes the audit log")
        if self.level is Level.ADMIN and self.bare:
            raise BadEndpoint(f"{self}: the answer of an ADMIN endpoint has the envelope: the audit log keeps its data")
        if self.level is Level.OPEN and self.answered_by != "worker":
            raise BadEndpoint(
                f"{self}: an OPEN endpoint is answered by a worker: without a token the keeper is not reached"
            )
        if self.request is not None and self.method != "POST":
            raise BadEndpoint(f"{self}: only a POST has a body")

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def implied_codes(self) -> tuple[str, ...]:
        """Of the failures that follow from reading a body, which every POST may have, and from being forwarded."""
        is_read = self.method == "POST"
        if self.answered_by == "worker":
            return _READING if is_read else ()
        return (*_READING, "OVERLOADED", "STORE_UNAVAILABLE") if is_read else ("STORE_UNAVAILABLE",)

    def handler_in(self, handlers: ModuleType) -> Handler:
        """The function that answers it, of one of the package's modules. Raises BadEndpoint where there is none."""
        module, _, name = self.handler.partition(".")
        where = f"{handlers.__name__}.{module}"
        try:
            found: Handler = getattr(import_module(where), name)
        except ModuleNotFoundError as error:
            if error.name != where:  # the module is there, but cannot be imported
                raise
            raise BadEndpoint(f"{self}: there is no module {where}") from None
        except AttributeError:
            raise BadEndpoint(f"{self}: there is no function {name!r} in {where}") from None
        if not inspect.iscoroutinefunction(found):
            raise BadEndpoint(f"{self}: {where}.{name} is no coroutine function")
        return found

    def route(self, handler: Handler) -> web.RouteDef:
        """The route that leads to a handler. A GET is answered to HEAD as well."""
        return (web.get if self.method == "GET" else web.post)(self.path, handler)
