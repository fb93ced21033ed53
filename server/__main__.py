"""python -m server."""

from __future__ import annotations

import logging
import os
import sys
import time

import uvloop
from aiohttp import web

from server.app import make_app
from server.settings import Settings, SettingsError, read, unknown_variables

log = logging.getLogger("server")

# How long a stopping server waits for requests in flight. They take milliseconds; clients that stall get no more.
SHUTDOWN_SECONDS = 10.0


def main() -> int:
    """Read the settings and serve until stopped; returns the exit code."""
    try:
        settings = read(sys.argv[1:], os.environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    _log_to_stderr(settings)
    log.info("process %d, models %s, environment %s", os.getpid(), settings.models.resolve(), settings.environment)
    for name in unknown_variables(os.environ):
        log.warning("%s is set, but there is no such setting", name)
    try:
        web.run_app(
            make_app(settings),
            host=settings.host,
            port=settings.port,
            loop=uvloop.new_event_loop(),
            access_log=None,
            shutdown_timeout=SHUTDOWN_SECONDS,
            print=lambda line: log.info("%s", line.split("\n")[0].strip("= ")),
        )
    except (OSError, UnicodeError) as error:  # the latter for a host name that cannot be looked up
        reason = getattr(error, "strerror", None) or error
        sys.stderr.write(f"cannot listen on {settings.host}:{settings.port}: {reason}\n")
        return 1
    return 0


def _log_to_stderr(settings: Settings) -> None:
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        level=settings.log_level.upper(),
        format="%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )


if __name__ == "__main__":
    sys.exit(main())
