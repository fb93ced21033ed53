"""The access log: one line for each answered request. It is off unless REVERSAL_ACCESS_LOG is 1."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Any, NamedTuple

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.web_request import BaseRequest

from core.log_event import LogEvent
from server.auth.client_address import FORWARDED_FOR, ClientAddresses
from server.http.app_keys import ADDRESS, CALLER
from server.http.connections.peer import peer_of
from server.http.request_log.request_ids import id_of

log = logging.getLogger(__name__)

_BEGAN = web.RequestKey("began", float)  # of time.perf_counter

# A longer path is cut: it can have 8 KiB.
_LONGEST_PATH = 200


def options(*, wanted: bool) -> dict[str, Any]:
    """What aiohttp's connections are given, so that they write the log or none."""
    return {"access_log": log, "access_log_class": AccessLog} if wanted else {"access_log": None}


class AccessEntry(NamedTuple):
    """An answered request.

    path: as sent, without the query, whose values can be private. size: of the answer's body, in bytes. seconds: from
    the request's head to the end of its answer. caller: the name of its token.
    """

    method: str
    path: str
    status: int
    size: int
    seconds: float
    caller: str
    address: str
    request_id: str


def note(entry: AccessEntry) -> None:
    """Log an answered request."""
    path = entry.path
    event = LogEvent(
        "request_answered",
        method=entry.method,
        path=path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}…",
        status=entry.status,
        bytes=entry.size,
        milliseconds=round(entry.seconds * 1e3, 3),
        caller=entry.caller or None,
        address=entry.address or None,
    )
    log.info(event, extra={"request_id": entry.request_id})


def begin(request: BaseRequest, addresses: ClientAddresses) -> None:
    """Note what the line about a request needs, even if the request is refused before its endpoint is known."""
    request[_BEGAN] = perf_counter()
    headers = request.headers  # of bytes that are not HTTP: an empty dict, which has no getall
    forwarded = headers.getall(FORWARDED_FOR) if FORWARDED_FOR in headers else ()
    request[ADDRESS] = addresses.of(peer_of(request), forwarded)


class AccessLog(AbstractAccessLogger):
    """The access log of requests that take aiohttp's path."""

    @property
    def enabled(self) -> bool:
        """Whether lines of this level are logged at all."""
        return log.isEnabledFor(logging.INFO)

    def log(self, request: BaseRequest, response: web.StreamResponse, time: float) -> None:  # noqa: ARG002 - aiohttp's
        """Log a request for which `begin` was called. `time` is not used: uvloop's clock stands still within a turn."""
        asked, answer = (request.method, request.rel_url.raw_path), (response.status, _size(response))
        seconds = perf_counter() - request[_BEGAN]
        note(AccessEntry(*asked, *answer, seconds, request.get(CALLER, ""), request[ADDRESS], id_of(request)))


def _size(response: web.StreamResponse) -> int:
    """The bytes of an answer's body. aiohttp counts the head with it; a stream's length is known only so."""
    known = response.content_length
    return response.body_length if known is None else known
