"""Explanations of a worker: one at a time, in a thread, with pauses while predictions go on beside it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from time import perf_counter

from core import yielding
from core.errors import DeadlineExceeded
from core.inference.detector import Detector
from core.inference.explaining import BACKGROUND, Explanation, explain
from core.inference.inputs import WindowSource
from server.http.admission import Admission
from server.http.deadline import HEADER, late_in_queue, within
from server.worker.metrics import Metrics

# Explanations in progress in a worker: one is computed, the others wait. Each takes a core for a tenth of a second and
# more, so a client that asks for more is told to come again.
MOST = 4


class _GivenUp(Exception):
    """The client no longer waits for the explanation."""


class Explainer:
    """Computes the explanations of one worker. `admission` bounds those that are in progress."""

    def __init__(self, metrics: Metrics) -> None:
        self.admission = Admission(MOST, "explanations")
        self._metrics = metrics
        self._turn = asyncio.Lock()

    async def explain(self, detector: Detector, source: WindowSource, background: int, until: float) -> Explanation:
        """Explain an answer.

        until: the deadline, of time.perf_counter. The work ends then, and if the caller is cancelled. Raises
        DeadlineExceeded, and what core.inference.explaining.explain raises.
        """
        try:
            async with within(until):
                await self._turn.acquire()
        except TimeoutError:
            raise late_in_queue() from None
        stop = threading.Event()
        try:
            began = perf_counter()
            pause = _Pauses(self._metrics, until, stop)
            found = await asyncio.to_thread(_explain, detector, source, background, pause)
        finally:
            stop.set()
            self._turn.release()
        self._metrics.explanations[(detector.manifest.version,)].observe(perf_counter() - began)
        return found


class _Pauses:
    """Called in the thread after each run of a network: ends the work, or pauses if predictions go on beside it."""

    def __init__(self, metrics: Metrics, until: float, stop: threading.Event) -> None:
        """until, stop: when the work ends."""
        self._metrics = metrics
        self._until = until
        self._stop = stop
        self._runs = metrics.runs

    def __call__(self) -> None:
        if self._stop.is_set():
            raise _GivenUp
        if perf_counter() > self._until:
            what = f"send a larger {HEADER}, or a smaller {BACKGROUND}"
            raise DeadlineExceeded(f"deadline exceeded before the explanation was complete; {what}")
        if self._runs != self._metrics.runs:  # another thread counts, but only whether it has changed matters
            self._runs = self._metrics.runs
            yielding.give_way()


def _explain(detector: Detector, source: WindowSource, background: int, pause: Callable[[], None]) -> Explanation:
    with yielding.enabled(wanted=True):
        return explain(detector, source, background, pause)
