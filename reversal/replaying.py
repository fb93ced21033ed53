"""Replays in this process: past candles through several versions, with the verdict of an experiment."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.experiments.experiment import Metric
from core.replay import page
from core.replay.choices import Choices, rule_of
from core.replay.market import Market
from core.replay.replaying import Replayed
from core.replay.replaying import replay as replay_all
from core.replay.trades import Costs, Exit
from core.replay.view import verdict
from reversal.frames import Table, history
from reversal.offline import load, signal_columns
from server.api.schemas.predictions import DEFAULT_TIMEFRAME, Stamp
from server.cpus import available

# A year, a month or a day.
_DAY = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_PAIR = re.compile(r"[A-Z]{3}/[A-Z]{3}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MOST_PIPS, _MOST_DRAWS = 1e4, 100_000

Day = str | date


class Replay:
    """The result of a replay. report: all numbers, as `reversal replay --json` prints them."""

    def __init__(self, markets: Sequence[Market], found: Replayed) -> None:
        self._markets = {market.pair: i for i, market in enumerate(markets)}
        self._found = found
        self.report = found.report

    def __repr__(self) -> str:
        return f"<replay of {', '.join(self.report['versions'])}: {self.verdict}>"

    @property
    def verdict(self) -> str:
        """The verdict on the first comparison in one line."""
        word, sentence = verdict(self.report)
        return f"{word}: {sentence}"

    def signals(self, version: str, pair: str) -> dict[str, NDArray[Any]]:
        """A version's answers on each candle of a pair, oldest first, in the columns of OfflineDetector.signals."""
        return signal_columns(self._found.answers[version][self._markets[pair]])

    def trades(self, version: str, pair: str) -> dict[str, NDArray[Any]]:
        """The trades that followed all signals of a version on a pair. row: the signal's candle, oldest first."""
        found = self._found.trades[version][self._markets[pair]]
        return {**found._asdict(), "atr": found.atr}

    def html(self) -> str:
        """A page with pictures, in one file."""
        return page.html(self.report)

    def markdown(self) -> str:
        """The page as Markdown, without pictures."""
        return page.markdown(self.report)


def replay(  # noqa: PLR0913 - the choices of a replay, by name
    candles: Mapping[str, Table],
    versions: Sequence[str],
    *,
    models: str | Path | None = None,
    timeframe: str = DEFAULT_TIMEFRAME,
    timestamps: Stamp | None = None,
    begin: Day | None = None,
    end: Day | None = None,
    rule: Mapping[str, Any] | None = None,
    exit: Exit = "horizon",  # noqa: A002 - the name of the option
    spread: float = Costs().spread,
    slippage: float = Costs().slippage,
    metric: Metric = "win_rate",
    minimum_effect: float | None = None,
    draws: int = Choices().draws,
    seed: int = 1,
    progress: Callable[[int, int], object] | None = None,
) -> Replay:
    """Past candles through versions, as the server would have answered, and whether a version is better.

    candles: a table of each pair, such as {"EUR/USD": frame}, with times. versions: the first one is compared with each
    other one. begin, end: the first and the last day, month or year that is replayed, in UTC; candles outside serve as
    look-back and as the future of the last ones. rule: parameters of the label rule, as `evaluate` takes them.
    docs/replay.md explains the other choices and the result. Raises core.errors.ServiceError.
    """
    costs = Costs(_within("spread", spread, 0.0, _MOST_PIPS), _within("slippage", slippage, 0.0, _MOST_PIPS))
    for name, value, known in (("exit", exit, get_args(Exit)), ("metric", metric, get_args(Metric))):
        if value not in known:
            raise InvalidInput.at(name, f"must be one of {', '.join(known)}, not {value!r:.40}")
    if isinstance(versions, str) or not versions:
        raise InvalidInput.at("versions", "must be a list of versions")
    if twice := [each for i, each in enumerate(versions) if each in versions[:i]]:
        raise InvalidInput.at("versions", f"{twice[0]} is there twice")
    if not candles:
        raise InvalidInput.at("candles", "no table")
    detectors = {version: load(version, models).detector for version in versions}
    for version, detector in detectors.items():
        if detector.manifest.inputs == "features":
            raise InvalidInput(f"version {version} takes ready-made features only, not candles")
    chosen, origin = rule_of(
        {version: detector.manifest.label_rule for version, detector in detectors.items()}, timeframe, rule or {}
    )
    effect = None if minimum_effect is None else _within("minimum_effect", minimum_effect, 1e-9, 1e6)
    choices = Choices(
        chosen, origin, timeframe, exit, costs, metric, effect, int(_within("draws", draws, 2, _MOST_DRAWS)), seed
    )
    markets = [_market(pair, table, timeframe, timestamps, begin, end) for pair, table in candles.items()]
    if not any(len(market.rows) for market in markets):
        raise InvalidInput("no candle" if begin is None is end else "no candle is within the chosen days")
    return Replay(markets, replay_all(markets, detectors, choices, threads=available(), progress=progress))


def _market(  # noqa: PLR0913, PLR0917 - as its caller
    pair: str, table: Table, timeframe: str, timestamps: Stamp | None, begin: Day | None, end: Day | None
) -> Market:
    if not isinstance(pair, str) or not _PAIR.fullmatch(pair):
        raise InvalidInput.at("pair", f"must be two currencies such as EUR/USD, not {pair!r:.40}")
    try:
        found = history(table, timeframe, timestamps)
    except InvalidInput as error:
        raise InvalidInput(f"{pair}: {error}") from None
    if found.opens is None:
        raise InvalidInput(f"{pair}: the candles have no times, which a replay needs")
    first = 0 if begin is None else bisect_left(found.opens, _instants("begin", begin)[0])
    stop = len(found) if end is None else bisect_left(found.opens, _instants("end", end)[1])
    return Market(pair, found.candles, range(first, max(first, stop)))


def _instants(name: str, day: Day) -> tuple[float, float]:
    """The beginning of a day, month or year, and of the next one, in milliseconds since 1970."""
    match = _DAY.fullmatch(day.isoformat()[:10] if isinstance(day, date) else str(day))
    year, month, of_month = (None, None, None) if match is None else match.groups()
    try:
        first = datetime(int(year or 0), int(month or 1), int(of_month or 1), tzinfo=UTC)  # there is no year 0
        if of_month is not None:
            after = first + timedelta(days=1)
        elif month is not None:
            after = (first + timedelta(days=31)).replace(day=1)
        else:
            after = first.replace(year=first.year + 1)
    except (ValueError, OverflowError):
        raise InvalidInput.at(name, f"must be a day such as 2018-01-31, a month or a year, not {day!r:.40}") from None
    return (first - _EPOCH) / _MILLISECOND, (after - _EPOCH) / _MILLISECOND


def _within(name: str, value: float, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not least <= value <= most:
        raise InvalidInput.at(name, f"must be a number from {least:g} to {most:g}, not {value!r:.40}")
    return float(value)
