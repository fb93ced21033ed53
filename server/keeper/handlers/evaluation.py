"""Labels predictions with their results, computed from later candles."""

from __future__ import annotations

from aiohttp import web

from core.experiments.experiment import now_micros
from core.inference.warnings import Warned
from core.reports.evaluation import evaluate
from server.http.app_keys import CLOCK
from server.http.bodies.body import read_json
from server.http.envelope import success
from server.keeper import decoding
from server.keeper.app_keys import STORE
from server.keeper.handlers.named import experiment_id

NO_PREDICTIONS = Warned(
    "NO_PREDICTIONS",
    "the experiment has no prediction on any of these candles; check that pair, timeframe and timestamps are the same"
    " as in the predictions",
)


async def label_predictions(request: web.Request) -> web.Response:
    """POST /reversal/experiments/{id}/evaluate."""
    name = experiment_id(request)
    later, rule, warnings = decoding.later_candles(await read_json(request))
    done = await request.app[STORE].write(lambda store: evaluate(store, name, later, rule, now_micros()))
    data = {"candles": len(later.candles), **done._asdict()}
    if not any(done):
        warnings += (NO_PREDICTIONS,)
    if warnings:
        data["warnings"] = [warning._asdict() for warning in warnings]
    return success(data, request.app[CLOCK].now())
