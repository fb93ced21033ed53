"""The only table from errors to gRPC's statuses, and what the answer to a failure has beside its status."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import grpc

from core.errors import Overloaded, ServiceError
from server.auth.access import RateLimited
from server.logs.request_id import HEADER

TrailingMetadata: TypeAlias = tuple[tuple[str, str], ...]

STATUS = {
    "MALFORMED_JSON": grpc.StatusCode.INVALID_ARGUMENT,
    "MALFORMED_REQUEST": grpc.StatusCode.INVALID_ARGUMENT,
    "UNAUTHORIZED": grpc.StatusCode.UNAUTHENTICATED,
    "FORBIDDEN": grpc.StatusCode.PERMISSION_DENIED,
    "NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "UNKNOWN_VERSION": grpc.StatusCode.NOT_FOUND,
    "UNKNOWN_EXPERIMENT": grpc.StatusCode.NOT_FOUND,
    "METHOD_NOT_ALLOWED": grpc.StatusCode.UNIMPLEMENTED,
    "CONFLICT": grpc.StatusCode.FAILED_PRECONDITION,
    "PAYLOAD_TOO_LARGE": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "UNSUPPORTED_MEDIA_TYPE": grpc.StatusCode.INVALID_ARGUMENT,
    "EXPECTATION_FAILED": grpc.StatusCode.INVALID_ARGUMENT,
    "VALIDATION_ERROR": grpc.StatusCode.INVALID_ARGUMENT,
    "INSUFFICIENT_DATA": grpc.StatusCode.INVALID_ARGUMENT,
    "OUT_OF_RANGE": grpc.StatusCode.OUT_OF_RANGE,
    # Not UNAVAILABLE: clients retry that, and each further wrong token makes it worse.
    "RATE_LIMITED": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "MODEL_UNAVAILABLE": grpc.StatusCode.UNAVAILABLE,
    "STORE_UNAVAILABLE": grpc.StatusCode.UNAVAILABLE,
    # The status that clients with a retry policy retry, after the pause of PUSHBACK.
    "OVERLOADED": grpc.StatusCode.UNAVAILABLE,
    "DEADLINE_EXCEEDED": grpc.StatusCode.DEADLINE_EXCEEDED,
    "INTERNAL": grpc.StatusCode.INTERNAL,
    "HTTP_VERSION_NOT_SUPPORTED": grpc.StatusCode.UNIMPLEMENTED,
}

# Metadata have names in lower case.
REQUEST_ID = HEADER.lower()
ERROR_CODE = "reversal-error-code"
RETRY_AFTER = "retry-after"
# A client with a retry policy waits so many milliseconds (gRFC A6).
PUSHBACK = "grpc-retry-pushback-ms"

# A text beyond this is cut: clients refuse a status whose metadata have more than 8 KiB, and a character can take nine
# bytes there.
_LONGEST_TEXT = 600


class KeeperRefusal(ServiceError):
    """The keeper's refusal, which it has logged itself. `code`: as in its answer."""

    code: str  # type: ignore[misc] # each refusal has its own

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code if code in STATUS else ServiceError.code


class Status(NamedTuple):
    """How a call ends that failed."""

    code: grpc.StatusCode
    text: str
    metadata: TrailingMetadata

    @classmethod
    def of(cls, error: ServiceError, request_id: str) -> Status:
        """That of an error. The text is that of the answer over REST, with the place of a bad value."""
        metadata = [(REQUEST_ID, request_id), (ERROR_CODE, error.code)]
        if isinstance(error, Overloaded | RateLimited):
            metadata.append((RETRY_AFTER, str(error.retry_after)))
        if isinstance(error, Overloaded):
            metadata.append((PUSHBACK, str(error.retry_after * 1_000)))
        text = error.message
        text = text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
        if error.code == ServiceError.code:
            text = f"{text} (request {request_id})"
        return cls(STATUS[error.code], text, tuple(metadata))
