"""Warnings of an answer: reasons not to trust it blindly although the request was valid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from operator import sub
from typing import Literal, NamedTuple, TypeAlias, get_args

from core.features.timeframes import PERIODS, shifted

Code: TypeAlias = Literal[
    "FEW_CANDLES",
    "NO_STAGE2",
    "NO_TIMESTAMPS",
    "MIXED_TIME_ZONES",
    "SPACING",
    "OPEN_CANDLE",
    "FUTURE_CANDLE",
    "OUT_OF_RANGE",
]
CODES: tuple[Code, ...] = get_args(Code)

# The sender's clock is allowed to be ahead of the server's by this, in milliseconds.
CLOCK_TOLERANCE = 2_000.0
# The median distance of timestamps is allowed to differ from the timeframe by this share of it, because some sources
# stamp a candle with the time of its first trade. Neighbouring timeframes differ by a factor of two or more. The
# shortest and the longest calendar month differ by 8 % and 2 % from the mean, which is within this tolerance.
SPACING_TOLERANCE = 0.1

_HOUR = 3_600_000.0
_DAY = 24 * _HOUR
# No time zone is further ahead of UTC than this.
_MOST_HOURS_AHEAD = 14


class Warned(NamedTuple):
    """One warning of an answer: `code` is for programs, `message` for people."""

    code: str
    message: str


NO_TIMESTAMPS = Warned(
    "NO_TIMESTAMPS",
    "the candles have no `timestamp`, so they are used in the order in which they were sent, as oldest first"
    " (if they were sent newest first, the signal is wrong): send a `timestamp` with each candle",
)


def mixed_time_zones(without: int, total: int, first: str) -> Warned:
    """Return MIXED_TIME_ZONES: `without` of `total` timestamps have no zone, the first of them at path `first`."""
    return Warned(
        "MIXED_TIME_ZONES",
        f"{without} of {total} timestamps have no time zone and are read as UTC, the first of them is {first}:"
        " write all timestamps with a time zone, such as Z or +02:00",
    )


def few_candles(given: int, recommended: int) -> Warned:
    """Return FEW_CANDLES: there are enough candles, but fewer than recommended."""
    return Warned(
        "FEW_CANDLES",
        f"{given} candles were sent, {recommended} are recommended: with fewer, exponential averages (EMA, MACD) still"
        f" depend on the first candle, and the signal can differ; send {recommended} candles",
    )


def no_stage2(version: str) -> Warned:
    """Return NO_STAGE2: a reversal was detected, but the version has no stage for its direction."""
    return Warned(
        "NO_STAGE2",
        f"a reversal was detected, but version {version} has no stage2 to predict its direction, so the signal is hold:"
        " use a version with a stage2",
    )


def out_of_range(version: str, findings: Sequence[str]) -> Warned:
    """Return OUT_OF_RANGE. findings: for each stage with such inputs, the features that are furthest outside."""
    return Warned(
        "OUT_OF_RANGE",
        f"the input is far outside the training data of version {version}:"
        f" check the values, or use a version that was trained on this market (scaled values: {'; '.join(findings)})",
    )


def spacing(opens: Sequence[float], timeframe: str) -> tuple[Warned, ...]:
    """Return SPACING if it applies to candles that open at these instants (milliseconds since 1970), oldest first."""
    distances = list(map(sub, opens[1:], opens))
    period = PERIODS[timeframe]
    # This fast check is enough for nearly all series, because they have exact times and few gaps.
    if not distances or 2 * distances.count(period) > len(distances):
        return ()
    usual = sorted(distances)[len(distances) // 2]  # the median, because gaps such as weekends do not change it
    if abs(usual - period) <= SPACING_TOLERANCE * period:
        return ()
    found = f"the timestamps are usually {_duration(usual)} apart, but the timeframe is {timeframe}"
    return (Warned("SPACING", f"{found}: send the `timeframe` of the candles"),)


def unfinished(last: float, timeframe: str, now: float) -> tuple[Warned, ...]:
    """Return OPEN_CANDLE or FUTURE_CANDLE if one applies.

    last: the opening time of the last candle. now: the present time. Both are in milliseconds since 1970.
    """
    latest = now + CLOCK_TOLERANCE
    if last + 2.0 * PERIODS[timeframe] <= latest:  # it ended long ago; the calendar is not needed
        return ()
    try:
        end = shifted(last, timeframe, 1)
    except OverflowError:  # after the year 9999
        end = last + PERIODS[timeframe]
    if end <= latest:
        return ()
    if last <= latest:
        text = (
            f"the last candle ends in {_duration(end - now)} by the server's clock, so its values can still change:"
            ' leave it out or, if the timestamps are closing times, send "timestamps": "close"'
        )
        return (Warned("OPEN_CANDLE", text),)
    text = f"the last candle begins in {_duration(last - now)} by the server's clock"
    if _is_ahead_by_hours(last, PERIODS[timeframe], now):
        text += (
            "; the timestamps are probably in a broker's local time (often UTC+2 or UTC+3) and were read as UTC:"
            " convert them to UTC or add their time zone"
        )
    else:
        text += ": check the timestamps, and the sender's clock"
    return (Warned("FUTURE_CANDLE", text),)


def _is_ahead_by_hours(last: float, period: float, now: float) -> bool:
    """Whether `last` is a whole number of hours ahead of now, of the open candle, or of the last candle that has ended.

    All three are checked, because some clients send the open candle last and others the last one that has ended.
    """
    if period >= _DAY:  # such a candle begins at midnight in some time zone
        return last % _HOUR == 0.0 and last - now <= _MOST_HOURS_AHEAD * _HOUR
    is_open = now - now % period
    for reference in (now, is_open, is_open - period):
        hours, rest = divmod(last - reference + CLOCK_TOLERANCE, _HOUR)
        if 1 <= hours <= _MOST_HOURS_AHEAD and rest <= 2 * CLOCK_TOLERANCE:
            return True
    return False


def _duration(milliseconds: float) -> str:
    """Format a duration such as `2 days, 3:00:00`. From one second on, it is rounded to whole seconds."""
    whole = timedelta(milliseconds=milliseconds)
    return str(timedelta(seconds=round(whole.total_seconds())) if whole >= timedelta(seconds=1) else whole)
