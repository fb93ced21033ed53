"""Simulation of many experiments with a known truth, to measure how often each deciding check is wrong.

`python -m tests.core.statistics.simulation` prints the rates of docs/statistics.md. The columns of tables and tallies
have an axis of experiments before the axis of candles. The deciding functions are those of the report.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from core.experiments.assignment import assign
from core.experiments.candle_table import Tally
from core.experiments.experiment import VARIANTS, Guardrails, Variant
from core.features.candles import Floats
from core.statistics import guardrails
from core.statistics.sample_ratio import sample_ratio
from tests.core.statistics import tables

Bools = NDArray[np.bool_]

PREDICTIONS, LOOK, USERS, CHUNK = 20_000, 100, 1_500, 50
# Each half day with one prediction per hour is followed by a half day with many.
CANDLES = 1_200
# Every limit is exactly the true rate of the copies; for example, half of the candles are hold.
LIMITS = Guardrails(max_error_rate=0.02, max_fallback_rate=0.05, max_p99_ms=10, min_hold_rate=0.5, max_hold_rate=0.5)


class Look(NamedTuple):
    """The totals after this many predictions."""

    predictions: int
    tallies: dict[Variant, Tally]


@cache
def variants_of_users(experiments: int) -> Bools:
    """Which users get variant A, by the real assignment; shape (experiments, users)."""
    made = (tables.experiment(experiment_id=f"aa-{i}") for i in range(experiments))
    return np.array([[assign(f"user{j}", one) == "A" for j in range(USERS)] for one in made])


def persistent(rng: np.random.Generator, experiments: int, n: int, correlation: float = 0.9) -> Floats:
    """Series with positive correlation between neighbours."""
    shocks = rng.standard_normal((experiments, n + 100)) * np.sqrt(1 - correlation**2)
    series: Floats = lfilter([1.0], [1.0, -correlation], shocks, axis=1)[:, 100:]
    return series


def copies(rng: np.random.Generator, in_a: Bools) -> Iterator[Look]:
    """A/A in split mode: two copies of one version, users on shared candles, and a look after every 100 predictions.

    On a candle, the signal and the outcome are the same for all users. Both are correlated with the previous candle's.
    """
    experiments = len(in_a)
    busy = np.arange(CANDLES) // 12 % 2 == 1
    sizes = np.ones(CANDLES, int)
    sizes[busy] += rng.multinomial(PREDICTIONS - CANDLES, np.full(busy.sum(), 1 / busy.sum()))
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    held = persistent(rng, experiments, CANDLES, 0.96) < 0  # much as v3.1's hold on the real hours

    user = rng.integers(USERS, size=PREDICTIONS)
    first_seen = np.zeros(PREDICTIONS, bool)
    first_seen[np.unique(user, return_index=True)[1]] = True
    is_a = in_a[:, user]
    events = {
        name: rng.random((experiments, PREDICTIONS)) < rate
        for name, rate in (("failures", 0.02), ("fallbacks", 0.05 / 0.98), ("slow", guardrails.SLOW_SHARE))
    }
    events["fallbacks"] &= ~events["failures"]
    events["slow"] &= ~events["failures"]
    of_variant: dict[Variant, Bools] = {"A": is_a, "B": ~is_a}
    seen = {v: _running(here) for v, here in of_variant.items()}
    users = {v: _running(here & first_seen) for v, here in of_variant.items()}
    counted = {v: {name: _running(here & there) for name, there in events.items()} for v, here in of_variant.items()}

    for k in range(LOOK, PREDICTIONS + 1, LOOK):
        n = int(np.searchsorted(starts, k))
        edges = np.append(starts[:n], k)
        tallies: dict[Variant, Tally] = {}
        for v in VARIANTS:
            count = np.diff(seen[v][:, edges], axis=1).astype(np.float64)
            hold = held[:, :n]
            failures, fallbacks, slow = (counted[v][name][:, k] for name in ("failures", "fallbacks", "slow"))
            tallies[v] = tables.tally(
                predictions=seen[v][:, k] - failures - fallbacks,
                failures=failures,
                fallbacks=fallbacks,
                slow=slow,
                users=users[v][:, k],
                candles=(count > 0).sum(axis=1),
                held_candles=((count > 0) & hold).sum(axis=1),
            )
        yield Look(k, tallies)


def _running(there: Bools) -> NDArray[np.int32]:
    """The count among the first k predictions, for k from 0."""
    return np.pad(np.cumsum(there, axis=1, dtype=np.int32), ((0, 0), (1, 0)))


def mismatched(tallies: dict[Variant, Tally], users_in_both: int = 0) -> Bools:
    """Which experiments are called invalid for their sample ratio."""
    found = []
    for a, b in zip(tallies["A"].users, tallies["B"].users, strict=True):  # type: ignore[call-overload] # arrays here
        one: dict[Variant, Tally] = {"A": tables.tally(users=int(a)), "B": tables.tally(users=int(b))}
        found.append(sample_ratio(0.5, one, users_in_both)["mismatch"])
    return np.array(found)


def guarded(tallies: dict[Variant, Tally]) -> dict[str, Bools]:
    """Per limit, in which experiments it is called crossed."""
    found: dict[str, Bools] = {}
    for v in VARIANTS:
        for check in guardrails.checks(LIMITS, tallies[v]):
            there = check.evidence >= guardrails.evidence_needed(LIMITS)
            found[check.limit] = found.get(check.limit, False) | there
    return found


def bursts(rng: np.random.Generator, experiments: int, n: int, size: int, rate: float) -> Bools:
    """Requests that fail `size` in a row, at random times, so that their share is `rate` in the long run."""
    start = rate / (size * (1 - rate) + rate)  # the chance that a burst begins after a good request or a burst
    gaps = rng.geometric(start, (experiments, int(3 * n * start) + 30)) - 1
    begins = np.minimum(np.cumsum(gaps + size, axis=1) - size, n)
    edges = np.zeros((experiments, n + size + 1), np.int32)
    rows = np.broadcast_to(np.arange(experiments)[:, None], begins.shape)
    np.add.at(edges, (rows, begins), 1)
    np.add.at(edges, (rows, begins + size), -1)
    there: Bools = np.cumsum(edges, axis=1)[:, :n] > 0
    return there


def false_alarms_of_bursts(
    experiments: int, limit: str, rate: float, *, size: int = guardrails.BURST, a_minute: int = 600
) -> dict[str, float]:
    """The share of experiments that are stopped at any look although both variants fail exactly as often as allowed.

    Failures (or fallbacks, or slow answers, by the name of the limit) come in bursts of `size`. Each variant has 400
    times as many requests, `a_minute` of them in a minute, with a look after each `size`. The second method takes
    requests as independent.
    """
    name = {"max_error_rate": "failures", "max_fallback_rate": "fallbacks", "max_p99_ms": "slow"}[limit]
    limits = Guardrails(**{limit: 10.0 if name == "slow" else rate})
    rng, n, wrong = np.random.default_rng(3), 400 * size, Counter[str]()
    share = max(0.0, 1 - guardrails.BUSY_REQUESTS / a_minute)
    for _ in range(0, experiments, CHUNK):
        ever: dict[str, Bools] = {}
        for _v in VARIANTS:
            bad = np.cumsum(bursts(rng, CHUNK, n, size, rate), axis=1)[:, size - 1 :: size]
            of = np.broadcast_to(np.arange(size, n + 1, size), bad.shape)
            surplus = {name: bad * share, "requests": of * share}
            good = of if name == "slow" else of - bad
            (check,) = guardrails.checks(limits, tables.tally(predictions=good, surplus=surplus, **{name: bad}))
            for method, found in (
                ("guardrail", check),
                ("if requests were independent", check._replace(cluster=1, surplus=(0.0, 0.0))),
            ):
                there: Bools = np.any(found.evidence >= guardrails.evidence_needed(limits), axis=1)
                ever[method] = ever.get(method, False) | there
        wrong.update({method: int(there.sum()) for method, there in ever.items()})
    return {method: count / experiments for method, count in wrong.items()}


def false_alarms_of_copies(experiments: int, seed: int = 1) -> dict[str, float]:
    """Per check, the share of A/A experiments in which it was wrong at any look."""
    wrong: Counter[str] = Counter()
    rng, in_a = np.random.default_rng(seed), variants_of_users(experiments)
    for start in range(0, experiments, CHUNK):
        ever: dict[str, Bools] = {}
        for look in copies(rng, in_a[start : start + CHUNK]):
            now = guarded(look.tallies)
            now["any guardrail"] = np.logical_or.reduce(list(now.values()))
            now["sample ratio"] = mismatched(look.tallies)
            ever = {name: ever.get(name, False) | there for name, there in now.items()}
        wrong.update({name: int(there.sum()) for name, there in ever.items()})
    return {name: count / experiments for name, count in wrong.items()}


def main() -> None:
    """Print the rates."""
    write = sys.stdout.write
    write(f"1,000 A/A experiments of {PREDICTIONS:,} predictions, a look after every {LOOK}:\n")
    for name, rate in false_alarms_of_copies(1_000).items():
        write(f"  {name}: {rate:.1%}\n")
    for limit in ("max_error_rate", "max_fallback_rate", "max_p99_ms"):
        for size, a_minute in ((guardrails.BURST, 600), (4 * guardrails.BURST, 4 * guardrails.BUSY_REQUESTS)):
            write(f"2,000 experiments that keep {limit} in bursts of {size}, {a_minute:,} requests a minute:\n")
            for name, rate in false_alarms_of_bursts(2_000, limit, 0.01, size=size, a_minute=a_minute).items():
                write(f"  {name}: {rate:.2%}\n")


if __name__ == "__main__":
    main()
