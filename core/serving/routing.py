"""Which version is to answer a question."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from core.errors import ServiceError
from core.experiments.assignment import assign
from core.experiments.experiment import Experiment, Variant
from core.experiments.records import Exposure
from core.inference.detector import Prediction
from core.inference.inputs import WindowSource
from core.serving.snapshot import Snapshot


class Question(NamedTuple):
    """What a request asks for. `version` is the one that it names; `user` is null where none was given.

    since: when it came. until: from when on nobody waits for the answer. Both of time.perf_counter.
    """

    pair: str
    timeframe: str
    version: str | None
    user: str | None
    source: WindowSource
    since: float
    until: float


class Answered(NamedTuple):
    """An answer. fallback_reason: why another version than the first choice gave it.

    exposure: what was recorded of it, where an experiment decided who answers.
    """

    prediction: Prediction
    fallback_reason: str | None = None
    exposure: Exposure | None = None


Result: TypeAlias = Answered | ServiceError


class Assigned(NamedTuple):
    """That an experiment decides who answers, and for which variant."""

    experiment: Experiment
    variant: Variant


class Route(NamedTuple):
    """The version of first choice. `named` by the request, nobody stands in for it. Null: no version is active."""

    version: str | None
    named: bool = False
    assigned: Assigned | None = None


def route(snapshot: Snapshot, version: str | None, user: str | None) -> Route:
    """A version that was named wins over the experiment, and the experiment over the active version.

    In split mode only users take part. In shadow mode A answers everybody.
    """
    if version is not None:
        return Route(version, named=True)
    experiment = snapshot.experiment
    if experiment is None:
        return Route(snapshot.active)
    if experiment.mode == "shadow":
        variant: Variant = "A"
    elif user is None:
        return Route(snapshot.active)
    else:
        variant = assign(user, experiment)
    return Route(experiment.version_of(variant), assigned=Assigned(experiment, variant))
