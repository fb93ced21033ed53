"""What the log tells of requests that were refused: code and place, never a value."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable
from typing import Any

from server.api import experiment_schemas as of_keeper
from server.api.prediction_schemas import BatchRequest, Candle, CompareRequest, PredictRequest, StageFeatures
from server.http.deadline import HEADER

log = logging.getLogger(__name__)

# Of refusals alike in endpoint, code and field, one is told in so many seconds, with how many there were since.
SECONDS = 1.0
# A client cannot make more kinds than endpoints, codes and fields allow; it is a bound all the same.
_KINDS = 1_000

_BODIES: tuple[Any, ...] = (
    *(PredictRequest, CompareRequest, BatchRequest),
    *(of_keeper.CreateExperiment, of_keeper.ReportOutcomes, of_keeper.ReportedOutcome, of_keeper.Evaluate),
)
# A place may also hold names that the client made up: versions, and fields that there are not.
_FIELDS = frozenset((*(name for body in _BODIES for name in body.__struct_fields__), "format", HEADER))
_WITHIN: dict[str, frozenset[str]] = {
    "data": frozenset(Candle.__struct_fields__),
    "features": frozenset(StageFeatures.__struct_fields__),
    "guardrails": frozenset(of_keeper.GuardrailLimits.__struct_fields__),
}
_INDEX = re.compile(r"\[\d+\]")
# Lists have up to five digits of items, and matrices a second index.
_PLACE = re.compile(
    r"(?P<field>[A-Za-z0-9_-]+)?(?P<index>(?:\[\d{1,5}\])*)(?:\.(?P<inner>\w+)(?P<inner_index>(?:\[\d{1,5}\])*))?",
    re.ASCII,
)


class RefusalLog:
    """Call it from one thread; `flush` about once a second, so that the last of many are told, too."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kinds: dict[tuple[str, str, str, str], tuple[float, int]] = {}

    def note(self, endpoint: str, code: str, place: str, reason: str = "") -> None:
        """Tell of a refusal, or count it.

        place: where in the body, as the answer says it; empty for nowhere. reason: where it is no client's text.
        """
        place = known_part(place)
        kind = (endpoint, code, _INDEX.sub("[]", place), reason)
        now = self._now()
        due, more = self._kinds.get(kind, (now, 0))
        if now < due:
            self._kinds[kind] = due, more + 1
            return
        if len(self._kinds) >= _KINDS:
            self.flush(math.inf)
        self._kinds[kind] = now + SECONDS, 0
        _tell(endpoint, code, place, more + 1, reason)

    def flush(self, now: float | None = None) -> None:
        """Tell how many there were since, of each kind that is due, and forget it; at the end of time all are due."""
        now = self._now() if now is None else now
        for kind in [kind for kind, (due, _) in self._kinds.items() if due <= now]:
            _, more = self._kinds.pop(kind)
            if more:
                endpoint, code, place, reason = kind
                _tell(endpoint, code, place, more, reason)


def _tell(endpoint: str, code: str, place: str, count: int, reason: str) -> None:
    """count: how many refusals the line stands for."""
    told = f": {reason}" if reason else ""
    log.warning("refused endpoint=%r code=%s place=%s count=%d%s", endpoint, code, place or "-", count, told)


def known_part(place: str) -> str:
    """The place up to the first name that is none of ours."""
    found = _PLACE.match(place)
    field = found["field"] if found is not None else None
    if found is None or (field is not None and field not in _FIELDS):
        return "…" if place else ""
    known = (field or "") + found["index"]
    if found["inner"] is not None and found["inner"] in _WITHIN.get(field or "", ()):
        known = found[0]
    return known if known == place else f"{known}…"
