"""Stage 1's recall in /metrics: of the latest labelled experiment, and only while something tells it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from aiohttp import web

from server.keeper.app_keys import REPOSITORY
from server.keeper.metrics import KeeperMetrics
from server.keeper.reports.recall import refresh_recall
from server.keeper.store_access import StoreAccess
from tests.server.keeper.calls import EXPERIMENT, Call, Write
from tests.server.keeper.records import exposure

Found = dict[tuple[str, str, str], float]


def recalls(metrics: KeeperMetrics) -> Found:
    """The series of the metric: name, experiment and version."""
    return {
        (sample.name.removeprefix("reversal_stage1_"), sample.labels["experiment"], sample.labels["version"]): (
            sample.value
        )
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name.startswith("reversal_stage1_")
    }


# Prices that fall to the third bar and then rise, in units of 10 pips: the third bar is a reversal.
CLOSES = [2, 1, 0, 1, 2, 3, 2]
RULE = {"horizon": 2, "min_profit_pips": 6, "max_loss_pips": 5, "min_ratio": 1.5}


def evaluation(**changes: object) -> dict[str, object]:
    """Later candles, of the hours from 1970 on, and their rule."""
    data: list[dict[str, Any]] = []
    for hour, tens in enumerate(CLOSES):
        close = round(1.1 + tens * 0.001, 5)
        prices = {"open": close, "high": round(close + 1e-4, 5), "low": round(close - 1e-4, 5), "close": close}
        data.append({"timestamp": f"1970-01-01T{hour:02}:00:00Z", **prices})
    return {"pair": "EUR/USD", "timeframe": "1h", "data": data, **RULE, **changes}


async def begin(call: Call, **changes: object) -> str:
    """Create and activate an experiment; returns where its candles are labelled."""
    made = {**EXPERIMENT, **changes}
    assert (await call("POST", "/reversal/experiments", made)).status == 201
    assert (await call("POST", f"/reversal/experiments/{made['experiment_id']}/activate")).status == 200
    return f"/reversal/experiments/{made['experiment_id']}/evaluate"


@pytest.fixture
def metrics() -> KeeperMetrics:
    return KeeperMetrics()


async def test_it_is_that_of_the_latest_labelled_experiment(
    started: web.Application, store: StoreAccess, metrics: KeeperMetrics, call: Call, write: Write
) -> None:
    async def refresh() -> Found:
        await refresh_recall(store, started[REPOSITORY], metrics)
        return recalls(metrics)

    first = await begin(call)
    await write(exposure("a", 2, signal="short"), exposure("b", 2, variant="B", version="v2", signal="hold"))
    assert await refresh() == {}  # nothing is labelled yet
    assert (await call("POST", first, evaluation())).data["labelled"] == 1
    found = await refresh()
    assert (found["recall", "exp", "v1"], found["recall_reversals", "exp", "v1"]) == (1, 1)
    assert (found["recall", "exp", "v2"], found["recall_reversals", "exp", "v2"]) == (0, 1)
    assert math.isnan(found["recall_upper", "exp", "v1"])

    second = await begin(call, experiment_id="next", variant_b="v3")
    await write(exposure("c", 2, experiment_id="next"))
    await write(exposure("d", 2, experiment_id="next", variant="B", version="v3", signal="hold"))
    assert (await refresh())["recall", "exp", "v1"] == 1  # still the last one that is labelled
    assert (await call("POST", second, evaluation())).data["labelled"] == 1
    found = await refresh()
    assert found["recall", "next", "v1"] == 1
    # v3 has no Stage 2: it answers hold whatever its Stage 1 finds.
    assert not [labels for labels in found if labels[2] == "v3"]
    assert math.isnan(found["recall", "exp", "v1"])
    assert found["recall_reversals", "exp", "v1"] == 0
