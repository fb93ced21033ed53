"""Shadow mode: variant B scores what A has answered, without delaying the answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

from core.errors import OutOfRange
from core.experiments.experiment import now_micros
from core.experiments.records import Exposure, Record, ShadowScore
from core.inference.detector import DetectorResult, Prediction
from core.inference.inputs import WindowSource
from core.journals.journal import Journal
from core.log_event import LogEvent
from core.serving.snapshot import Snapshot
from server.http.log_throttle import Throttle
from server.worker.metrics import Metrics

log = logging.getLogger(__name__)

# Answers queued at most. The items of a whole batch fit, at about 40 kB each with 120 candles.
QUEUE = 1_024
# Answers scored in one run. Requests wait less than a millisecond for a run. A run of sixteen would take a tenth less
# time for each answer, but requests would wait twice as long.
BATCH = 8
# Inputs remembered as scored. 80 pairs in 9 timeframes have 720 current candles. The store counts an input once anyway.
KEYS = 4_096
# Answers given within this time are scored together. No request waits for it.
COLLECT_SECONDS = 0.005
# How long shutdown continues with the queue. A full queue takes a tenth of a second.
CLOSE_SECONDS = 2.0


class Shadow:
    """Queues A's answers and scores each input once with B, in small batches between requests.

    Scoring does not run in a thread. Only `session.run` would run in parallel with the event loop; the other half of a
    prediction holds the GIL, and a thread can keep the GIL from a waiting event loop for 5 ms.
    """

    def __init__(self, snapshot: Callable[[], Snapshot], journal: Journal, metrics: Metrics) -> None:
        self._snapshot = snapshot
        self._journal = journal
        self._metrics = metrics
        self._queue: deque[tuple[Exposure, WindowSource]] = deque()
        self._seen: OrderedDict[tuple[str, str, str, str, str], None] = OrderedDict()
        self._timer: asyncio.Handle | None = None
        self._throttle = Throttle()

    def add(self, answered: Exposure, source: WindowSource) -> None:
        """Queue an answer of A, unless its input was queued before or the queue is full."""
        key = (answered.experiment_id, answered.pair, answered.timeframe, answered.candle, answered.window)
        if key in self._seen:
            self._seen.move_to_end(key)
            return
        if len(self._queue) >= QUEUE:
            self._metrics.shadow_dropped.inc()  # not remembered, so that a later answer can queue the input
            return
        self._seen[key] = None
        if len(self._seen) > KEYS:
            self._seen.popitem(last=False)
        self._queue.append((answered, source))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(COLLECT_SECONDS, self._run)

    async def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Score what is queued for at most `seconds`, and drop the rest. Nothing must be added afterwards."""
        if self._timer is not None:
            self._timer.cancel()
        until = time.monotonic() + seconds
        while self._queue and time.monotonic() < until:
            self._score()
            await asyncio.sleep(0)
        self._metrics.shadow_dropped.inc(len(self._queue))
        self._queue.clear()

    def _run(self) -> None:
        self._score()
        # In a later turn of the event loop, so that requests which have arrived go first.
        self._timer = asyncio.get_running_loop().call_soon(self._run) if self._queue else None

    def _score(self) -> None:
        """Score one batch, if its experiment still runs."""
        some = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
        snapshot = self._snapshot()
        running = snapshot.experiment
        if running is None:
            return
        some = [(answered, source) for answered, source in some if answered.experiment_id == running.experiment_id]
        results = self._results(snapshot, running.variant_b, [source for _, source in some])
        now = now_micros()
        records: list[Record] = []
        scored = 0
        for (answered, _), result in zip(some, results, strict=True):
            if isinstance(result, Prediction):
                records.append(_score(now, answered, result))
                scored += 1
            elif not isinstance(result, OutOfRange):  # the market's fault, so guardrails must not count it
                records.append(_score(now, answered, None))
        if records:
            self._journal.append(records)
        self._metrics.shadow_scored.inc(scored)
        self._metrics.shadow_failed.inc(len(some) - scored)

    def _results(
        self, snapshot: Snapshot, version: str, sources: Sequence[WindowSource]
    ) -> Sequence[DetectorResult | None]:
        """B's result for each source, or None if B raised an error. Of the failures, one a minute is logged."""
        try:
            results = snapshot.choose(version).predict(sources)
        except Exception as error:
            if self._throttle.passes(version):
                log.warning(LogEvent("shadow_score_failed", version=version, error=error), exc_info=True)
            return [None] * len(sources)
        failed = next(
            (result for result in results if not isinstance(result, Prediction)),
            None,
        )
        if failed is not None and self._throttle.passes(version):
            # The message of OutOfRange quotes values of the market, which must not be logged.
            reason = failed.code if isinstance(failed, OutOfRange) else failed
            log.warning(LogEvent("shadow_score_failed", version=version, error=reason))
        return results


def _score(now: int, a: Exposure, b: Prediction | None) -> ShadowScore:
    return ShadowScore(
        at=now,
        experiment_id=a.experiment_id,
        pair=a.pair,
        timeframe=a.timeframe,
        candle=a.candle,
        a_signal=a.signal,
        a_confidence=a.confidence,
        b_signal=None if b is None else b.decision.signal,
        b_confidence=None if b is None else b.decision.confidence,
        window=a.window,
    )
