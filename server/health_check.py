"""python -m server.health_check: ends with 0 if the server of this container is ready, else with 1 and the reason.

For the health check of a container whose image has no other program. The server's variables say where it listens; they
are read here, because the module of the settings imports NumPy, and this process is started every few seconds.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import closing

# What a server on any address is asked at.
_LOCAL = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - not listened on
_UNIX = "unix:"
_SECONDS = 4.0


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(self._path)


def _connection(environ: Mapping[str, str]) -> http.client.HTTPConnection:
    host = environ.get("REVERSAL_HOST", "")
    if host.startswith(_UNIX):
        return _UnixConnection(host.removeprefix(_UNIX))
    host, port = _LOCAL.get(host, host), int(environ.get("REVERSAL_PORT") or 8000)
    if not environ.get("REVERSAL_TLS_CERTIFICATE"):
        return http.client.HTTPConnection(host, port, timeout=_SECONDS)
    import ssl  # noqa: PLC0415 - it takes longer than the rest, and few need it

    # The certificate is for the name that clients use, which is not the one asked here.
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=unchecked)


def problem(environ: Mapping[str, str]) -> str | None:
    """Why the server whose variables these are is not ready; None if it is."""
    try:
        with closing(_connection(environ)) as connection:
            connection.request("GET", "/readyz")
            with connection.getresponse() as response:
                status = response.status
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"no answer: {error}"
    return None if status == http.HTTPStatus.OK else f"/readyz answers {status}"


if __name__ == "__main__":
    sys.exit(problem(os.environ))
