"""The last answers of a worker, as the dashboard shows them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple, TypeAlias

from core.experiments.records import Exposure
from core.inference.detector import Prediction
from server.api import answers
from server.protocol.pages import OfExperiment, ShownSignal, iso_ms

# More are not shown: a page that is asked for once a second cannot show more of each worker.
KEPT = 100
_MILLISECONDS = 1e3


# The fields of a RecentAnswer. Each prediction makes one, and a plain tuple takes half the time.
Plain: TypeAlias = tuple[float, float, str, str, Prediction, str | None, Exposure | None]


class RecentAnswer(NamedTuple):
    """One answer, without its candles.

    at: of time.time(). seconds: from the arrival of the question. exposure: the record, if an experiment chose the
    version.
    """

    at: float
    seconds: float
    pair: str
    timeframe: str
    prediction: Prediction
    fallback_reason: str | None
    exposure: Exposure | None


class Recent:
    """A ring of the last answers, and the number of all of them.

    Every prediction adds to it, so that this must cost next to nothing: `keep` takes a plain tuple, and `answered` must
    be raised by the number of answers that were kept.
    """

    def __init__(self) -> None:
        self._ring: deque[Plain] = deque(maxlen=KEPT)
        self.keep = self._ring.append
        self.answered = 0

    def since(self, after: int, threshold: Callable[[str], float]) -> tuple[ShownSignal, ...]:
        """The answers after the one with a number, oldest first: at most KEPT. threshold: of a version."""
        new = min(self.answered - after, len(self._ring))
        if new <= 0:
            return ()
        return tuple(shown(RecentAnswer(*each), threshold) for each in islice(self._ring, len(self._ring) - new, None))


def shown(answer: RecentAnswer, threshold: Callable[[str], float]) -> ShownSignal:
    """An answer as the stream has it."""
    prediction, exposure = answer.prediction, answer.exposure
    version, decision, opens = prediction.version, prediction.decision, prediction.opens
    return ShownSignal(
        at=iso_ms(answer.at),
        pair=answer.pair,
        timeframe=answer.timeframe,
        signal=decision.signal,
        confidence=decision.confidence,
        stage1_prob=decision.stage1_prob,
        stage2_prob=decision.stage2_prob,
        threshold=threshold(version),
        version=version,
        latency_ms=round(answer.seconds * _MILLISECONDS, 3),
        warnings=tuple([warning.code for warning in prediction.warnings]),
        fallback_reason=answer.fallback_reason,
        experiment=None if exposure is None else OfExperiment(exposure.experiment_id, exposure.variant),
        prediction_id=None if exposure is None else exposure.prediction_id,
        candle_time=None if opens is None else answers.validity(opens, answer.timeframe)[0],
        worker=os.getpid(),
    )
