"""What a URL names: the experiment in its path, and the parameters in its query."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from aiohttp import web

from core.errors import InvalidInput, UnknownExperiment, quoted
from core.experiments.experiment import ExperimentId


def experiment_id(request: web.Request) -> str:
    """The id in a request's path.

    Raises UnknownExperiment if it is no valid id: a database might even reject it as text, such as a NUL character.
    """
    name = request.match_info["id"]
    try:
        return msgspec.convert(name, ExperimentId)
    except msgspec.ValidationError:
        raise UnknownExperiment(name) from None


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
