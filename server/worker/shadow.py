"""Shadow mode: variant B scores what A has answered, off the answer's path."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

from core.errors import OutOfRange
from core.experiments.experiment import now_micros
from core.experiments.records import Exposure, Failure, Record, ShadowScore
from core.inference.detector import DetectorResult, Prediction
from core.inference.inputs import WindowSource
from core.journals.journal import Journal
from core.serving.snapshot import Snapshot
from server.http.log_throttle import Throttle
from server.worker.metrics import Metrics

log = logging.getLogger(__name__)

# A whole batch of requests finds room, about 40 kB each with 120 candles.
QUEUE = 1_024
# So few that requests wait less than a millisecond for them. Sixteen would take a tenth less each, and twice that.
BATCH = 8
# Candles remembered as scored: 80 pairs in 9 timeframes are 720 at a time. The store counts a candle once anyway.
KEYS = 4_096
# What comes within this time runs together. Nobody waits for it.
COLLECT_SECONDS = 0.005
# How long a server that stops goes on with what is queued. A full queue takes a tenth of a second.
CLOSE_SECONDS = 2.0


class Shadow:
    """Queues what A answered and scores each candle once with B, in small batches between requests.

    Not in a thread: only `session.run` would run beside the loop. The other half of a prediction holds the GIL, and
    a thread that holds it may give it back to a waiting loop only after 5 ms.
    """

    def __init__(self, snapshot: Callable[[], Snapshot], journal: Journal, metrics: Metrics) -> None:
        self._snapshot = snapshot
        self._journal = journal
        self._metrics = metrics
        self._queue: deque[tuple[Exposure, WindowSource]] = deque()
        self._seen: OrderedDict[tuple[str, str, str, str], None] = OrderedDict()
        self._timer: asyncio.Handle | None = None
        self._throttle = Throttle()

    def add(self, answered: Exposure, source: WindowSource) -> None:
        """Queue what A answered, unless its candle was queued before or the queue is full."""
        key = (answered.experiment_id, answered.pair, answered.timeframe, answered.candle)
        if key in self._seen:
            self._seen.move_to_end(key)
            return
        if len(self._queue) >= QUEUE:
            self._metrics.shadow_dropped.inc()  # not remembered, so that the candle has another chance
            return
        self._seen[key] = None
        if len(self._seen) > KEYS:
            self._seen.popitem(last=False)
        self._queue.append((answered, source))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(COLLECT_SECONDS, self._run)

    async def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Score what is queued, as far as the time goes. Nothing may be added any more."""
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
        # At the end of the loop's turn, so that requests which have arrived go first.
        self._timer = asyncio.get_running_loop().call_soon(self._run) if self._queue else None

    def _score(self) -> None:
        """One batch, if its experiment still runs."""
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
                records.append(_paired(now, answered, result))
                scored += 1
            elif not isinstance(result, OutOfRange):  # that is the market's, and no guardrail's business
                records.append(Failure(now, answered.experiment_id, "B"))
        if records:
            self._journal.append(records)
        self._metrics.shadow_scored.inc(scored)
        self._metrics.shadow_failed.inc(len(some) - scored)

    def _results(
        self, snapshot: Snapshot, version: str, sources: Sequence[WindowSource]
    ) -> Sequence[DetectorResult | None]:
        """B's outcome for each source; null where there is none, of which the log has the reason now and then."""
        try:
            results = snapshot.choose(version).predict(sources)
        except Exception as error:
            if self._throttle.passes(version):
                log.warning("shadow: version %s cannot score: %s", version, error, exc_info=True)
            return [None] * len(sources)
        failed = next(
            (result for result in results if not isinstance(result, Prediction)),
            None,
        )
        if failed is not None and self._throttle.passes(version):
            # The sentence of this one has values of the market.
            reason = failed.code if isinstance(failed, OutOfRange) else failed
            log.warning("shadow: version %s cannot score: %s", version, reason)
        return results


def _paired(now: int, a: Exposure, b: Prediction) -> ShadowScore:
    return ShadowScore(
        at=now,
        experiment_id=a.experiment_id,
        pair=a.pair,
        timeframe=a.timeframe,
        candle=a.candle,
        a_signal=a.signal,
        a_confidence=a.confidence,
        b_signal=b.decision.signal,
        b_confidence=b.decision.confidence,
    )
