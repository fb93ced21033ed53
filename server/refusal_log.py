"""What the log tells of requests that were refused: code and place, never a value."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any

from server.deadline import HEADER
from server.keeper import schemas as of_keeper
from server.schemas import BatchRequest, Candle, CompareRequest, PredictRequest, StageFeatures

log = logging.getLogger(__name__)

# Of refusals alike in endpoint, code and field, one is told in so many seconds, with how many there were since.
SECONDS = 1.0
# A client cannot make more kinds than endpoints, codes and fields allow; it is a bound all the same.
_KINDS = 1_000

_BODIES: tuple[Any, ...] = (
    *(PredictRequest, CompareRequest, BatchRequest, Candle, StageFeatures),
    *(of_keeper.CreateExperiment, of_keeper.Limits, of_keeper.ReportOutcomes, of_keeper.ReportedOutcome),
    of_keeper.Evaluate,
)
# A place may also hold names that the client made up: versions, and fields that there are not.
_KNOWN = frozenset((*(name for body in _BODIES for name in body.__struct_fields__), "format", HEADER))
_INDEX = re.compile(r"\[\d+\]")
_STEP = re.compile(r"\.?([A-Za-z0-9_-]+)|\[\d+\]")


class RefusalLog:
    """Call it from one thread; `flush` about once a second, so that the last of many are told, too."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kinds: dict[tuple[str, str, str], tuple[float, int]] = {}

    def note(self, endpoint: str, code: str, place: str) -> None:
        """Tell of a refusal, or count it. `place`: where in the body, as the answer says it; empty for nowhere."""
        place = known_part(place)
        kind = (endpoint, code, _INDEX.sub("[]", place))
        now = self._now()
        due, more = self._kinds.get(kind, (now, 0))
        if now < due:
            self._kinds[kind] = due, more + 1
            return
        if len(self._kinds) >= _KINDS:
            self._kinds.clear()
        self._kinds[kind] = now + SECONDS, 0
        _tell(endpoint, code, place, more)

    def flush(self) -> None:
        """Tell how many there were since, of each kind that is due, and forget those of which there were none."""
        now = self._now()
        for kind in [kind for kind, (due, _) in self._kinds.items() if due <= now]:
            _, more = self._kinds.pop(kind)
            if more:
                _tell(*kind, more)


def _tell(endpoint: str, code: str, place: str, more: int) -> None:
    """more: how many like it were not told."""
    log.warning("refused endpoint=%r code=%s place=%s more=%d", endpoint, code, place or "-", more)


def known_part(place: str) -> str:
    """The place up to the first name that is none of ours."""
    end = 0
    while (step := _STEP.match(place, end)) is not None and (step[1] is None or step[1] in _KNOWN):
        end = step.end()
    return place[:end] + ("…" if end < len(place) else "")
