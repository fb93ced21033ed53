"""The report of an experiment."""

from __future__ import annotations

import asyncio

from aiohttp import web

from core.reports.recorded import read
from core.reports.report import experiment_report
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

    experiment, recorded = await request.app[STORE].read(lambda store: read(store, name, SHOWN_DISAGREEMENTS))
    listed = [answers.disagreement(each) for each in recorded.disagreements]
    # This runs outside the store's few reader threads, because hundreds of thousands of candles take a while.
    shown = await asyncio.to_thread(experiment_report, experiment, recorded._replace(disagreements=listed))
    return success({**answers.experiment(experiment), **shown}, request.app[CLOCK].now())
