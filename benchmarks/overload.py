"""Predictions that are left under overload: one worker, single predictions, an open loop.

`cost` is the CPU time of a refusal ÷ the CPU time of a prediction. If the server reads every request, then at r times
the sustainable rate a share of r - 1 is refused at that cost. That leaves a share of 1 - (r - 1) * cost / (1 - cost) of
the predictions. `kept` is the measured throughput as a share of that. It can be above 1, because the server does not
read from a client for a while if the client asks again right after a refusal.
"""

from __future__ import annotations

import time

from benchmarks import bodies, servers
from benchmarks.figures import medians, watched
from benchmarks.load import closed, opened
from benchmarks.machine import machine, save
from benchmarks.options import parser

RATES = (0.5, 0.8, 1.0, 1.5, 2.0)
SATURATING = 32
# Three times the default limit of in-flight requests, so that requests are refused.
MANY = 768
# A burst ends before the server stops reading from clients that do not wait. The pause ends that stop.
_BURSTS, _BURST_SECONDS, _QUIET_SECONDS = 5, 0.3, 2.2


def left(rate: float, cost: float) -> float:
    """Return the share of predictions that is left beside refusals, at `rate` times the sustainable rate."""
    return min(1.0, rate, 1.0 - (rate - 1.0) * cost / (1.0 - cost))


def refusal_us(refusing: servers.Running, messages: list[bytes], predicting_us: float) -> float:
    """Return the CPU time of a refusal in microseconds: the smallest of several bursts, without that of predictions."""
    found = []
    for _ in range(_BURSTS):
        time.sleep(_QUIET_SECONDS)
        burst = watched(refusing, closed, messages, 4 * SATURATING, _BURST_SECONDS, 0.0)
        found.append((burst["cpu_us"] - predicting_us) * burst["answers"] / burst["errors"])
    return min(found)


def main() -> None:
    """Measure, and print the medians of the rounds."""
    options = parser(__doc__, "overload", rounds=5, seconds=2.0).parse_args()
    about, messages = machine(), bodies.messages("features")
    rounds: list[dict[str, dict[str, float]]] = []
    with (
        servers.server("--max-in-flight", "1", python=options.server, tree=options.tree) as refusing,
        servers.server(python=options.server, tree=options.tree) as usual,
    ):
        for _ in range(options.rounds):
            found = {
                f"{count} connections": watched(usual, closed, messages, count, options.seconds)
                for count in (SATURATING, 4 * SATURATING)
            }
            sustainable = found[f"{SATURATING} connections"]["per_second"]
            for rate in RATES:
                name = f"{rate:g} times the rate"
                # Counted from sending, because a request without a free connection waits in the client.
                found[name] = watched(
                    usual, opened, messages, rate * sustainable, MANY, options.seconds, from_sending=True
                )
                found[name]["rate"] = rate
            rounds.append(found)
        figures = {name: medians([each[name] for each in rounds]) for name in rounds[0]}
        saturated = figures[f"{SATURATING} connections"]
        refusal = refusal_us(refusing, messages, saturated["cpu_us"])
    cost = refusal / saturated["cpu_us"]
    for row in figures.values():
        row["refused"] = row["errors"] / (row["errors"] + row["answers"])
        if "rate" in row:
            row["kept"] = row["per_second"] / (left(row["rate"], cost) * saturated["per_second"])
    save(
        {"machine": about, "connections": MANY, "refusal": {"us": refusal, "cost": cost}, "rows": figures},
        options.output,
    )


if __name__ == "__main__":
    main()
