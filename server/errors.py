"""The edge: the only table from errors to HTTP numbers, and the middleware that applies it."""

from __future__ import annotations

import logging

from aiohttp import web
from aiohttp.typedefs import Handler

from core.errors import ServiceError
from server.answers import failure
from server.keys import CLOCK
from server.schemas import MAX_BODY

log = logging.getLogger(__name__)


class MalformedJson(ServiceError):
    """The body is not JSON; the message has the byte."""

    code = "MALFORMED_JSON"


class UnsupportedMediaType(ServiceError):
    """The body says that it is something else than JSON."""

    code = "UNSUPPORTED_MEDIA_TYPE"


STATUS = {
    "MALFORMED_JSON": 400,
    "UNKNOWN_VERSION": 404,
    "CONFLICT": 409,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "VALIDATION_ERROR": 422,
    "INSUFFICIENT_DATA": 422,
    "MODEL_UNAVAILABLE": 503,
    "INTERNAL": 500,
}
# aiohttp's own refusals, by their status.
_OWN = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "PAYLOAD_TOO_LARGE"}

_UNPROCESSABLE = 422


def status_of(error: ServiceError) -> int:
    """An error that names a place in the body is a 422 whatever it is.

    A 404 above all would make the backend fall back to the legacy call and hide the mistake.
    """
    return _UNPROCESSABLE if error.details else STATUS[error.code]


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every failure into the envelope. A known error tells its text, an unknown one only that it happened."""
    now = request.app[CLOCK].now()
    try:
        return await handler(request)
    except ServiceError as error:
        return failure(status_of(error), error, now)
    except web.HTTPException as error:
        if error.status not in _OWN:
            raise
        refusal = ServiceError(_sentence(error, request))
        response = failure(error.status, refusal, now, code=_OWN[error.status])
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return failure(STATUS["INTERNAL"], ServiceError("internal error, see the service's log"), now)


def _sentence(error: web.HTTPException, request: web.Request) -> str:
    if isinstance(error, web.HTTPMethodNotAllowed):
        return f"{request.method} is not allowed on {request.path}, {', '.join(sorted(error.allowed_methods))} is"
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return f"the body is larger than {MAX_BODY} bytes"
    return f"there is nothing at {request.path}"
