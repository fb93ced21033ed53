"""Parameters in the query of a URL."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from core.errors import InvalidInput, quoted


def chosen(request: web.Request, name: str, known: Iterable[str], default: str = "") -> str:
    """The value of a parameter, or its default. Raises InvalidInput if it is not one of the known values."""
    wanted = request.query.get(name)
    if wanted is None:
        return default
    names = list(known)
    if wanted not in names:
        rule = f"one of {', '.join(names)}" if len(names) > 1 else names[0]
        raise InvalidInput.at(name, f"must be {rule}, not {quoted(wanted)}")
    return wanted
