"""The edge: the only table from errors to HTTP numbers, and the middleware that applies it."""

from __future__ import annotations

import logging

from aiohttp import web
from aiohttp.typedefs import Handler

from core.errors import ServiceError
from server.answers import failure
from server.clock import Moment
from server.keys import CLOCK
from server.schemas import MAX_BODY

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
    """The body exceeds MAX_BODY."""

    code = "PAYLOAD_TOO_LARGE"


STATUS = {
    "MALFORMED_JSON": 400,
    "NOT_FOUND": 404,
    "UNKNOWN_VERSION": 404,
    "UNKNOWN_EXPERIMENT": 404,
    "METHOD_NOT_ALLOWED": 405,
    "CONFLICT": 409,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "VALIDATION_ERROR": 422,
    "INSUFFICIENT_DATA": 422,
    "MODEL_UNAVAILABLE": 503,
    "STORE_UNAVAILABLE": 503,
    "INTERNAL": 500,
}
_UNPROCESSABLE = 422
_UNAVAILABLE = 503


def status_of(error: ServiceError) -> int:
    """An error that names a place in the body is a 422 whatever it is.

    A 404 above all would make the backend fall back to the legacy call and hide the mistake.
    """
    return _UNPROCESSABLE if error.details else STATUS[error.code]


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every failure into the envelope. A known error tells its text, an unknown one only that it happened."""
    try:
        return await handler(request)
    except ServiceError as error:
        return _answer(request, error)
    except web.HTTPException as error:
        known = _known(request, error)
        if known is None:
            raise
        response = _answer(request, known)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except Exception as error:  # noqa: BLE001 - it is logged
        return _answer(request, unforeseen(error, f"{request.method} {request.path}"))


def _answer(request: web.Request, error: ServiceError) -> web.Response:
    status, body = refuse(error, f"{request.method} {request.path}", request.app[CLOCK].now())
    return web.Response(body=body, status=status, content_type="application/json")


def unforeseen(error: Exception, where: str) -> ServiceError:
    """Log a mistake of ours; what the client is told of it. `where`: method and path."""
    log.error("%s failed", where, exc_info=error)
    return ServiceError("internal error, see the service's log")


def refuse(error: ServiceError, where: str, now: Moment) -> tuple[int, bytes]:
    """The status and the body of the answer to a request that failed. `where`: its method and path."""
    status = status_of(error)
    if status == _UNAVAILABLE:  # whoever reads the log at night must not have to ask the client
        log.warning("%s: %s", where, error)
    return status, failure(error, now)


def _known(request: web.Request, error: web.HTTPException) -> ServiceError | None:
    """aiohttp's own refusals as ours."""
    if isinstance(error, web.HTTPNotFound):
        return NotFound(f"there is nothing at {request.path}")
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return MethodNotAllowed(f"{request.method} is not allowed on {request.path}, {allowed} is")
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return PayloadTooLarge(f"the body is larger than {MAX_BODY} bytes")
    return None
