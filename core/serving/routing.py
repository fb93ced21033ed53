"""The choice of the version that answers a request."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import ClassVar, NamedTuple, TypeAlias

import msgspec

from core.errors import ServiceError
from core.experiments.assignment import assign, block_of
from core.experiments.experiment import VARIANTS, Experiment, Variant
from core.experiments.records import Exposure
from core.features.timeframes import Timeframe
from core.inference.detector import Prediction
from core.inference.inputs import WindowSource
from core.serving.snapshot import Snapshot


class Question(msgspec.Struct, frozen=True, gc=False):
    """A request for a prediction. `version` and `user` are None if the request names none.

    since: the time of arrival. until: the deadline, after which the answer is no longer wanted. Both are values of
    time.perf_counter. request_id: for the log.
    """

    pair: str
    timeframe: Timeframe
    version: str | None
    user: str | None
    source: WindowSource
    since: float
    until: float
    request_id: str = ""


class Answered(msgspec.Struct, gc=False):
    """An answer. Each prediction makes one, and a NamedTuple takes longer.

    fallback_reason: why a version other than the first choice answered; None if the first choice did.
    exposure: the record of the prediction, if an experiment chose the version. It is set when it is recorded.
    """

    prediction: Prediction
    fallback_reason: str | None = None
    exposure: Exposure | None = None


Result: TypeAlias = Answered | ServiceError


class Assigned(NamedTuple):
    """The experiment that chose the version, and the variant it assigned. block: that of crossover mode, or empty."""

    experiment: Experiment
    variant: Variant
    block: str = ""


class Route(msgspec.Struct, frozen=True, gc=False):
    """The version of first choice, or None if no version is active.

    `named`: the request names the version, so no other version answers in its place.
    """

    version: str | None
    named: bool = False
    assigned: Assigned | None = None


def route(
    snapshot: Snapshot, version: str | None, user: str | None, opens: float | None = None, timeframe: str = "1h"
) -> Route:
    """Choose the version that the request names, else the experiment's, else the active one.

    In split and crossover mode, only requests with a user take part in the experiment. In shadow mode, A answers all
    requests. opens: when the last candle opened, in milliseconds since 1970. Without it, the block of crossover mode is
    that of the present time.
    """
    if version is not None:
        return Route(version, named=True)
    experiment = snapshot.experiment
    if experiment is None:
        return Route(snapshot.active)
    if experiment.mode == "shadow":
        return _variant_routes(experiment)["A"]
    if user is None:
        return Route(snapshot.active)
    if experiment.mode == "split":
        return _variant_routes(experiment)[assign(user, experiment)]
    block = block_of(time.time() * 1000 if opens is None else opens, timeframe)
    variant = assign(user, experiment, block)
    return Route(experiment.version_of(variant), assigned=Assigned(experiment, variant, block))


class _Last:
    """The routes to both variants of the experiment that was asked for last."""

    experiment: ClassVar[Experiment | None] = None
    routes: ClassVar[Mapping[Variant, Route]] = {}


def _variant_routes(experiment: Experiment) -> Mapping[Variant, Route]:
    """The routes to both variants without a block: the same objects for all requests."""
    if _Last.experiment is not experiment:
        _Last.routes = {
            variant: Route(experiment.version_of(variant), assigned=Assigned(experiment, variant))
            for variant in VARIANTS
        }
        _Last.experiment = experiment
    return _Last.routes
