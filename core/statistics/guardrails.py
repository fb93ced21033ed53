"""Whether an experiment has crossed one of its limits, with certainty and under continuous peeking."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from core.experiments.candle_table import Tally
from core.experiments.experiment import VARIANTS, Experiment, Guardrails, Variant
from core.features.candles import Floats
from core.statistics.counts import log_evidence

# How often at most an experiment that keeps all its limits is ever stopped: split evenly over limits and variants.
LEVEL = 0.01

# p99 is beyond its limit where more than this share of the answers is.
SLOW_SHARE = 0.01

# Signals of neighbouring candles are alike, as their windows share all candles but one: so many count as one. On the
# hours of 2017, hold of the reference detectors varies as if 10 to 32 candles were one (benchmarks/autocorrelation.py).
CANDLES_ALIKE = 30


class Check(NamedTuple):
    """A limit, and what was counted against it: `crossings` of n, where a share of `allowed` is.

    `did` says what the crossings did; of a lower limit (`at_least`), what all others did.
    """

    limit: str
    allowed: float
    crossings: int
    n: int
    of: str
    did: str
    alike: int = 1
    at_least: bool = False

    @property
    def evidence(self) -> Floats:
        """Logarithm of the test martingale against the limit being kept."""
        return log_evidence(self.crossings, self.n, self.allowed, self.alike)

    def told(self, who: str) -> str:
        """The limit, the rate and its n in a sentence, as the limit's name counts."""
        of, rate, limit = f"{self.n:,} {self.of} of {who} {self.did}", self.crossings / self.n, self.allowed
        if self.at_least:
            return f"guardrail {self.limit}: {1 - rate:.2%} of {of}, at least {1 - limit:.2%} are demanded"
        return f"guardrail {self.limit}: {rate:.2%} of {of}, {limit:.2%} are allowed"


def crossed(experiment: Experiment, tallies: Mapping[Variant, Tally]) -> str | None:
    """A sentence naming the limit that is crossed, the variant, the rate and its n; null while all are kept."""
    limits = experiment.guardrails
    for variant in VARIANTS:
        for check in checks(limits, tallies[variant]):
            if check.evidence >= evidence_needed(limits):
                return check.told(f"variant {variant} ({experiment.version_of(variant)})")
    return None


def evidence_needed(limits: Guardrails) -> float:
    """The evidence at which one of these limits is crossed with certainty."""
    count = sum(getattr(limits, name) is not None for name in limits.__struct_fields__)
    return math.log(max(count, 1) * len(VARIANTS) / LEVEL)


def checks(limits: Guardrails, tally: Tally) -> Iterator[Check]:
    """One for each limit that is set."""
    answers = tally.predictions + tally.fallbacks
    requests = answers + tally.failures
    if limits.max_error_rate is not None:
        yield Check("max_error_rate", limits.max_error_rate, tally.failures, requests, "requests", "failed")
    if limits.max_fallback_rate is not None:
        yield Check("max_fallback_rate", limits.max_fallback_rate, tally.fallbacks, requests, "requests", "fell back")
    if limits.max_p99_ms is not None:
        yield Check("max_p99_ms", SLOW_SHARE, tally.slow, answers, "answers", f"took over {limits.max_p99_ms:g} ms")
    held, candles = tally.held_candles, tally.candles
    if limits.max_hold_rate is not None:
        yield Check("max_hold_rate", limits.max_hold_rate, held, candles, "candles", "were hold", CANDLES_ALIKE)
    if limits.min_hold_rate is not None:
        allowed, traded = 1 - limits.min_hold_rate, candles - held
        yield Check("min_hold_rate", allowed, traded, candles, "candles", "were hold", CANDLES_ALIKE, at_least=True)
