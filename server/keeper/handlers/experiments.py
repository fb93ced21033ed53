"""Experiments: list, create, activate and stop them, and show their counts."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from aiohttp import web

from core.bundles.manifest import Manifest
from core.bundles.repository import Repository
from core.errors import BundleRefused, UnknownVersion
from core.experiments.candle_table import BesideTotals, Tally
from core.experiments.experiment import VARIANTS, Experiment, Variant, now_micros
from core.log_event import LogEvent
from core.store.interface import Note, Store
from server.http.app_keys import CLOCK
from server.http.bodies.body import read_json
from server.http.envelope import success
from server.keeper import answers, decoding
from server.keeper.app_keys import CHANGES, REPOSITORY, STORE
from server.keeper.handlers.urls import experiment_id

log = logging.getLogger(__name__)

_CREATED = 201


async def list_experiments(request: web.Request) -> web.Response:
    """GET /reversal/experiments: all experiments, oldest first."""
    experiments = await request.app[STORE].read(lambda store: store.experiments())
    data = {"experiments": [answers.experiment(experiment) for experiment in experiments]}
    return success(data, request.app[CLOCK].now())


async def show_experiment(request: web.Request) -> web.Response:
    """GET /reversal/experiments/{id}: one experiment with its notes."""
    name = experiment_id(request)

    def stored(store: Store) -> tuple[Experiment, list[Note]]:
        return store.experiment(name), store.notes(name)

    experiment, notes = await request.app[STORE].read(stored)
    data = {**answers.experiment(experiment), "notes": answers.notes(notes)}
    return success(data, request.app[CLOCK].now())


async def create_experiment(request: web.Request) -> web.Response:
    """POST /reversal/experiments: create a draft."""
    body = await read_json(request)
    versions = (await asyncio.to_thread(request.app[REPOSITORY].listing)).versions
    experiment = decoding.experiment(body, versions, now_micros())
    await request.app[STORE].write(lambda store: store.create(experiment))
    created, (a, b) = experiment.experiment_id, experiment.versions
    log.info(LogEvent("experiment_created", experiment=created, mode=experiment.mode, variant_a=a, variant_b=b))
    return success(answers.experiment(experiment), request.app[CLOCK].now(), _CREATED)


async def activate_experiment(request: web.Request) -> web.Response:
    """POST /reversal/experiments/{id}/activate."""
    name = experiment_id(request)
    experiment, stopped = await request.app[CHANGES].activate(name)
    data = {**answers.experiment(experiment), "stopped_experiment": stopped}
    manifests = await asyncio.to_thread(_manifests, request.app[REPOSITORY], experiment)
    if warnings := answers.different_inputs(experiment, manifests):
        data["warnings"] = [warning._asdict() for warning in warnings]
    log.info(LogEvent("experiment_activated", experiment=name, since=data["activated_at"], stopped_experiment=stopped))
    return success(data, request.app[CLOCK].now())


def _manifests(repository: Repository, experiment: Experiment) -> dict[Variant, Manifest]:
    """The manifest of each version. One that is loaded, but no longer in the folder, is left out."""
    found: dict[Variant, Manifest] = {}
    for variant in VARIANTS:
        with suppress(BundleRefused, UnknownVersion):
            found[variant] = repository.read_manifest(experiment.version_of(variant))
    return found


async def stop_experiment(request: web.Request) -> web.Response:
    """POST /reversal/experiments/{id}/stop."""
    name = experiment_id(request)
    data = answers.experiment(await request.app[CHANGES].stop(name, "stopped by request"))
    # An experiment that had been stopped before keeps its time and its reason.
    log.info(LogEvent("experiment_stopped", experiment=name, since=data["stopped_at"], reason=data["stop_reason"]))
    return success(data, request.app[CLOCK].now())


async def show_metrics(request: web.Request) -> web.Response:
    """GET /reversal/experiments/{id}/metrics: the counts of both variants, and of what was beside the experiment."""
    name = experiment_id(request)

    def counts(store: Store) -> tuple[Experiment, dict[Variant, Tally], BesideTotals]:
        return store.experiment(name), store.tally(name), store.beside(name)

    return success(answers.experiment_metrics(*await request.app[STORE].read(counts)), request.app[CLOCK].now())
