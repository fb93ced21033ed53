"""The outcomes of predictions, as the client reports them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from aiohttp import web

from core.errors import InvalidInput, ServiceError
from core.experiments.experiment import now_micros
from core.store.interface import ClosedTooEarly, Outcome, OutcomeAnswer
from server.api.schemas.experiments import MAX_OUTCOMES
from server.http.app_keys import CLOCK, REFUSALS
from server.http.bodies import json_items, sizes
from server.http.bodies.body import read_json
from server.http.envelope import Json, refusal, success
from server.http.errors import endpoint_of
from server.http.fairness import let_others_run
from server.keeper import decoding
from server.keeper.answers import iso
from server.keeper.app_keys import STORE
from server.keeper.store_access import StoreAccess

# The keeper of another machine drains its journals every tenth of a second. A prediction that it has just answered can
# be missing in the shared store for that long.
DRAINED_ELSEWHERE_SECONDS = 0.3
# Items that are decoded between two calls of let_others_run. If all of them are invalid, that takes some milliseconds.
_TOGETHER = 500

_OUTCOMES = json_items.Listed("outcomes", MAX_OUTCOMES, sizes.OUTCOME, decoding.outcomes)


async def report_outcomes(request: web.Request) -> web.Response:
    """POST /reversal/outcomes: record outcomes. Each item has its own result, in the order of the items."""
    items = await json_items.items(await read_json(request), _OUTCOMES)
    results: list[Json] = [{} for _ in items]
    good: list[tuple[int, Outcome]] = []
    for i, raw in enumerate(items):
        if i % _TOGETHER == 0:
            await let_others_run()
        try:
            good.append((i, decoding.outcome(raw)))
        except ServiceError as error:
            results[i] = _invalid(request, decoding.prediction_id(raw), error)
    # UUIDs are the same in upper and lower case (RFC 9562, section 4). The server writes them in lower case.
    outcomes = [outcome._replace(prediction_id=outcome.prediction_id.lower()) for _, outcome in good]
    found = await _recorded(request.app[STORE], outcomes)
    for (i, outcome), answer in zip(good, found, strict=True):
        if isinstance(answer, ClosedTooEarly):
            results[i] = _invalid(request, outcome.prediction_id, _too_early(outcome, answer))
        else:
            results[i] = {"prediction_id": outcome.prediction_id, "status": answer}
    counts = Counter(found)
    data = {"results": results, "recorded": counts["recorded"] + counts["late"]}
    return success(data, request.app[CLOCK].now())


def _invalid(request: web.Request, prediction_id: str | None, error: ServiceError) -> Json:
    """The result of an item that is refused. The refusal is logged and counted."""
    request.app[REFUSALS].refused(error, endpoint_of(request))
    reason = {key: value for key, value in refusal(error).items() if key in ("error", "details")}
    return {"prediction_id": prediction_id, "status": "invalid", **reason}


def _too_early(outcome: Outcome, answer: ClosedTooEarly) -> InvalidInput:
    what = "the prediction's last candle, which opened at" if answer.is_candle else "the prediction, which was made at"
    message = f"must not be before {what} {iso(answer.earliest)}, not {iso(outcome.closed_at)}"
    return InvalidInput.at("closed_at", f"{message}; name its time zone, as in 2025-10-16T09:00:00Z")


async def _recorded(store: StoreAccess, outcomes: Sequence[Outcome]) -> list[OutcomeAnswer]:
    """Record outcomes. Those of unknown predictions are tried a second time, after DRAINED_ELSEWHERE_SECONDS."""
    found = await record(store, outcomes)
    unknown = [i for i, answer in enumerate(found) if answer == "unknown"]
    if unknown:
        await asyncio.sleep(DRAINED_ELSEWHERE_SECONDS)
        again = await record(store, [outcomes[i] for i in unknown])
        for i, answer in zip(unknown, again, strict=True):
            found[i] = answer
    return found


async def record(store: StoreAccess, outcomes: Sequence[Outcome]) -> list[OutcomeAnswer]:
    """Record outcomes once, with the predictions that the store has now."""
    now = now_micros()
    return await store.write(lambda it: it.record_outcomes(outcomes, now))
