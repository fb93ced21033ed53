"""Everything that can go wrong, as one small tree. HTTP numbers live in server.http.errors."""

from __future__ import annotations

from typing import ClassVar, NamedTuple


class Detail(NamedTuple):
    """One bad place in a request: `path` as a client would write it, such as `data[17].high`."""

    path: str
    message: str


class ServiceError(Exception):
    """An error whose text may be shown to the client.

    `code` is stable and meant for programs. `details` name places in the request's body;
    they are empty where the body is not to blame.
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
        """The error of one place, told in the sentence as well, for those who only log that."""
        return cls(f"{path}: {message}" if path else message, (Detail(path, message),))


class InsufficientData(ServiceError):
    """Fewer candles than the version's look-back and window need."""

    code = "INSUFFICIENT_DATA"

    def __init__(self, version: str, required: int, given: int, path: str) -> None:
        message = f"version {version} needs at least {required} candles, {given} were given"
        super().__init__(message, (Detail(path, message),))


class OutOfRange(ServiceError):
    """The input lies far outside what the version was fitted on, and the service is told to refuse that."""

    code = "OUT_OF_RANGE"

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}", (Detail(path, message),))


class UnknownVersion(ServiceError):
    """There is no version of that name.

    With a `path`, the body named it; without, the URL did.
    """

    code = "UNKNOWN_VERSION"

    def __init__(self, version: str, known: tuple[str, ...], path: str | None = None) -> None:
        message = f"unknown version {version!r}; known: {', '.join(known) or 'none'}"
        super().__init__(message, (Detail(path, message),) if path else ())


class ModelUnavailable(ServiceError):
    """The version is known, but cannot answer: not loaded, refused at load, or failing."""

    code = "MODEL_UNAVAILABLE"


class BundleRefused(ModelUnavailable):
    """A bundle on disk that must not be served; the message says which file, and why."""


class Conflict(ServiceError):
    """The request is well-formed, but the present state forbids it."""

    code = "CONFLICT"


class UnknownExperiment(ServiceError):
    """There is no experiment of that id.

    With a `path`, the body named it; without, the URL did.
    """

    code = "UNKNOWN_EXPERIMENT"

    def __init__(self, experiment_id: str, path: str | None = None) -> None:
        message = f"unknown experiment {experiment_id!r}"
        super().__init__(message, (Detail(path, message),) if path else ())


class StoreUnavailable(ServiceError):
    """The state cannot be read or changed now, and nothing has changed.

    The store is gone, locked or full, or a worker did not confirm.

    `cause`: the same for the log, where that tells more than clients should know; it is what `str` gives.
    """

    code = "STORE_UNAVAILABLE"

    def __init__(self, message: str, cause: str | None = None) -> None:
        super().__init__(message)
        self.cause = cause

    def __str__(self) -> str:
        return self.cause or self.message


class Overloaded(ServiceError):
    """A worker has in hand what it takes on; ask again after the seconds of Retry-After.

    `retry_after`: in which that should be done.
    """

    code = "OVERLOADED"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeadlineExceeded(ServiceError):
    """The time that the request had was over before its work began."""

    code = "DEADLINE_EXCEEDED"
