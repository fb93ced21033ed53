"""How predictions ended, as the client reports it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from aiohttp import web

from core.errors import ServiceError
from core.experiments.experiment import now_micros
from core.store.interface import Outcome, OutcomeAnswer
from server.api.schemas.experiments import MAX_OUTCOMES
from server.http.app_keys import CLOCK, REFUSALS
from server.http.bodies import json_items, sizes
from server.http.bodies.body import read_json
from server.http.envelope import Json, refusal, success
from server.http.errors import endpoint_of
from server.http.fairness import let_others_run
from server.keeper import decoding
from server.keeper.app_keys import STORE
from server.keeper.store_access import StoreAccess

# Another machine's keeper drains its journals every tenth of a second: what it answered a moment ago may not be
# in the common store yet.
DRAINED_ELSEWHERE_SECONDS = 0.3
# So many items are decoded without a let_others_run, or answered: some milliseconds where all of them are bad.
_TOGETHER = 500

_OUTCOMES = json_items.Listed("outcomes", MAX_OUTCOMES, sizes.OUTCOME, decoding.outcomes)


async def report_outcomes(request: web.Request) -> web.Response:
    """POST /reversal/outcomes. Each item has an answer of its own, in order."""
    items = await json_items.items(await read_json(request), _OUTCOMES)
    results: list[Json] = [{} for _ in items]
    good: list[tuple[int, Outcome]] = []
    for i, raw in enumerate(items):
        if i % _TOGETHER == 0:
            await let_others_run()
        try:
            good.append((i, decoding.outcome(raw)))
        except ServiceError as error:
            request.app[REFUSALS].refused(error, endpoint_of(request))
            told = {key: value for key, value in refusal(error).items() if key in ("error", "details")}
            results[i] = {"prediction_id": decoding.prediction_id(raw), "status": "invalid", **told}
    # A UUID means the same in either case (RFC 9562, section 4); ours are written in lower case.
    outcomes = [outcome._replace(prediction_id=outcome.prediction_id.lower()) for _, outcome in good]
    statuses = await _recorded(request.app[STORE], outcomes)
    for (i, outcome), status in zip(good, statuses, strict=True):
        results[i] = {"prediction_id": outcome.prediction_id, "status": status}
    counts = Counter(statuses)
    data = {"results": results, "recorded": counts["recorded"] + counts["late"]}
    return success(data, request.app[CLOCK].now())


async def _recorded(store: StoreAccess, outcomes: Sequence[Outcome]) -> list[OutcomeAnswer]:
    """Record them; those of unknown predictions are tried a second time before that is said."""
    statuses = await record(store, outcomes)
    unknown = [i for i, status in enumerate(statuses) if status == "unknown"]
    if unknown:
        await asyncio.sleep(DRAINED_ELSEWHERE_SECONDS)
        again = await record(store, [outcomes[i] for i in unknown])
        for i, status in zip(unknown, again, strict=True):
            statuses[i] = status
    return statuses


async def record(store: StoreAccess, outcomes: Sequence[Outcome]) -> list[OutcomeAnswer]:
    """Record them as the store knows their predictions now."""
    now = now_micros()
    return await store.write(lambda it: it.record_outcomes(outcomes, now))
