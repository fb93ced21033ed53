"""The edge: the only table from errors to HTTP numbers, and the middleware that applies it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import NamedTuple

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from core.errors import Overloaded, ServiceError
from server.http.clock import Clock
from server.http.envelope import failure
from server.http.log_throttle import Throttle
from server.http.refusal_log import RefusalLog

log = logging.getLogger(__name__)


class MalformedJson(ServiceError):
    """The body is not JSON; the message has the byte."""

    code = "MALFORMED_JSON"


class UnsupportedMediaType(ServiceError):
    """The body says that it is something else than JSON."""

    code = "UNSUPPORTED_MEDIA_TYPE"


class NotFound(ServiceError):
    """There is no such endpoint."""

    code = "NOT_FOUND"


class MethodNotAllowed(ServiceError):
    """The endpoint takes another method."""

    code = "METHOD_NOT_ALLOWED"


class PayloadTooLarge(ServiceError):
    """The body is larger than the endpoint takes."""

    code = "PAYLOAD_TOO_LARGE"


STATUS = {
    "MALFORMED_JSON": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "UNKNOWN_VERSION": 404,
    "UNKNOWN_EXPERIMENT": 404,
    "METHOD_NOT_ALLOWED": 405,
    "CONFLICT": 409,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "VALIDATION_ERROR": 422,
    "INSUFFICIENT_DATA": 422,
    "OUT_OF_RANGE": 422,
    "RATE_LIMITED": 429,
    "MODEL_UNAVAILABLE": 503,
    "STORE_UNAVAILABLE": 503,
    "OVERLOADED": 503,
    "DEADLINE_EXCEEDED": 504,
    "INTERNAL": 500,
}
UNPROCESSABLE = 422
_UNAUTHORIZED = 401
# Of what failed, those that are told in the log: where the service fails, or somebody reaches for more than is his.
_TOLD = frozenset({403, 503})
# Of those of the same code and path one is logged in so many seconds; /metrics counts all of them.
_LOG_SECONDS = 1.0

# In the place of an endpoint where there is none: what was asked for instead may be anything.
NO_ENDPOINT = "none"


def status_of(error: ServiceError) -> int:
    """An error that names a place in the body is a 422 whatever it is.

    A 404 above all would make the backend fall back to the legacy call and hide the mistake.
    """
    return UNPROCESSABLE if error.details else STATUS[error.code]


class ErrorAnswer(NamedTuple):
    """The answer to a request that failed. retry_after: seconds, where it is worth asking again then."""

    code: str
    status: int
    body: bytes
    retry_after: int | None

    @property
    def headers(self) -> dict[str, str]:
        """Those that belong to it alone."""
        if self.status == _UNAUTHORIZED:  # RFC 9110, section 11.6.1
            return {"WWW-Authenticate": "Bearer"}
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


class Refusals:
    """How failures are answered, and what the log tells of them."""

    def __init__(
        self,
        clock: Clock,
        known_part: Callable[[str], str],
        counted: Collection[str] = (),
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`known_part`: see RefusalLog. `count` is told the code of each refusal of an endpoint in `counted`."""
        self.log = RefusalLog(known_part)
        self.count = count
        self._counted = counted
        self._clock = clock
        self._throttle = Throttle(_LOG_SECONDS)

    def is_due(self, what: str) -> bool:
        """Whether a line of that kind may be logged: one a second."""
        return self._throttle.passes(what)

    def answer(self, error: Exception, where: str, endpoint: str) -> ErrorAnswer:
        """A known error tells its text, an unknown one only that it happened.

        where: method and path. endpoint: the same, as the table of endpoints has it.
        """
        if isinstance(error, ServiceError):
            known = error
        else:
            log.error("%s failed", where, exc_info=error)
            known = ServiceError("internal error, see the service's log")
        status = status_of(known)
        if known is error:
            self.refused(known, endpoint)
        elif endpoint in self._counted:
            self.count(known.code)
        retry_after = known.retry_after if isinstance(known, Overloaded) else None
        return ErrorAnswer(known.code, status, failure(known, self._clock.now()), retry_after)

    def refused(self, error: ServiceError, endpoint: str) -> None:
        """Leave a line in the log of what was refused, which may be a part of a request, and count it."""
        place = error.details[0].path if error.details else ""
        # An operator must not have to ask the client why the service fails, or what it reaches for.
        is_told = status_of(error) in _TOLD and endpoint != NO_ENDPOINT
        self.log.note(endpoint, error.code, place, str(error) if is_told else "")
        if endpoint in self._counted:
            self.count(error.code)


def errors(refusals: Refusals) -> Middleware:
    """Turn every failure into the envelope."""

    def answer(request: web.Request, error: Exception, **headers: str) -> web.Response:
        # As it was sent: unquoted, it may hold a line's end and begin a line of its own in the log.
        refused = refusals.answer(error, f"{request.method} {request.rel_url.raw_path}", endpoint_of(request))
        given = {"Content-Type": "application/json"} | refused.headers | headers
        return web.Response(body=refused.body, status=refused.status, headers=given)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            known = _known(request, error)
            if known is None:
                raise
            return answer(request, known, **({"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}))
        except Exception as error:  # noqa: BLE001 - it is logged
            return answer(request, error)

    return middleware


def endpoint_of(request: web.Request) -> str:
    """Method and path as the table of endpoints has them, also where the method is a wrong one.

    The parser lets through the methods that HTTP knows and no other word.
    """
    found = request.match_info.route.resource
    if found is not None:
        return f"{request.method} {found.canonical}"
    for resource in request.app.router.resources():
        info = resource.get_info()
        if info.get("path") == request.path or ("pattern" in info and info["pattern"].fullmatch(request.path)):
            return f"{request.method} {resource.canonical}"
    return NO_ENDPOINT


def _known(request: web.Request, error: web.HTTPException) -> ServiceError | None:
    """aiohttp's own refusals as ours."""
    if isinstance(error, web.HTTPNotFound):
        advice = (
            "remove the slash at its end" if request.path.endswith("/") else "GET /openapi.json lists all endpoints"
        )
        return NotFound(f"there is no endpoint {request.path}; {advice}")
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return MethodNotAllowed(f"{request.method} is not allowed on {request.path}; send {allowed}")
    return None
