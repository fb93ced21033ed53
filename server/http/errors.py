"""The only table from errors to HTTP statuses, and the middleware that applies it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from core.errors import Overloaded, ServiceError, quoted
from core.log_event import LogEvent
from server.auth.access import RateLimited
from server.http.clock import Clock, Moment
from server.http.connections.strangers import Strangers
from server.http.envelope import failure
from server.http.headers import raw_refusal
from server.http.log_throttle import Throttle
from server.http.refusal_log import RefusalLog
from server.logs.request_id import HEADER

log = logging.getLogger(__name__)

_USUAL_PATH = re.compile(r"[\w/.{}%~-]{1,200}", re.ASCII)


class MalformedJson(ServiceError):
    """The body is not JSON. The message gives the byte."""

    code = "MALFORMED_JSON"


class UnsupportedMediaType(ServiceError):
    """The request's headers declare a body other than JSON, or an unknown encoding."""

    code = "UNSUPPORTED_MEDIA_TYPE"


class NotFound(ServiceError):
    """There is no such endpoint, or no such model."""

    code = "NOT_FOUND"


class MethodNotAllowed(ServiceError):
    """The endpoint does not accept the method."""

    code = "METHOD_NOT_ALLOWED"


class PayloadTooLarge(ServiceError):
    """The body is larger than the endpoint accepts."""

    code = "PAYLOAD_TOO_LARGE"


STATUS = {
    "MALFORMED_JSON": 400,
    "MALFORMED_REQUEST": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "UNKNOWN_VERSION": 404,
    "UNKNOWN_EXPERIMENT": 404,
    "METHOD_NOT_ALLOWED": 405,
    "CONFLICT": 409,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "EXPECTATION_FAILED": 417,
    "VALIDATION_ERROR": 422,
    "INSUFFICIENT_DATA": 422,
    "OUT_OF_RANGE": 422,
    "RATE_LIMITED": 429,
    "MODEL_UNAVAILABLE": 503,
    "STORE_UNAVAILABLE": 503,
    "OVERLOADED": 503,
    "DEADLINE_EXCEEDED": 504,
    "INTERNAL": 500,
    "HTTP_VERSION_NOT_SUPPORTED": 505,
}
UNPROCESSABLE = 422
_BAD_REQUEST = 400
_UNAUTHORIZED = 401
# The log line of these statuses has the error's text: the service fails, or a caller lacks permission.
_LOGGED_WITH_REASON = frozenset({403, 503})
# At most one line of each kind is logged in this many seconds.
_LOG_SECONDS = 1.0

# Logged as the endpoint if there is no such endpoint: the requested path can be anything.
NO_ENDPOINT = "none"
# Logged as the method if the path has no such method: with each of HTTP's 35, a stranger could have as many lines.
_OTHER_METHOD = "OTHER"


def status_of(error: ServiceError) -> int:
    """The HTTP status of an error: always 422 if the error names a place in the body.

    A 404 would make the backend fall back to the legacy call, which hides the mistake.
    """
    return ENVELOPE.status(error.code, in_body=bool(error.details))


class FailureForm:
    """How the failures of an endpoint are answered: in the envelope, which most endpoints have."""

    schema = "Failure"  # in ANSWERS of server/api/schemas

    def status(self, code: str, *, in_body: bool) -> int:
        """The status of a code. in_body: whether the error names a place in the body."""
        return UNPROCESSABLE if in_body else STATUS[code]

    def body(self, error: ServiceError, now: Moment) -> bytes:
        """The body of the answer to an error."""
        return failure(error, now)


class ProtocolFailure(FailureForm):
    """As the Open Inference Protocol answers failures: `error` is a sentence. Values that are not good are 400."""

    schema = "InferenceFailure"

    def status(self, code: str, *, in_body: bool) -> int:  # noqa: ARG002 - no client of the protocol has a fallback
        """The status of a code."""
        return _BAD_REQUEST if STATUS[code] == UNPROCESSABLE else STATUS[code]

    def body(self, error: ServiceError, now: Moment) -> bytes:  # noqa: ARG002 - the protocol has no time
        """The body of the answer to an error. The code is ours, beside what the protocol asks for."""
        return orjson.dumps({"error": error.message, "code": error.code})


ENVELOPE, PROTOCOL = FailureForm(), ProtocolFailure()


class ErrorAnswer(NamedTuple):
    """The answer to a request that failed. retry_after: seconds after which a retry makes sense, or None."""

    code: str
    status: int
    body: bytes
    retry_after: int | None

    @property
    def headers(self) -> dict[str, str]:
        """The headers that only this answer has."""
        if self.status == _UNAUTHORIZED:  # RFC 9110, section 11.6.1
            return {"WWW-Authenticate": "Bearer"}
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


class EndpointFacts(NamedTuple):
    """Facts about endpoints that decide what happens at a failure, by method and path.

    counted: those whose failures are counted. forms: of those that have another form than ENVELOPE.
    """

    counted: Collection[str] = ()
    forms: Mapping[str, FailureForm] = MappingProxyType({})


class Refusals:
    """Answers, logs and counts failures."""

    def __init__(
        self,
        clock: Clock,
        known_part: Callable[[str], str],
        facts: EndpointFacts = EndpointFacts(),  # noqa: B008 - immutable
        count: Callable[[str], None] = lambda _: None,
        count_stranger: Callable[[str], None] = lambda _: None,
    ) -> None:
        """known_part: see RefusalLog. count: called with the code of each refusal at an endpoint that is counted.

        count_stranger: see Strangers.
        """
        self.log = RefusalLog(known_part)
        self.strangers = Strangers(count_stranger)
        self.count = count
        self._counted, self._forms = facts
        self._clock = clock
        self._throttle = Throttle(_LOG_SECONDS)

    def is_due(self, what: str) -> bool:
        """Whether a line of this kind may be logged now: at most one a second."""
        return self._throttle.passes(what)

    def answer(self, error: Exception, where: str, endpoint: str) -> ErrorAnswer:
        """The answer to an error. A known error gives its text; an unknown one is logged and hides its text.

        where: method and path as sent. endpoint: method and path as in the table of endpoints.
        """
        return self.unlogged(self.noted(error, where, endpoint), self._forms.get(endpoint, ENVELOPE))

    def noted(self, error: Exception, where: str, endpoint: str) -> ServiceError:
        """The error that the client may see, logged and counted. The parameters are those of `answer`."""
        if isinstance(error, ServiceError):
            self.refused(error, endpoint)
            return error
        log.error(LogEvent("request_failed", request=where), exc_info=error)
        if endpoint in self._counted:
            self.count(ServiceError.code)
        return ServiceError("internal error; the server's log has the details")

    def unlogged(self, error: ServiceError, form: FailureForm = ENVELOPE) -> ErrorAnswer:
        """The answer to an error that is logged and counted elsewhere."""
        retry_after = error.retry_after if isinstance(error, Overloaded | RateLimited) else None
        status = form.status(error.code, in_body=bool(error.details))
        return ErrorAnswer(error.code, status, form.body(error, self._clock.now()), retry_after)

    def whole(self, refused: ErrorAnswer, request_id: str, **own: str) -> bytes:
        """An answer with its head, written without aiohttp. `own`: further headers."""
        return raw_refusal(
            refused.status, {HEADER: request_id} | refused.headers | own, self._clock.now().http, refused.body
        )

    def flush(self, now: float | None = None) -> None:
        """Log what waits for its line: see RefusalLog and Strangers."""
        self.log.flush(now)
        self.strangers.flush(now)

    def refused(self, error: ServiceError, endpoint: str) -> None:
        """Log and count the refusal of a request, or of a part of one."""
        place = error.details[0].path if error.details else ""
        # With the reason in the log, an operator need not ask the client for it.
        has_reason = status_of(error) in _LOGGED_WITH_REASON and endpoint != NO_ENDPOINT
        self.log.note(endpoint, error.code, place, str(error) if has_reason else "")
        if endpoint in self._counted:
            self.count(error.code)


def errors(refusals: Refusals) -> Middleware:
    """Middleware that turns every failure into the envelope."""

    def answer(request: web.Request, error: Exception, **headers: str) -> web.Response:
        # The path is logged as sent: unquoted, it could hold a line break and forge a line of the log.
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
    """Method and path as in the table of endpoints; _OTHER_METHOD for a method that the path does not have."""
    found = request.match_info.route.resource
    if found is not None:
        return f"{request.method} {found.canonical}"
    for resource in request.app.router.resources():
        info = resource.get_info()
        if info.get("path") == request.path or ("pattern" in info and info["pattern"].fullmatch(request.path)):
            return f"{_OTHER_METHOD} {resource.canonical}"
    return NO_ENDPOINT


def _known(request: web.Request, error: web.HTTPException) -> ServiceError | None:
    """The error of this module for a refusal by aiohttp, or None."""
    if isinstance(error, web.HTTPNotFound):
        slash = request.path.endswith("/") and request.path != "/"
        advice = "remove the slash at its end" if slash else "GET /openapi.json lists all endpoints"
        return NotFound(f"there is no endpoint {_shown(request.path)}; {advice}")
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return MethodNotAllowed(f"{request.method} is not allowed on {_shown(request.path)}; send {allowed}")
    return None


def _shown(path: str) -> str:
    """A path as it is, or as a JSON string if it is long or has unusual characters."""
    return path if _USUAL_PATH.fullmatch(path) else quoted(path)
