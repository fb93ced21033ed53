"""All errors that a client can see, as one small tree. Their HTTP statuses are in server.http.errors."""

from __future__ import annotations

import json
from typing import ClassVar, NamedTuple

_MOST_QUOTED = 40  # characters


def quoted(text: str) -> str:
    """A text that a client sent, as a JSON string on one line: at most 40 of its characters."""
    short = text if len(text) <= _MOST_QUOTED else f"{text[:_MOST_QUOTED]}…"
    return json.dumps(short, ensure_ascii=not short.isprintable())


class Detail(NamedTuple):
    """One bad place in a request: `path` as a client would write it, such as `data[17].high`."""

    path: str
    message: str


class ServiceError(Exception):
    """An error whose text may be shown to the client.

    `code` is stable and meant for programs. `details` name the bad places of the request's body; they are empty if the
    body is not the cause.
    """

    code: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, details: tuple[Detail, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidInput(ServiceError):
    """A value of the request is of the wrong type, form or range."""

    code = "VALIDATION_ERROR"

    @classmethod
    def at(cls, path: str, message: str) -> InvalidInput:
        """The error of one place. The sentence names the place too, for clients that log only the sentence."""
        return cls(f"{path}: {message}" if path else message, (Detail(path, message),))


class InsufficientData(ServiceError):
    """Fewer candles than the version's look-back and window need."""

    code = "INSUFFICIENT_DATA"

    def __init__(self, version: str, required: int, given: int, path: str) -> None:
        message = f"version {version} needs at least {required} candles, {given} were given"
        super().__init__(message, (Detail(path, message),))


class OutOfRange(ServiceError):
    """The input lies far outside the version's training data, and REVERSAL_OUT_OF_RANGE is `refuse`."""

    code = "OUT_OF_RANGE"

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}", (Detail(path, message),))


class UnknownVersion(ServiceError):
    """There is no version of that name.

    path: its place in the body; null if the URL named it.
    """

    code = "UNKNOWN_VERSION"

    def __init__(self, version: str, known: tuple[str, ...], path: str | None = None) -> None:
        message = f"unknown version {quoted(version)}; known: {', '.join(known) or 'none'}"
        super().__init__(message, (Detail(path, message),) if path else ())


class ModelUnavailable(ServiceError):
    """The version is known but cannot answer: it is not loaded, was refused at load, or fails."""

    code = "MODEL_UNAVAILABLE"


class BundleRefused(ModelUnavailable):
    """A bundle on disk that must not be served. The message names the file and the reason."""


class Conflict(ServiceError):
    """The request is valid, but the present state forbids it."""

    code = "CONFLICT"


class UnknownExperiment(ServiceError):
    """There is no experiment of that id.

    path: its place in the body; null if the URL named it.
    """

    code = "UNKNOWN_EXPERIMENT"

    def __init__(self, experiment_id: str, path: str | None = None) -> None:
        message = f"unknown experiment {quoted(experiment_id)}; GET /reversal/experiments lists all"
        super().__init__(message, (Detail(path, message),) if path else ())


class StoreUnavailable(ServiceError):
    """The state cannot be read or changed at present, and nothing has changed.

    The store is unavailable, locked or full, or a worker did not confirm the change.

    cause: the text for the log, if it has more than clients should see; `str` returns it.
    """

    code = "STORE_UNAVAILABLE"

    def __init__(self, message: str, cause: str | None = None) -> None:
        super().__init__(message)
        self.cause = cause

    def __str__(self) -> str:
        return self.cause or self.message


class Overloaded(ServiceError):
    """Too many requests are in progress; retry after the seconds of Retry-After.

    retry_after: these seconds.
    """

    code = "OVERLOADED"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeadlineExceeded(ServiceError):
    """The deadline of the request passed before its work began."""

    code = "DEADLINE_EXCEEDED"
