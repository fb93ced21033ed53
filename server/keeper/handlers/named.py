"""The experiment that a path names."""

from __future__ import annotations

import msgspec
from aiohttp import web

from core.errors import UnknownExperiment
from core.experiments.experiment import ExperimentId


def experiment_id(request: web.Request) -> str:
    """Its id. Raises UnknownExperiment for what cannot be one, which a database might not even take as text."""
    name = request.match_info["id"]
    try:
        return msgspec.convert(name, ExperimentId)
    except msgspec.ValidationError:
        raise UnknownExperiment(name) from None
