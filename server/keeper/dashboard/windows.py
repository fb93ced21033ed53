"""The windows that the workers keep, if the operator wants that."""

from __future__ import annotations

import asyncio
from itertools import count

import msgspec

from core.features.timeframes import iso
from server.http.envelope import Json
from server.keeper.fleet.member import Member
from server.keeper.fleet.members import Members
from server.protocol.pages import AskWindow, FoundWindow, KeptSeries

# A worker answers within milliseconds. One that is stopped is left out.
WAIT_SECONDS = 1.0
_FIELDS = ("open", "high", "low", "close", "volume")
_numbers = count()


async def kept(members: Members, pair: str | None, timeframe: str | None) -> Json:
    """Where windows are kept, and the newest one of a pair and a timeframe."""
    found = await _asked(members.connected, None, None)
    newest: dict[tuple[str, str], tuple[str, Member]] = {}
    for member, answer in found.items():
        for place in answer.places:
            where, entry = (place.pair, place.timeframe), (place.at, member)
            if where not in newest or newest[where][0] < place.at:
                newest[where] = entry
    places = [{"pair": each[0], "timeframe": each[1], "at": newest[each][0]} for each in sorted(newest)]
    window = None
    if pair is not None and timeframe is not None and (pair, timeframe) in newest:
        _, member = newest[pair, timeframe]
        answers = await _asked({member}, pair, timeframe)
        if member in answers and (series := answers[member].window) is not None:
            window = _shown(series)
    return {"window": window, "places": places}


async def _asked(
    members: frozenset[Member] | set[Member], pair: str | None, timeframe: str | None
) -> dict[Member, FoundWindow]:
    futures = {member: member.ask(AskWindow(next(_numbers), pair, timeframe)) for member in members}
    if futures:
        await asyncio.wait(futures.values(), timeout=WAIT_SECONDS)
    return {
        member: answer
        for member, future in futures.items()
        if future.done() and isinstance(answer := future.result(), FoundWindow)
    }


def _shown(series: KeptSeries) -> Json:
    """A window with its candles as a prediction takes them."""
    signal = series.signal
    candles: list[Json] = [dict(zip(_FIELDS, row, strict=True)) for row in zip(*series.columns, strict=True)]
    if series.opens is not None:
        candles = [{"timestamp": iso(opens)} | each for opens, each in zip(series.opens, candles, strict=True)]
    return {
        "at": signal.at,
        "pair": signal.pair,
        "timeframe": signal.timeframe,
        "data": candles,
        "signal": msgspec.to_builtins(signal),
    }
