"""The choice of the version that answers a request."""

from __future__ import annotations

import time
from typing import ClassVar, NamedTuple, TypeAlias

import msgspec

from core.errors import ServiceError
from core.experiments.assignment import assign, block_of
from core.experiments.experiment import VARIANTS, Experiment, Variant
from core.experiments.records import Exposure
from core.inference.detector import Prediction
from core.inference.inputs import WindowSource
from core.serving.snapshot import Snapshot


class Question(msgspec.Struct, frozen=True, gc=False):
    """A request for a prediction. `version` and `user` are None if the request names none.

    since: the time of arrival. until: the deadline, after which the answer is no longer wanted. Both are values of
    time.perf_counter. request_id: for the log.
    """

    pair: str
    timeframe: str
    version: str | None
    user: str | None
    source: WindowSource
    since: float
    until: float
    request_id: str = ""


class Answered(msgspec.Struct, gc=False):
    """An answer. Each prediction makes one, and a NamedTuple takes four times as long.

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
        return _kept_routes(experiment).by_variant["A"]
    if user is None:
        return Route(snapshot.active)
    if experiment.mode == "split":
        by_variant, by_user = _kept_routes(experiment)
        if (found := by_user.get(user)) is None:
            if len(by_user) >= _USERS:
                by_user.clear()
            found = by_user[user] = by_variant[assign(user, experiment)]
        return found
    block = block_of(time.time() * 1000 if opens is None else opens, timeframe)
    variant = assign(user, experiment, block)
    return Route(experiment.version_of(variant), assigned=Assigned(experiment, variant, block))


# Users whose routes are kept, because a user returns with every candle.
_USERS = 16_384


class _Routes(NamedTuple):
    """Routes of an experiment without a block: the same objects for all requests."""

    by_variant: dict[Variant, Route]
    by_user: dict[str, Route]


class _Last:
    """The routes of the experiment that was asked for last."""

    experiment: ClassVar[Experiment | None] = None
    routes: ClassVar[_Routes] = _Routes({}, {})


def _kept_routes(experiment: Experiment) -> _Routes:
    if _Last.experiment is not experiment:
        by_variant = {
            variant: Route(experiment.version_of(variant), assigned=Assigned(experiment, variant))
            for variant in VARIANTS
        }
        _Last.routes = _Routes(by_variant, {})
        _Last.experiment = experiment
    return _Last.routes
