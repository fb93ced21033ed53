"""What is left when more is asked than can be done: one worker, single predictions, an open loop.

`cost` is a refusal's share of a prediction's time, by the processor time of each. Where everybody is heard, at r times
the sustainable rate r - 1 of them are refused at that cost, so that 1 - (r - 1) * cost / (1 - cost) of the predictions
are left; `kept` is the goodput as a share of that. It may be above 1: whoever is refused and asks again at once is not
heard for a while.
"""

from __future__ import annotations

import time

from benchmarks import bodies, servers
from benchmarks.figures import medians, watched
from benchmarks.load import closed, opened
from benchmarks.machine import machine, tell
from benchmarks.options import parser

RATES = (0.5, 0.8, 1.0, 1.5, 2.0)
SATURATING = 32
# Three times what is taken on by default, so that there is something to refuse.
MANY = 768
# Short enough to be over before clients that do not wait are silenced, and as long a pause as ends that.
_BURSTS, _BURST_SECONDS, _QUIET_SECONDS = 5, 0.3, 2.2


def left(rate: float, cost: float) -> float:
    """The share of predictions that refusing leaves, at so many times the sustainable rate."""
    return min(1.0, rate, 1.0 - (rate - 1.0) * cost / (1.0 - cost))


def refusal_us(refusing: servers.Running, messages: list[bytes], predicting_us: float) -> float:
    """The processor time of a refusal: the least of some bursts, less that of what was answered."""
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
                # From sending: where all connections are in use it is the client that keeps the others waiting.
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
    tell(
        {"machine": about, "connections": MANY, "refusal": {"us": refusal, "cost": cost}, "rows": figures},
        options.output,
    )


if __name__ == "__main__":
    main()
