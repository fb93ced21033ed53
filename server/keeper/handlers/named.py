"""The experiment's id in a path."""

from __future__ import annotations

import msgspec
from aiohttp import web

from core.errors import UnknownExperiment
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
