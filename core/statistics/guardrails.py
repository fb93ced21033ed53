"""Guardrails: whether it is statistically certain that an experiment has crossed a limit, valid at every look."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from core.experiments.candle_table import Tally
from core.experiments.experiment import VARIANTS, Experiment, Guardrails, Variant
from core.features.candles import Floats
from core.statistics.counts import log_evidence

# The probability that an experiment that keeps all its limits is stopped at any time is at most this. It is split
# evenly over limits and variants.
LEVEL = 0.01

# The p99 exceeds its limit when more than this share of the answers is slower than the limit.
SLOW_SHARE = 0.01

# Signals of neighbouring candles are correlated, because their windows share all candles except one. So this many
# candles count as one. On the hours of 2017, the hold rate of v3.0 and v3.1 varies as if 10 to 32 candles
# were one (benchmarks/autocorrelation.py).
CORRELATED_CANDLES = 30


# Requests fail in bursts: a client repeats one bad body, or a pause of the machine delays all requests in progress. The
# requests of a burst may depend on each other in any way, so a burst counts as one observation. It has this many
# requests of a variant in a row, or those of this many seconds, whichever is more. The seconds are those of the busier
# one of a minute and the minute before, so only minutes with more than BUSY_REQUESTS requests differ from the others.
BURST = 50
BURST_SECONDS = 2
BUSY_REQUESTS = BURST * 60 // BURST_SECONDS


class Check(NamedTuple):
    """A limit and the counts against it: the limit is kept while `crossings` is at most the share `allowed` of `n`.

    of: what `n` counts. did: what the crossings have in common; for a lower limit (`at_least`), what the others have.
    cluster: how many neighbours count as one. surplus: the parts of `crossings` and `n` that do not count.
    """

    limit: str
    allowed: float
    crossings: int
    n: int
    of: str
    did: str
    cluster: int = BURST
    surplus: tuple[float, float] = (0.0, 0.0)
    at_least: bool = False

    @property
    def evidence(self) -> Floats:
        """Logarithm of the test martingale against the hypothesis that the limit is kept.

        Every likelihood ratio is raised to the power 1/cluster. By Hölder's inequality, the expected product over a
        burst of that length is then at most 1, however its requests depend on each other.
        """
        return log_evidence(self.crossings - self.surplus[0], self.n - self.surplus[1], self.allowed, self.cluster)

    def describe(self, variant: str) -> str:
        """The limit, the observed rate and its n, as one sentence."""
        of, rate, limit = f"{self.n:,} {self.of} of {variant} {self.did}", self.crossings / self.n, self.allowed
        if self.at_least:
            return f"guardrail {self.limit}: {1 - rate:.2%} of {of} (minimum {1 - limit:.2%})"
        return f"guardrail {self.limit}: {rate:.2%} of {of} (limit {limit:.2%})"


def crossed(experiment: Experiment, tallies: Mapping[Variant, Tally]) -> str | None:
    """A sentence with the crossed limit, the variant, the observed rate and its n; None while all limits are kept."""
    limits = experiment.guardrails
    for variant in VARIANTS:
        for check in checks(limits, tallies[variant]):
            if check.evidence >= evidence_needed(limits):
                return check.describe(f"variant {variant} ({experiment.version_of(variant)})")
    return None


def level_of_each(limits: Guardrails) -> float:
    """The probability that one kept limit of one variant is ever called crossed is at most this."""
    count = sum(getattr(limits, name) is not None for name in limits.__struct_fields__)
    return LEVEL / (max(count, 1) * len(VARIANTS))


def evidence_needed(limits: Guardrails) -> float:
    """The evidence at which it is certain that one of these limits is crossed."""
    return -math.log(level_of_each(limits))


def checks(limits: Guardrails, tally: Tally) -> Iterator[Check]:
    """One check per limit that is set."""
    answers = tally.predictions + tally.fallbacks
    failed = tally.failures + tally.refused
    requests = answers + failed
    fallbacks, slow, all_requests = (tally.surplus.get(name, 0.0) for name in ("fallbacks", "slow", "requests"))
    failures = tally.surplus.get("failures", 0.0) + tally.surplus.get("refused", 0.0)
    if limits.max_error_rate is not None:
        of, did, surplus = "requests", "failed or were refused", (failures, all_requests)
        yield Check("max_error_rate", limits.max_error_rate, failed, requests, of, did, surplus=surplus)
    if limits.max_fallback_rate is not None:
        of, did, surplus = "requests", "fell back", (fallbacks, all_requests)
        yield Check("max_fallback_rate", limits.max_fallback_rate, tally.fallbacks, requests, of, did, surplus=surplus)
    if limits.max_p99_ms is not None:
        of, did, surplus = "answers", f"took over {limits.max_p99_ms:g} ms", (slow, all_requests - failures)
        yield Check("max_p99_ms", SLOW_SHARE, tally.slow, answers, of, did, surplus=surplus)
    held, candles = tally.held_candles, tally.candles
    if limits.max_hold_rate is not None:
        yield Check("max_hold_rate", limits.max_hold_rate, held, candles, "candles", "were hold", CORRELATED_CANDLES)
    if limits.min_hold_rate is not None:
        allowed, traded, cluster = 1 - limits.min_hold_rate, candles - held, CORRELATED_CANDLES
        yield Check("min_hold_rate", allowed, traded, candles, "candles", "were hold", cluster, at_least=True)
