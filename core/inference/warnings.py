"""What the reader of an answer should know although it was computed as asked: the table of warnings."""

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

# The sender's clock may be ahead of ours by this: milliseconds.
CLOCK_TOLERANCE = 2_000.0
# The usual distance of timestamps fits a timeframe within this share of it: candles of trades are stamped with
# whatever second a trade fell into. Neighbouring timeframes differ by a factor of two and more.
SPACING_TOLERANCE = 0.1
# Of a calendar month the shortest and the longest have 28 and 31 days, 8 % and 2 % off the mean: within the above.

_HOUR = 3_600_000.0
_DAY = 24 * _HOUR
# No time zone is further ahead of UTC.
_MOST_HOURS_AHEAD = 14


class Warned(NamedTuple):
    """One warning of an answer: `code` is for programs, `message` is a sentence for its reader."""

    code: str
    message: str


NO_TIMESTAMPS = Warned(
    "NO_TIMESTAMPS",
    "the candles have no `timestamp` and are taken as they stand, oldest first (newest first gives other signals):"
    " send `timestamp` with each candle",
)


def mixed_time_zones(without: int, total: int, first: str) -> Warned:
    """`without` of `total` timestamps name no zone; `first` is the place of the first of them."""
    return Warned(
        "MIXED_TIME_ZONES",
        f"{without} of {total} timestamps name no time zone and are read as UTC, the first is {first}:"
        " name the zone in all of them",
    )


def few_candles(given: int, recommended: int) -> Warned:
    """Enough candles, but fewer than recommended."""
    return Warned(
        "FEW_CANDLES",
        f"{given} candles were given, {recommended} are recommended:"
        " with fewer, exponential means still depend on where the series starts",
    )


def no_stage2(version: str) -> Warned:
    """A reversal without a stage for its direction."""
    return Warned("NO_STAGE2", f"version {version} detects reversals but has no stage for direction")


def spacing(opens: Sequence[float], timeframe: str) -> tuple[Warned, ...]:
    """SPACING, of candles that open at these instants (milliseconds since 1970), oldest first."""
    distances = list(map(sub, opens[1:], opens))
    period = PERIODS[timeframe]
    # Nearly all series have few gaps and exact times, and are done with this count.
    if not distances or 2 * distances.count(period) > len(distances):
        return ()
    usual = sorted(distances)[len(distances) // 2]  # gaps, as weekends have them, do not move the median
    if abs(usual - period) <= SPACING_TOLERANCE * period:
        return ()
    apart = f"the timestamps are usually {_duration(usual)} apart, which is not the timeframe {timeframe}"
    return (Warned("SPACING", f"{apart}: send the timeframe that the candles have"),)


def unfinished(last: float, timeframe: str, now: float) -> tuple[Warned, ...]:
    """OPEN_CANDLE or FUTURE_CANDLE, of a last candle that opens then; both in milliseconds since 1970."""
    latest = now + CLOCK_TOLERANCE
    if last + 2.0 * PERIODS[timeframe] <= latest:  # no calendar is asked for candles that ended long ago
        return ()
    try:
        end = shifted(last, timeframe, 1)
    except OverflowError:  # after the year 9999
        end = last + PERIODS[timeframe]
    if end <= latest:
        return ()
    if last <= latest:
        text = (
            f"the last candle ends {_duration(end - now)} after the present time of this server, and its values may"
            ' still change: leave it out; if the timestamps are closing times, send "timestamps": "close"'
        )
        return (Warned("OPEN_CANDLE", text),)
    text = f"the last candle begins {_duration(last - now)} after the present time of this server"
    if _is_ahead_by_hours(last, PERIODS[timeframe], now):
        text += (
            "; most likely the timestamps are of a broker's clock (often UTC+2 or UTC+3) and were read as UTC:"
            " convert them to UTC, or name their zone"
        )
    return (Warned("FUTURE_CANDLE", text),)


def _is_ahead_by_hours(last: float, period: float, now: float) -> bool:
    """Whether the lead is whole hours: over the present, or over the candle that is open or the one that ended last.

    It is not known which of these two a client sends last.
    """
    if period >= _DAY:  # it begins at a midnight that is one elsewhere
        return last % _HOUR == 0.0 and last - now <= _MOST_HOURS_AHEAD * _HOUR
    is_open = now - now % period
    for reference in (now, is_open, is_open - period):
        hours, rest = divmod(last - reference + CLOCK_TOLERANCE, _HOUR)
        if 1 <= hours <= _MOST_HOURS_AHEAD and rest <= 2 * CLOCK_TOLERANCE:
            return True
    return False


def _duration(milliseconds: float) -> str:
    """Such as `2 days, 3:00:00`, in whole seconds where it has some."""
    whole = timedelta(milliseconds=milliseconds)
    return str(timedelta(seconds=round(whole.total_seconds())) if whole >= timedelta(seconds=1) else whole)
