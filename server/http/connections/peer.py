"""The other end of a connection."""

from __future__ import annotations

from aiohttp.web_request import BaseRequest


def peer_of(request: BaseRequest) -> str | None:
    """The address of the other end of a request's connection; an empty text for a Unix socket, None if it is unknown.

    The client of a Unix socket may bind its own end to any path, such as `10.0.0.1`. That is no address, and only the
    type tells: addresses are in tuples.
    """
    name = request.protocol.peername
    return "" if isinstance(name, (str, bytes)) else request.remote
