"""What aiohttp tells of requests that are none, without the requests."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

_OF_CLIENTS = (HttpProcessingError, web.RequestPayloadError)


class RedactingLogger(logging.LoggerAdapter[logging.Logger]):
    """Names what was wrong and no more, and not as an error: the mistake is not ours.

    aiohttp quotes the line that it could not read. That may be a token's, or a body's where its length was wrong.
    Whoever sent it has it in the answer.
    """

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:  # noqa: ANN401 - as logging has it
        """As something to know of, where the client is to blame."""
        super().log(logging.INFO if isinstance(kwargs.get("exc_info"), _OF_CLIENTS) else level, msg, *args, **kwargs)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:  # noqa: ANN401
        """Put the error's name in its place."""
        error = kwargs.get("exc_info")
        if isinstance(error, _OF_CLIENTS):
            return f"{msg}: {type(error).__name__}", {**kwargs, "exc_info": None}
        return msg, kwargs
