"""Experiments: creating, listing, starting and stopping them, and their counts."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from core.experiments.candle_table import Tally
from core.experiments.experiment import Experiment, Variant, now_micros
from core.store.interface import Store
from server.http.app_keys import CLOCK
from server.http.bodies.body import read_json
from server.http.envelope import success
from server.keeper import answers, decoding
from server.keeper.app_keys import CHANGES, REPOSITORY, STORE
from server.keeper.handlers.named import experiment_id

log = logging.getLogger(__name__)

_CREATED = 201


async def list_experiments(request: web.Request) -> web.Response:
    """GET /reversal/experiments, oldest first."""
    experiments = await request.app[STORE].read(lambda store: store.experiments())
    data = {"experiments": [answers.experiment(experiment) for experiment in experiments]}
    return success(data, request.app[CLOCK].now())


async def create_experiment(request: web.Request) -> web.Response:
    """POST /reversal/experiments: a draft."""
    body = await read_json(request)
    versions = (await asyncio.to_thread(request.app[REPOSITORY].listing)).versions
    experiment = decoding.experiment(body, versions, now_micros())
    await request.app[STORE].write(lambda store: store.create(experiment))
    a, b = experiment.versions
    log.info("experiment %s is created: %s of %s and %s", experiment.experiment_id, experiment.mode, a, b)
    return success(answers.experiment(experiment), request.app[CLOCK].now(), _CREATED)


async def activate_experiment(request: web.Request) -> web.Response:
    """POST /reversal/experiments/{id}/activate."""
    experiment, stopped = await request.app[CHANGES].activate(experiment_id(request))
    data = {**answers.experiment(experiment), "stopped_experiment": stopped}
    ended = f"; {stopped} was stopped for it" if stopped else ""
    log.info("experiment %s is active since %s%s", experiment.experiment_id, data["activated_at"], ended)
    return success(data, request.app[CLOCK].now())


async def stop_experiment(request: web.Request) -> web.Response:
    """POST /reversal/experiments/{id}/stop."""
    experiment = await request.app[CHANGES].stop(experiment_id(request), "stopped by request")
    data = answers.experiment(experiment)
    # Of one that had stopped long before: when, and for which other reason.
    log.info("experiment %s is stopped since %s: %s", experiment.experiment_id, data["stopped_at"], data["stop_reason"])
    return success(data, request.app[CLOCK].now())


async def show_metrics(request: web.Request) -> web.Response:
    """GET /reversal/experiments/{id}/metrics."""
    name = experiment_id(request)

    def counts(store: Store) -> tuple[Experiment, dict[Variant, Tally]]:
        return store.experiment(name), store.tally(name)

    return success(answers.experiment_metrics(*await request.app[STORE].read(counts)), request.app[CLOCK].now())
