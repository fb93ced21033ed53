"""Explanations of a worker: one at a time, in a thread, in small steps between which predictions go on."""

from __future__ import annotations

import asyncio
import threading
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
            found = await asyncio.to_thread(_explain, detector, source, background, until, stop)
        finally:
            stop.set()
            self._turn.release()
        self._metrics.explanations[(detector.manifest.version,)].observe(perf_counter() - began)
        return found


def _explain(
    detector: Detector, source: WindowSource, background: int, until: float, stop: threading.Event
) -> Explanation:
    def between() -> None:
        yielding.give_way()
        if stop.is_set():
            raise _GivenUp
        if perf_counter() > until:
            what = f"send a larger {HEADER}, or a smaller {BACKGROUND}"
            raise DeadlineExceeded(f"deadline exceeded before the explanation was complete; {what}")

    with yielding.enabled(wanted=True):
        return explain(detector, source, background, between)
