"""Simulated experiments as users run them, with a known truth, judged by the functions of the report.

`python -m tests.core.statistics.situations` prints the table of docs/statistics-method.md: how often two equally good
versions are called different at any look, in each situation, and how often a simpler method would have done so.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import norm

from core.experiments.assignment import BLOCK_CANDLES, assign
from core.experiments.candle_table import UNIT_METRICS, CandleTable, Side, Tally, Units, UnitSums
from core.experiments.experiment import Experiment, Guardrails, Mode, Variant
from core.features.candles import Floats
from core.features.labels import LONG, NONE, UNKNOWN
from core.reports.decision import Compared, compare, outcome_difference, reach
from core.reports.recorded import Recorded
from core.reports.result_guardrails import results_crossed
from core.statistics import sequences
from core.statistics.ratios import Statistic, estimate
from core.statistics.reporting import SETTLED_PERIODS
from core.statistics.sequences import MINIMUM_TIMES
from core.statistics.times import newey_west
from tests.core.statistics import tables

Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]
# Looks are closer together at the beginning, where the intervals are widest: each has 7 % more than the one before.
FIRST, GROWTH = 100, 1.07


class Stream(NamedTuple):
    """The trades of one experiment, in order of arrival, one value per trade.

    hour, pair, user: indices. b: whether the variant is B. win: whether the trade is won. reported: whether its outcome
    is reported. closes: the hour at which the outcome arrives. In shadow mode, `shadow` has the candles instead.
    """

    hour: Ints
    pair: Ints
    user: Ints
    b: Bools
    win: Bools
    reported: Bools
    closes: Ints


def market(rng: np.random.Generator, hours: int, horizon: int) -> Floats:
    """What all trades of an hour have in common: standard normal. Neighbours share most of their horizon."""
    steps = np.concatenate([[0.0], np.cumsum(rng.standard_normal(hours + horizon))])
    moves: Floats = (steps[horizon:] - steps[:-horizon])[:hours] / np.sqrt(horizon)
    return moves


class Traders(NamedTuple):
    """The setting of a split or crossover experiment. rates: the win rates of A and B.

    skill: the standard deviation of the users' own win rates. common: the share of an outcome's variance that all
    trades of its hour share. a_day: trades of a user in 24 hours. unreported: the share of B's losses without a
    report. delay: hours until an outcome arrives.
    """

    users: int
    hours: int = 2_000
    mode: Mode = "split"
    skill: float = 0.0
    rates: tuple[float, float] = (0.5, 0.5)
    horizon: int = 10
    common: float = 0.3
    a_day: float = 2.0
    unreported: float = 0.0
    delay: int = 0


def setting(mode: Mode, run: int) -> Experiment:
    return tables.experiment(mode=mode, experiment_id=f"run{run}", traffic_split=1.0 if mode == "shadow" else 0.5)


def traders(of: Traders, run: int) -> Stream:
    """Users who trade at random hours. Assignment is the real one."""
    rng = np.random.default_rng([run, of.users])
    experiment = setting(of.mode, run)
    trades = rng.binomial(of.users, min(of.a_day / 24, 1.0), of.hours)
    hour = np.repeat(np.arange(of.hours), trades)
    user = rng.integers(of.users, size=len(hour))
    blocks = of.hours // BLOCK_CANDLES + 1 if of.mode == "crossover" else 1
    in_b = np.array(
        [
            [
                assign(f"user{u}", experiment, f"1h:{block}" if of.mode == "crossover" else "") == "B"
                for block in range(blocks)
            ]
            for u in range(of.users)
        ]
    )
    b = in_b[user, hour // BLOCK_CANDLES if of.mode == "crossover" else 0]
    rate = np.clip(np.where(b, of.rates[1], of.rates[0]) + of.skill * rng.standard_normal(of.users)[user], 0.02, 0.98)
    latent = np.sqrt(of.common) * market(rng, of.hours, of.horizon)[hour]
    latent += np.sqrt(1 - of.common) * rng.standard_normal(len(hour))
    win = latent < norm.ppf(rate)
    reported = win | ~b | (rng.random(len(hour)) >= of.unreported)
    return Stream(hour, np.zeros(len(hour), np.intp), user, b, win, reported, hour + of.delay)


def looks(stop: int) -> Iterator[int]:
    at = float(FIRST)
    while at < stop:
        yield int(at)
        at *= GROWTH
    yield stop


def recorded(stream: Stream, mode: Mode, now: int) -> Recorded:
    """What the store has at the end of hour `now`."""
    n = int(np.searchsorted(stream.hour, now, side="right"))
    hour, b, win = stream.hour[:n], stream.b[:n], stream.win[:n]
    ended = stream.reported[:n] & (stream.closes[:n] <= now)
    at, row = np.unique(hour, return_inverse=True)
    columns: dict[Variant, Side] = {}
    units: dict[Variant, list[UnitSums]] = {}
    unit = stream.user[:n] * 10_000 + (hour // BLOCK_CANDLES if mode == "crossover" else 0)
    found_units, unit = np.unique(unit, return_inverse=True)
    settled = hour <= (hour[-1] if n else 0) - SETTLED_PERIODS
    number: dict[Variant, int] = {}
    both: tuple[tuple[Variant, Bools], ...] = (("A", ~b), ("B", b))
    for v, here in both:

        def count(which: Bools, here: Bools = here) -> Floats:
            return np.bincount(row[here & which], minlength=len(at)).astype(np.float64)

        everything = np.ones(n, bool)
        columns[v] = tables.side(longs=count(everything), wins=count(ended & win), losses=count(ended & ~win))

        def sums(amount: Floats, counts: Bools, here: Bools = here) -> UnitSums:
            chosen = here & counts
            of_candle = np.bincount(row[chosen], minlength=len(at)).astype(np.float64)
            weight = 1 / of_candle[row[chosen]]
            cells, cell = np.unique(unit[chosen] * len(at) + row[chosen], return_inverse=True)
            num: Floats = np.bincount(cell, amount[chosen] * weight, len(cells)).astype(np.float64)
            den: Floats = np.bincount(cell, weight, len(cells)).astype(np.float64)
            of_unit = cells // max(len(at), 1)
            size = len(found_units)
            squares = ((num * num).sum(), (num * den).sum(), (den * den).sum())
            numerator, denominator = (np.bincount(of_unit, each, size).astype(np.float64) for each in (num, den))
            return UnitSums(numerator, denominator, squares)

        wins, rate = sums(win.astype(np.float64), ended), sums(ended.astype(np.float64), settled)
        units[v] = [rate if name == "reporting_rate" else wins for name in UNIT_METRICS]
        number[v] = len(np.unique(unit[here]))
    table = CandleTable(
        columns["A"],
        columns["B"],
        np.full(len(at), UNKNOWN, np.int8),
        np.full(len(at), np.nan),
        tables.hours(at),
        np.zeros(len(at), np.intp),
        (("EUR/USD", "1h"),),
    )
    by_metric: Units = {name: {"A": units["A"][i], "B": units["B"][i]} for i, name in enumerate(UNIT_METRICS)}
    tallies = {v: tables.tally(users=number[v], units=number[v]) for v in number}
    return Recorded(tallies, table, by_metric, 0, [])


class Found(NamedTuple):
    """The first look with each word, and the first at which a simpler method calls the versions different.

    Looks are numbered by the hours or rows that had arrived.
    """

    words: dict[str, int]
    simpler: int | None


def judged(experiment: Experiment, all_looks: Iterator[tuple[int, Recorded]], simpler: Variance) -> Found:
    """Judge an experiment at every look."""
    words: dict[str, int] = {}
    first = None
    for now, it in all_looks:
        compared = compare(experiment, it)
        words.setdefault(reach(experiment, it, compared).word, now)
        if first is None and _different(compared, experiment, simpler):
            first = now
    return Found(words, first)


# The variance of a difference by a simpler method, from its influence values by candle, in the table's order.
Variance: TypeAlias = Callable[[Compared, Statistic], float]


def without_users(compared: Compared, statistic: Statistic) -> float:
    """Clusters by time alone, as if users were all alike."""
    return float(estimate(statistic._replace(units=None), compared.times).variance)


def _different(compared: Compared, experiment: Experiment, simpler: Variance) -> bool:
    """Whether an experiment would be called different with this variance, and without any check of what is compared."""
    statistic = outcome_difference(compared.results, experiment.metric)
    found = estimate(statistic, compared.times)
    if min(present.sum() for present in statistic.present) < MINIMUM_TIMES:
        return False
    half = float(sequences.margin(found._replace(variance=np.asarray(simpler(compared, statistic)))))
    return abs(float(found.value)) > half and abs(float(found.value)) + half > experiment.minimum_effect


def judge_traders(of: Traders, run: int) -> Found:
    experiment, stream = setting(of.mode, run), traders(of, run)
    return judged(experiment, ((now, recorded(stream, of.mode, now)) for now in looks(of.hours - 1)), without_users)


class Rivals(NamedTuple):
    """The setting of a shadow experiment: two versions that trade long in runs of their own.

    They are right equally often, unless `worse`: then of the trades that both make six of ten are won, of those that A
    makes alone five, and of those that B makes alone three.
    persistence: correlation of a version's trading between neighbouring hours. horizon: an outcome depends on so many
    hours. common: the share of the variance of the market, and of a version's trading, that all
    pairs share. clients: the candles are replayed by so many
    clients at once, each of which has one stretch of time; 0: in random order. reported: whether outcomes of A's trades
    are reported instead of labels.
    """

    pairs: int = 1
    hours: int = 2_000
    horizon: int = 10
    persistence: float = 0.9
    common: float = 0.5
    clients: int = 1
    worse: bool = False
    reported: bool = False


def rivals(of: Rivals, run: int) -> tuple[CandleTable, Ints]:
    """All rows, in order of time, and the arrival of each row: 0 is the first."""
    rng = np.random.default_rng([run, of.pairs])
    shape = (of.hours, of.pairs)

    def over_pairs(series: Callable[[], Floats]) -> Floats:
        """One series a pair, which have `common` of their variance in common; by hour, then by pair."""
        alone = np.stack([series() for _ in range(of.pairs)], axis=1)
        found: Floats = (np.sqrt(of.common) * series()[:, None] + np.sqrt(1 - of.common) * alone).ravel()
        return found

    moves = over_pairs(lambda: market(rng, of.hours, of.horizon))
    a, b = (over_pairs(lambda: persistent(rng, of.hours, of.persistence)) > 0 for _ in range(2))
    least = norm.ppf(np.select([a & b, b], [0.4, 0.7], 0.5)) if of.worse else 0.0
    right = moves > least
    here = [each.astype(np.float64) for each in (a, b)]
    if of.reported:
        judged_b = here[1] * here[0]
        won = right.astype(np.float64)
        sides = [
            tables.side(longs=trades, holds=1 - trades, wins=seen * won, losses=seen * (1 - won))
            for trades, seen in zip(here, (here[0], judged_b), strict=True)
        ]
    else:
        sides = [tables.side(longs=trades, holds=1 - trades) for trades in here]
    label = np.where(right, LONG, NONE) if not of.reported else np.full(right.size, UNKNOWN)
    hour, pair = (index.ravel() for index in np.indices(shape))
    table = CandleTable(
        sides[0],
        sides[1],
        label.astype(np.int8),
        np.where(right, 30.0, -30.0),
        tables.hours(hour),
        pair.astype(np.intp),
        tuple((f"PAIR{i}/USD", "1h") for i in range(of.pairs)),
    )
    if of.clients == 0:
        return table, rng.permutation(len(table))
    stretch, step = hour * of.clients // of.hours, np.empty(len(hour), int)
    for client in range(of.clients):
        step[stretch == client] = np.arange((stretch == client).sum())
    arrival = np.empty(len(hour), np.intp)
    arrival[np.lexsort((stretch, step))] = np.arange(len(hour))
    return table, arrival


def persistent(rng: np.random.Generator, n: int, correlation: float) -> Floats:
    """A series with positive correlation between neighbours."""
    shocks = rng.standard_normal(n + 100) * np.sqrt(1 - correlation**2)
    series: Floats = lfilter([1.0], [1.0, -correlation], shocks)[100:]
    return series


def judge_rivals(of: Rivals, run: int) -> Found:
    experiment = setting("shadow", run)
    table, arrival = rivals(of, run)
    empty: dict[Variant, Tally] = {"A": tables.tally(), "B": tables.tally()}
    arrived_before = arrival

    def by_arrival(compared: Compared, statistic: Statistic) -> float:
        """Neighbours by arrival, all pairs one after the other."""
        n = len(compared.table)
        order = np.argsort(arrived_before[arrived_before < n], kind="stable")
        influence = statistic.influence[order]
        rows = np.arange(n, dtype=np.float64)
        width = float(np.ceil(np.sqrt(n)))
        found = [np.square(influence).sum()] + [newey_west(influence, rows, k * width) for k in (1, 2)]
        added = 2 * np.square(statistic.deviation * statistic.weight)
        return float(max(float(one) for one in found) + added)

    every = ((n, Recorded(empty, table.rows(arrival < n), {}, 0, [])) for n in looks(len(table)))
    return judged(experiment, every, by_arrival)


SITUATIONS: dict[str, Traders | Rivals] = {
    **{f"split, {users} users of different skill": Traders(users, skill=0.05) for users in (20, 50, 80, 200)},
    **{
        f"crossover, {users} users of different skill, outcomes over 24 candles that come late": Traders(
            users, mode="crossover", skill=0.05, horizon=24, delay=24
        )
        for users in (4, 20, 50)
    },
    **{f"split, {share:.0%} of B's losses not reported": Traders(200, unreported=share) for share in (0.05, 0.1, 0.2)},
    **{f"shadow, replayed by {clients} clients": Rivals(clients=clients) for clients in (1, 4, 8, 16, 32)},
    "shadow, shuffled": Rivals(clients=0),
    "shadow, 5 pairs for 1,000 hours": Rivals(5, 1_000, common=0.8),
    "shadow, 10 pairs for 500 hours, outcomes over 24": Rivals(10, 500, horizon=24, common=0.8),
    "shadow, 28 pairs for 180 hours, outcomes over 24": Rivals(28, 180, horizon=24, common=0.8),
    "shadow, outcomes of A's trades reported, B worse": Rivals(reported=True, worse=True),
}


def judge(of: Traders | Rivals, run: int) -> Found:
    return judge_traders(of, run) if isinstance(of, Traders) else judge_rivals(of, run)


class Rates(NamedTuple):
    """Shares of experiments. different: called different at any look. simpler: by the simpler method.

    words: those that ever had each word.
    """

    different: float
    simpler: float
    words: dict[str, float]


def rates(of: Traders | Rivals, runs: int, workers: int = 1) -> Rates:
    found = _all(of, runs, workers)
    words = Counter(word for each in found for word in each.words)
    different = sum(bool(each.words.keys() & {"A better", "B better"}) for each in found)
    simpler = sum(each.simpler is not None for each in found)
    return Rates(different / runs, simpler / runs, {word: count / runs for word, count in words.items()})


# Win rates of 0.50 and 0.56 differ by enough to be seen with a chance of 80 % in a test for one look at the level of
# 5 %, if each side has this many trades: (1.96 + 0.84)^2 * (0.5 * 0.5 + 0.56 * 0.44) / 0.06^2.
FIXED_HORIZON = 1_084
# In each, an hour has one trade a side on the average.
TO_FIND: dict[str, Traders] = {
    "split, 200 users alike": Traders(200, 5_500, rates=(0.50, 0.56), common=0.0, a_day=0.24),
    "crossover, 20 users alike": Traders(20, 5_500, "crossover", rates=(0.50, 0.56), common=0.0, a_day=2.4),
    "crossover, 20 users of different skill": Traders(
        20, 5_500, "crossover", skill=0.05, rates=(0.50, 0.56), common=0.0, a_day=2.4
    ),
}


def found_after(of: Traders, runs: int, workers: int = 1) -> Floats:
    """In each run, the trades a side until "B better", divided by FIXED_HORIZON; infinite if it never came."""
    return np.array([each.words.get("B better", np.inf) for each in _all(of, runs, workers)]) / FIXED_HORIZON


def stopped_by_result(of: Traders, limit: float, run: int) -> bool:
    """Whether the guardrail `min_win_rate` stops an experiment at any look."""
    experiment = tables.experiment(mode=of.mode, experiment_id=f"run{run}", guardrails=Guardrails(min_win_rate=limit))
    stream = traders(of, run)
    return any(results_crossed(experiment, recorded(stream, of.mode, now)) is not None for now in looks(of.hours - 1))


# The true win rate of both variants is exactly the limit.
KEPT_LIMIT = Traders(200, skill=0.05)


def stopped(runs: int, workers: int = 1) -> float:
    """The share of experiments that `min_win_rate` stops although the limit is kept."""
    judge_one = partial(stopped_by_result, KEPT_LIMIT, 0.5)
    if workers == 1:
        return sum(judge_one(run) for run in range(runs)) / runs
    with ProcessPoolExecutor(workers) as pool:
        return sum(pool.map(judge_one, range(runs), chunksize=10)) / runs


def _all(of: Traders | Rivals, runs: int, workers: int) -> list[Found]:
    if workers == 1:
        return [judge(of, run) for run in range(runs)]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(partial(judge, of), range(runs), chunksize=10))


def main(runs: int = 1_000) -> None:
    """Print both tables."""
    write = sys.stdout.write
    for name, of in SITUATIONS.items():
        found = rates(of, runs, workers=2)
        words = ", ".join(f"{word} {share:.1%}" for word, share in sorted(found.words.items()))
        write(f"{name}: different {found.different:.1%}, by the simpler method {found.simpler:.1%} ({words})\n")
        sys.stdout.flush()
    write(f"guardrail min_win_rate, kept exactly: stopped {stopped(runs, workers=2):.1%}\n")
    for name, trades in TO_FIND.items():
        after = found_after(trades, runs, workers=2)
        half, most = np.median(after), np.quantile(after, 0.8)
        write(f"0.50 against 0.56, {name}: half found after {half:.2f}, 80 % after {most:.2f} of the fixed horizon\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
