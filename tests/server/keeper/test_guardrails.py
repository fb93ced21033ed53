"""A guardrail stops the active experiment by itself."""

from __future__ import annotations

from core.experiments.records import Exposure, Failure, Refusal
from server.keeper.changes import Changes
from tests.server.keeper.calls import EXPERIMENT, Call, Write
from tests.server.keeper.records import AT, exposure
from tests.waiting import until

GUARDED = {**EXPERIMENT, "guardrails": {"max_error_rate": 0.01}}


def answers(count: int) -> list[Exposure]:
    return [exposure(f"p{n}", n, variant="AB"[n % 2], version=f"v{n % 2 + 1}", user=f"u{n % 2}") for n in range(count)]


async def test_a_thousand_refusals_of_one_side_stop_the_experiment(call: Call, write: Write, changes: Changes) -> None:
    await call("POST", "/reversal/experiments", GUARDED)
    await call("POST", "/reversal/experiments/exp/activate")
    await write(*answers(400), *[Failure(AT, "exp", "A")] * 50)  # one burst, and no reason to stop
    metrics = (await call("GET", "/reversal/experiments/exp/metrics")).data
    assert metrics["active"]
    await write(*[Refusal(AT, "exp", "B")] * 1_000)
    await until(lambda: changes.state.experiment is None)
    (stopped,) = (await call("GET", "/reversal/experiments")).data["experiments"]
    assert stopped["status"] == "stopped"
    assert "max_error_rate: 83.33% of 1,200 requests of variant B (v2)" in stopped["stop_reason"]
