"""A running server, for the commands that ask one."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from typing import Any

import click
import orjson

_SECONDS = 30


class Service:
    """A server at an address. Errors are click's, with the server's own sentence."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token.strip()}"} if token else {}
        try:
            parts = urllib.parse.urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0  # port may raise
        except ValueError:
            usable = False
        if not usable:
            raise click.BadParameter(f"{url!r} is not an address such as http://localhost:8000", param_hint="--url")

    def get(self, path: str, *names: str) -> Any:  # noqa: ANN401 - the data of any answer
        """The data of an answer. Each `{}` of the path is replaced by a name."""
        return self._data(self._send(path, names))

    def text(self, path: str, *names: str) -> str:
        """An answer that is a page."""
        return self._send(path, names).decode()

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401 - the data of any answer
        """The data of an answer to a body."""
        return self._data(self._send(path, (), orjson.dumps(body)))

    def _data(self, content: bytes) -> Any:  # noqa: ANN401 - likewise
        try:
            return orjson.loads(content)["data"]
        except (ValueError, KeyError, TypeError):
            raise click.ClickException(f"{self._url} answered without the JSON of this service") from None

    def _send(self, path: str, names: tuple[str, ...], body: bytes | None = None) -> bytes:
        url = self._url + path.format(*(urllib.parse.quote(name, safe="") for name in names))
        headers = self._headers | ({} if body is None else {"Content-Type": "application/json"})
        request = urllib.request.Request(url, body, headers)  # noqa: S310 - http and https only
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            raise click.ClickException(_sentence(error)) from None
        except (OSError, HTTPException, ValueError) as error:  # ValueError: a token that cannot be sent
            reason = getattr(error, "reason", error)
            raise click.ClickException(f"{self._url} cannot be reached: {reason}") from None


def _sentence(error: urllib.error.HTTPError) -> str:
    try:
        found = orjson.loads(error.read())
        return f"{found['code']}: {found['error']}"
    except (ValueError, KeyError, TypeError):
        return f"{error.url} answered {error.code} without the JSON of this service"
