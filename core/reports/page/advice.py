"""What limits a report, and what to do next: one sentence each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from core.experiments.experiment import VARIANTS
from core.reports.page.quantity import Quantity, Report, number, share
from core.reports.page.rounding import rounded
from core.statistics.sequences import MINIMUM_UNITS

_REPORTED = Quantity("reported", "%", "percentage points", 100.0)
# A warning on fewer predictions than this does not limit the conclusions.
MUCH_WARNED = 0.05
# A larger share of trades or candles without a result than this is worth an advice.
MUCH_UNJUDGED = 0.05
# A longer forecast means only that the experiment does not end.
MOST_DAYS = 10_000


def limits(report: Report) -> list[str]:
    """What a reader must know before trusting the numbers; empty if nothing is known."""
    return [*_limits_of_all(report), *(each for variant in VARIANTS for each in _limits_of(report, variant))]


def _limits_of_all(report: Report) -> Iterator[str]:
    metric = report["metric"]
    a, b = (report["variants"][variant][metric]["candles"] for variant in VARIANTS)
    if report["verdict"]["word"] == "not yet":
        yield f"Results so far: A at {_count(a, 'candle time')}, B at {_count(b, 'candle time')}."
    if not report["differences"][metric].get("valid", True):
        yield "Too few results: an interval that is not yet valid can be too narrow."
    if report["sample_ratio"] is not None:
        yield from _limits_of_users(report["sample_ratio"], crossover=report["mode"] == "crossover")
    if (reporting := report.get("reporting")) is not None:
        a, b = (number(_REPORTED, reporting[variant]) for variant in VARIANTS)
        if reporting["differs"]:
            yield f"Results were reported for {a} of A's trades, but for {b} of B's."
    for reason, what in (("without_user", "named no user"), ("named_version", "named a version")):
        if count := report.get("beside", {}).get(reason):
            yield f"{_count(count, 'request')} {what} and took no part."
    if report["differences"][metric].get("source") == "reported" and report["mode"] == "shadow":
        yield "Reported results exist for the trades of A only; they count for B where both signals agree."


def _limits_of_users(ratio: Report, *, crossover: bool) -> Iterator[str]:
    users, both = ratio["users"], ratio["users_in_both"]
    units = "blocks of users" if crossover else "users"
    if both:
        yield f"Answers of both variants went to {both:,} {units}."
    counts = f"A has {users['A']:,} {units}, B {users['B']:,}"
    if ratio["mismatch"]:
        yield f"They were not split as agreed: {counts}."
    elif min(users.values()) < MINIMUM_UNITS:
        yield f"Few users: {counts}. Their own habits can decide the result."


def _limits_of(report: Report, variant: str) -> Iterator[str]:
    of = report["variants"][variant]
    missing, whole, what, fate = _unjudged(of)
    if missing > 0:
        yield f"{missing:,} of {_count(whole, what)} of {variant} {'has' if missing == 1 else 'have'} no {fate}."
    for name, meaning in (
        ("fallbacks", "answered by another version, which the numbers leave out"),
        ("failures", "answered by no version"),
        ("refused", "refused by its version alone"),
        ("unrecorded", "answered, but could not be recorded"),
    ):
        if count := of.get(name):
            yield f"{_count(count, 'request')} of {variant} {'was' if count == 1 else 'were'} {meaning}."
    for code, warned in of["warnings"].items():
        if (warned["share"] or 0) >= MUCH_WARNED:
            yield f"{share(warned['share'])} of the predictions of {variant} carry the warning {code}."
    if imported := of["imported"]:
        yield f"{_count(imported['count'], 'prediction')} of {variant} counted by the old service are not used."


def _unjudged(of: Report) -> tuple[int, int, str, str]:
    """How many of how many trades or candles have no result, which of the two, and what they lack."""
    if of["win_rate"].get("source") == "labels":
        return of["unique_candles"] - of["labelled_candles"], of["unique_candles"], "candle", "label yet"
    trades = of["signals"]["long"] + of["signals"]["short"]
    return trades - of["outcomes_joined"], trades, "trade", "reported result"


def steps(report: Report) -> list[str]:
    """What to do next."""
    return [_step(report), *_help(report)]


def _step(report: Report) -> str:
    word, status = report["verdict"]["word"], report["status"]
    stop = "" if status == "stopped" else "Stop the experiment. "
    if word == "invalid":
        return f"{stop}Find the mistake, then start a new experiment under a new id."
    if word.endswith(" better"):
        return f"{stop}Make {report[f'variant_{word[0].lower()}']} the active version, if it is not yet."
    if word.startswith("no difference"):
        return f"{stop}Keep either version: the difference is smaller than the smallest one of interest."
    if status == "draft":
        return "Activate the experiment."
    if status == "stopped":
        return "Only late results can still decide. Otherwise start a new experiment under a new id."
    return f"Let it run. {_wait(report['verdict'])}"


def _wait(verdict: dict[str, Any]) -> str:
    days, more = verdict.get("days_left"), verdict.get("more_candles")
    if days is None:
        return "How much longer cannot be estimated yet."
    candles = "" if more is None else f" ({_count(_up(more), 'further candle')})"
    return f"At the present rate a verdict takes about {_time(days)} more{candles}."


def _help(report: Report) -> Iterator[str]:
    if report["verdict"]["word"] != "not yet" or report["status"] == "draft":
        return
    labelled = report["differences"][report["metric"]].get("source") == "labels"
    unjudged = [_unjudged(report["variants"][variant]) for variant in VARIANTS]
    # The latest candles have no label at any time, because their future is not known.
    many = any(missing > MUCH_UNJUDGED * whole for missing, whole, *_ in unjudged)
    if report["mode"] == "shadow" and not labelled:
        yield "Call evaluate: labels judge the trades of both versions, also those that only B would have made."
    elif many and labelled:
        yield "Call evaluate with later candles, to label what has no label yet."
    elif many:
        yield "Report the results of all trades, or call evaluate."


def _time(days: float) -> str:
    for unit, length in (("days", 1.0), ("hours", 1 / 24)):
        if days >= 2 * length:
            return f"{rounded(min(days, MOST_DAYS) / length, None)} {unit}{' or' if days > MOST_DAYS else ''}"
    return _count(max(round(days * 24 * 60), 1), "minute")


def _up(number: float) -> int:
    """A forecast, rounded up to two digits."""
    digit: int = 10 ** max(0, math.floor(math.log10(max(number, 1))) - 1)
    return math.ceil(number / digit) * digit


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
