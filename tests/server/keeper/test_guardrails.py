"""A guardrail stops the active experiment by itself."""

from __future__ import annotations

import pytest

from core.experiments.records import Exposure, Failure, Refusal
from server.keeper import app
from server.keeper.changes import Changes
from tests.server.keeper.calls import EXPERIMENT, Call, Write
from tests.server.keeper.records import AT, exposure
from tests.waiting import until

GUARDED = {**EXPERIMENT, "guardrails": {"max_error_rate": 0.01}}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "RESULTS_SECONDS", 0.1)


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


async def test_a_variant_that_loses_is_stopped(call: Call, write: Write, changes: Changes) -> None:
    await call("POST", "/reversal/experiments", {**EXPERIMENT, "guardrails": {"min_win_rate": 0.4}})
    await call("POST", "/reversal/experiments/exp/activate")
    trades = [
        exposure(f"p{n}", n // 2, variant="AB"[n % 2], version=f"v{n % 2 + 1}", user=f"u{n % 80}", signal="long")
        for n in range(1_600)
    ]
    await write(*trades)
    # Each user of A wins half of its trades, each of B one in five.
    wins = {f"p{n}": (n // 2 + n // 80) % (2 if n % 2 == 0 else 5) == 0 for n in range(1_600)}
    outcomes = [{"prediction_id": p, "outcome": "win" if won else "loss"} for p, won in wins.items()]
    await call("POST", "/reversal/outcomes", {"outcomes": outcomes})
    await until(lambda: changes.state.experiment is None)
    (stopped,) = (await call("GET", "/reversal/experiments")).data["experiments"]
    assert "min_win_rate" in stopped["stop_reason"]
    assert "variant B (v2) is 20.00%" in stopped["stop_reason"]
