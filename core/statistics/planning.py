"""How long an experiment takes: the chance that the verdict's interval has excluded zero after n candles.

A candle is here a candle time, however many pairs and users it has. All functions use the verdict's own boundary
(`sequences.margin`), not the formula for an experiment that is looked at once.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from core.experiments.assignment import BLOCK_CANDLES
from core.experiments.experiment import Mode
from core.features.candles import Floats
from core.statistics.reporting import SETTLED_PERIODS
from core.statistics.sequences import MINIMUM_TIMES, MINIMUM_UNITS, Estimate, margin

# Simulated experiments. The chance of each of them is then within 0.4 percentage points.
_WALKS = 20_000
# Simulated looks, at equal ratios of candles. Between them the walk is corrected by Siegmund's formula.
_LOOKS = 240
_SEED = 1
# Siegmund: Sequential analysis (1985), section 10.4: a walk with normal steps passes a boundary as if that were farther
# away by this many standard deviations of a step.
_OVERSHOOT = 0.5826
# The verdict takes the largest of three estimates of the variance. The error of each falls with the fourth root of the
# candles, and so does the excess of the largest. Measured with independent candles: 11 % at 300, 6 % at 10,000.
_EXCESS = 0.55
# With units, it takes the larger one of two further estimates, which differ by about 1 / sqrt(units of a side). This is
# the mean of the positive part of a standard normal error. The jackknife adds 2 / units.
_EXCESS_OF_UNITS = 0.4
# The search ends here; no experiment runs that long.
_MOST_CANDLES = 1e9
# At the last look the effect exceeds the interval by this many standard errors, so that hardly any walk is left.
_CERTAIN = 3.0
# The looks also end when the candles' own error is less than this part of the users' error, which does not fall.
_NEGLIGIBLE = 0.01


class Design(NamedTuple):
    """An experiment that is planned.

    effect: the difference to find, B - A or A - B. variance_a, variance_b: of the result of one trade. deviation: the
    standard deviation of a candle that the verdict assumes for the two artificial candles. trade_share: of the
    predictions. predictions: at one time on the average, of all users and pairs. share_of_a: of the users. correlation:
    between the results of two trades of one variant at one time. overlap: how many neighbouring times vary like one.
    user_sd: the standard deviation of the users' own means. disagreement: the share of the inputs on which the signals
    differ; used in shadow mode, which ignores users.
    """

    mode: Mode
    effect: float
    variance_a: float
    variance_b: float
    deviation: float
    trade_share: float
    predictions: float
    pairs: int
    users: int
    share_of_a: float
    correlation: float
    overlap: float
    user_sd: float
    disagreement: float

    @property
    def users_of_variants(self) -> tuple[float, float]:
        """How many users A and B are expected to get."""
        return self.users * self.share_of_a, self.users * (1 - self.share_of_a)

    @property
    def lacks_users(self) -> bool:
        """Whether a split has so few users that there will be no verdict."""
        return self.mode == "split" and min(self.users_of_variants) < MINIMUM_UNITS


class Information(NamedTuple):
    """What candles tell about the difference. After n candles its variance is `variance / n + floor`.

    fewer, either: the share of candles on which the side with fewer trades has one, and on which any side has one.
    together: how many trades of one variant one time has, if it has any; in shadow mode, trades without a counterpart.
    """

    variance: float
    floor: float
    fewer: float
    either: float
    together: float


class _Side(NamedTuple):
    """A variant in split and crossover mode.

    found: the share of times at which it has a trade. together: how many trades it then has. variance: of the mean
    result of a time at which it has a trade, as a multiple of the variance of one trade.
    """

    found: float
    together: float
    variance: float


def information(design: Design) -> Information:
    """What each candle of a planned experiment tells."""
    if design.mode == "shadow":
        return _of_pairs(design)
    a, b = _side(design, design.share_of_a), _side(design, 1 - design.share_of_a)
    variance = design.variance_a * a.variance / a.found + design.variance_b * b.variance / b.found
    # Crossover compares each user with itself, so that only a split has the users' own differences in its error.
    floor = 0.0
    if design.mode == "split":
        floor = design.user_sd**2 * sum(1 / users for users in design.users_of_variants)
    either = 1 - (1 - a.found) * (1 - b.found)
    return Information(variance * design.overlap, floor, min(a.found, b.found), either, max(a.together, b.together))


def _side(design: Design, share: float) -> _Side:
    """What a variant with a share of the users has at one time.

    Each user asks at random times, all equally often. On one pair and time all users of a variant get the same signal.
    So a trade depends on whether the variant has a user at that time, and on how many pairs those users have. Their
    number varies, and each time has the weight 1, so that the mean of 1 / number counts: by the delta method,
    (1 + squared coefficient of variation) / mean.
    """
    chance = share * min(1.0, design.predictions / design.users)  # that a given user is there, on this side
    present = _any_of(design.users, chance)
    pairs = min(design.pairs, design.predictions * share / present)
    found = present * _any_of(pairs, design.trade_share)
    together = design.predictions * share * design.trade_share / found
    spread = present * ((1 - chance) / (design.users * chance) + 1) - 1
    return _Side(found, together, _correlated(design, together / (1 + spread)))


def _of_pairs(design: Design) -> Information:
    """Shadow mode: where the signals agree, the results cancel. A trade of one version stands against a hold."""
    there = min(1.0, design.predictions)  # the share of times with predictions
    inputs = min(max(1.0, design.predictions), design.pairs)  # users with the same input are one
    at_once = inputs * design.disagreement / _any_of(inputs, design.disagreement)
    of_trades = (design.variance_a + design.variance_b) / 2 * at_once * _correlated(design, at_once)
    variance = of_trades * design.disagreement / (there * inputs * design.trade_share**2)
    fewer = there * _any_of(inputs, design.trade_share)
    either = there * _any_of(inputs, min(1.0, design.trade_share + design.disagreement / 2))
    return Information(variance * design.overlap, 0.0, fewer, either, at_once)


def _any_of(number: float, chance: float) -> float:
    """The chance that at least one of a number of independent events happens."""
    return 1.0 if chance >= 1 else -math.expm1(number * math.log1p(-chance))


def _correlated(design: Design, trades: float) -> float:
    """The variance of the mean of trades at one time, as a multiple of that of one trade (Kish's design effect)."""
    return design.correlation + (1 - design.correlation) / trades


def minimum_candles(design: Design, info: Information) -> float:
    """The number of candles before which no verdict is made.

    Trades come by chance, so the side with fewer needs somewhat longer than on average: a standard deviation is added.
    Outside shadow mode, so many candles must also be old enough to compare how often both sides report their outcomes.
    """
    least = (MINIMUM_TIMES + math.sqrt(MINIMUM_TIMES * (1 - info.fewer))) / info.fewer
    if design.mode == "shadow":
        return least
    if design.mode == "crossover":
        least = max(least, MINIMUM_UNITS / _blocks(design))
    return least + SETTLED_PERIODS


def _blocks(design: Design) -> float:
    """Crossover mode: how many blocks of users with a trade the side with fewer gets a candle."""
    trades = BLOCK_CANDLES * design.predictions * design.trade_share
    active = design.users * -math.expm1(-trades / design.users)
    return active * min(design.share_of_a, 1 - design.share_of_a) / BLOCK_CANDLES


def _units(design: Design, candles: Floats) -> Floats:
    """How many users, or blocks of users in crossover mode, the side with fewer has after so many candles."""
    if design.mode == "crossover":
        return _blocks(design) * candles
    return np.full_like(candles, min(design.users_of_variants) if design.mode == "split" else np.inf)


class Outlook(NamedTuple):
    """The chance to have seen the effect at one of the looks up to each of `candles`; both ascend."""

    candles: Floats
    chance: Floats

    def candles_for(self, chance: float) -> float | None:
        """The number of candles after which the chance is reached; None if it never is."""
        k = int(np.searchsorted(self.chance, chance))
        if k == len(self.chance):
            return None
        if k == 0:
            return float(self.candles[0])
        around = slice(k - 1, k + 1)
        return math.exp(np.interp(chance, self.chance[around], np.log(self.candles[around])))

    def chance_after(self, candles: float) -> float:
        """The chance to have seen the effect after this many candles."""
        if not len(self.candles) or candles < self.candles[0]:
            return 0.0
        return float(np.interp(math.log(candles), np.log(self.candles), self.chance))


NEVER = Outlook(np.empty(0), np.empty(0))


def outlook(design: Design) -> Outlook:
    """The chance that the interval excludes zero, on the effect's side, at any look.

    There is a look after each candle from the minimum on. The estimate is a Gaussian walk. It is simulated in the
    standardised scale, in which it is stationary: at looks at equal ratios r, z becomes z / sqrt(r) plus noise of
    variance 1 - 1/r. Each walk has its own difference between the users of both sides, which stays. The seed is fixed,
    so that the same plan has the same answer.
    """
    if design.lacks_users:
        return NEVER
    info, effect = information(design), abs(design.effect)
    first, last = _span(design, info, effect)
    if first >= _MOST_CANDLES:
        return NEVER
    looks = np.geomspace(first, last, _LOOKS)
    ratio = looks[1] / looks[0]
    of_candles = np.sqrt(info.variance / looks)
    needed = (_margin(design, info, looks) - effect) / of_candles
    keep, move = math.sqrt(1 / ratio), math.sqrt(1 - 1 / ratio)
    needed -= _OVERSHOOT * np.maximum(move - np.sqrt(1 / looks), 0)
    rng = np.random.default_rng(_SEED)
    walks = rng.standard_normal(_WALKS)
    users = math.sqrt(info.floor) * rng.standard_normal(_WALKS)
    left = []
    for k in range(_LOOKS):
        if k:
            walks = walks * keep + move * rng.standard_normal(len(walks))
        stay = walks + users / of_candles[k] < needed[k]
        walks, users = walks[stay], users[stay]
        left.append(len(walks))
    return Outlook(looks, 1 - np.array(left) / _WALKS)


def _span(design: Design, info: Information, effect: float) -> tuple[float, float]:
    """The first and the last look."""
    first = minimum_candles(design, info)
    last = 2 * first
    while last < _MOST_CANDLES:
        error = math.sqrt(info.variance / last + info.floor)
        if effect - float(_margin(design, info, np.asarray(last))) >= _CERTAIN * error:
            break
        if info.variance / last < _NEGLIGIBLE * info.floor:
            break
        last *= 2
    return first, last


def _margin(design: Design, info: Information, candles: Floats) -> Floats:
    """Half the width of the verdict's interval, with the variance that the verdict will estimate on average."""
    units = _units(design, candles)
    excess = _EXCESS * candles**-0.25 + _EXCESS_OF_UNITS / np.sqrt(units) + 2 / units
    variance = (info.variance / candles + info.floor) * (1 + excess)
    artificial = 2 * np.square(2 * design.deviation / (candles * info.fewer))
    return margin(Estimate(np.zeros_like(candles), variance + artificial, candles * info.either))
