"""The report of an experiment."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from core.experiments.experiment import Experiment
from core.reports.report import experiment_report
from core.store.interface import Store
from server.http.app_keys import CLOCK
from server.http.envelope import success
from server.keeper import answers
from server.keeper.app_keys import STORE
from server.keeper.handlers.named import experiment_id

# The latest candles on which the versions disagreed, as examples. The export has all of them.
SHOWN_DISAGREEMENTS = 100


async def show_report(request: web.Request) -> web.Response:
    """GET /reversal/experiments/{id}/report."""
    name = experiment_id(request)

    def recorded(store: Store) -> tuple[Experiment, tuple[Any, ...]]:
        return store.experiment(name), (
            store.tally(name),
            store.candles(name),
            store.users_in_both(name),
            [answers.disagreement(each) for each in store.disagreements(name, SHOWN_DISAGREEMENTS)],
        )

    experiment, numbers = await request.app[STORE].read(recorded)
    # This runs outside the store's few reader threads, because hundreds of thousands of candles take a while.
    shown = await asyncio.to_thread(experiment_report, experiment, *numbers)
    return success({**answers.experiment(experiment), **shown}, request.app[CLOCK].now())
