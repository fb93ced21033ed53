"""Files of candles as commands take them: their options, and how they are read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import click

from core.errors import InvalidInput
from core.features.timeframes import PERIODS
from reversal import candle_files
from reversal.candle_times import DayOrder
from reversal.frames import Table
from reversal.pairs import PointSize, are_points, in_prices, pair_of
from server.api.schemas.predictions import DEFAULT_TIMEFRAME, Stamp

_LARGEST_FILE = 1 << 28  # bytes; a minute a line, it holds ten years

timeframe_option = click.option(
    "--timeframe", type=click.Choice(list(PERIODS)), help="Period of a candle. Default: the file's, else 1h."
)
timestamps_option = click.option(
    "--timestamps",
    type=click.Choice(["open", "close"]),
    help="What a candle's time is: that of its opening (default) or of its closing.",
)


def _zone(_: click.Context, __: click.Parameter, given: str | None) -> str | None:
    try:
        return given if given is None else ZoneInfo(given).key
    except (KeyError, ValueError, OSError):  # as settings are read
        raise click.BadParameter(f"{given!r} is no IANA time zone, such as Europe/Athens") from None


timezone_option = click.option(
    "--timezone", callback=_zone, help="Zone of times that name none, such as Europe/Athens.  [default: UTC]"
)
dates_option = click.option(
    "--dates", type=click.Choice(["dmy", "mdy"]), help="Order of day and month in dates such as 01/02/2017."
)


def _size(_: click.Context, __: click.Parameter, given: str | None) -> PointSize | None:
    if given is None:
        return None
    if given == "tenth-pip":
        return "tenth-pip"
    try:
        size = float(given)
    except ValueError:
        size = 0.0
    if not 0.0 < size <= 1.0:
        raise click.BadParameter(f"{given!r} is neither a number from 0 to 1 nor tenth-pip")
    return size


point_size_option = click.option(
    "--point-size",
    callback=_size,
    metavar="SIZE",
    help="Prices are points of this size, such as 0.00001; tenth-pip: 0.001 for pairs in yen, 0.00001 for others.",
)


class GivenFile(NamedTuple):
    """The candles of a file. pair: None if nothing names it. are_points: whether prices look like points."""

    candles: Table
    timeframe: str
    timestamps: Any
    pair: str | None
    are_points: bool


class FileForm(NamedTuple):
    """What the options say about a file."""

    timeframe: str | None
    timestamps: Stamp | None
    timezone: str | None
    dates: DayOrder | None
    point_size: PointSize | None


def form_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that `FileForm` has."""
    for option in (point_size_option, dates_option, timezone_option, timestamps_option, timeframe_option):
        command = option(command)
    return command


def read_given(file: str, form: FileForm, pair: str | None = None) -> GivenFile:
    """Read a file of candles; `-` is standard input. pair: what is known of it. Raises InvalidInput or OSError."""
    if file != "-":
        with Path(file).open("rb") as opened:
            data = opened.read(_LARGEST_FILE + 1)
    elif sys.stdin is None:
        raise InvalidInput("standard input is closed")
    else:
        data = sys.stdin.buffer.read(_LARGEST_FILE + 1)
    if len(data) > _LARGEST_FILE:
        raise InvalidInput(f"{file}: larger than {_LARGEST_FILE >> 20} MiB; cut it into parts")
    found = candle_files.read(candle_files.decoded(data), form.timezone, form.dates)
    timeframe = form.timeframe or found.timeframe or DEFAULT_TIMEFRAME
    pair = pair or found.pair or pair_of(Path(file).name)
    candles = in_prices(found.candles, form.point_size, pair)
    points = form.point_size is None and are_points(candles)
    return GivenFile(candles, timeframe, form.timestamps or found.timestamps, pair, points)
