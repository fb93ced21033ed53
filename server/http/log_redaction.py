"""aiohttp's log lines about requests that are not HTTP, without quotes from the requests."""

from __future__ import annotations

import logging
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from core.log_event import LogEvent
from server.auth.client_address import UNIX

_OF_CLIENTS = (HttpProcessingError, web.RequestPayloadError)


class RedactingLogger(logging.LoggerAdapter[logging.Logger]):
    """Logs only the type of a client's error, and at level INFO, because the server is not at fault.

    aiohttp quotes the line that it could not read. It can hold a token or, after a wrong length, a body.
    """

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:  # noqa: ANN401 - as logging has it
        """Log a client's error as an event, with the address, which aiohttp gives as the only argument."""
        error = kwargs.get("exc_info")
        if isinstance(error, _OF_CLIENTS):
            address = args[0] if args else None
            # A client on a Unix socket has an empty address.
            event = LogEvent(
                "request_unreadable", address=UNIX if address == "" else address, error=type(error).__name__
            )
            super().log(logging.INFO, event)
        else:
            super().log(level, msg, *args, **kwargs)
