"""Circuit breaker: while a version fails repeatedly, other versions answer in its place until it is healthy."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from time import monotonic, perf_counter
from weakref import WeakKeyDictionary

from core import yielding
from core.errors import ModelUnavailable
from core.inference.detector import Detector, DetectorResult, Prediction
from core.log_event import LogEvent

log = logging.getLogger(__name__)

FAILURES = 3
# A run takes milliseconds. A run that takes longer than this delays all other requests, and counts as a failure.
SLOW_SECONDS = 1.0
RETRY_SECONDS = 1.0
# A version can pass its health check and still fail on certain request bodies. For this long after a passed check,
# failures only cause another check, and the circuit opens only if that check fails. Otherwise a client that keeps
# sending such bodies could keep the version out of service for all clients. As it is, such a client can do that once in
# this period, for the duration of one check.
TRUSTED_SECONDS = 60.0


@dataclass
class _Failures:
    """The failures in a row of one version, and the reason of the last. `open`: other versions answer first."""

    count: int = 0
    reason: str = ""
    open: bool = False


@dataclass(frozen=True)
class _Check:
    """The last health check of a version. `at`: of time.monotonic()."""

    at: float
    well: bool


_NEVER = _Check(-inf, well=False)


class CircuitBreaker:
    """Counts the failures in a row of each loaded version. A version that is loaded again starts at zero."""

    def __init__(self) -> None:
        self._failures: WeakKeyDictionary[Detector, _Failures] = WeakKeyDictionary()
        self._checks: WeakKeyDictionary[Detector, _Check] = WeakKeyDictionary()
        self.suspected = asyncio.Event()  # set when a version becomes due for a check

    def reason(self, detector: Detector) -> str | None:
        """The reason why other versions answer first in place of this one; None if they do not."""
        if not self._failures:  # asked for each prediction, and a look-up of a weak reference takes longer
            return None
        failures = self._failures.get(detector)
        if failures is None or not failures.open:
            return None
        return f"version {detector.manifest.version} failed {failures.count} times in a row: {failures.reason}"

    def note(self, detector: Detector, results: Sequence[DetectorResult]) -> None:
        """Take note of one run. `results` are those of requests that did not name the version themselves.

        A run counts once, however many requests shared it.
        """
        failure: ModelUnavailable | None = None
        for result in results:
            if isinstance(result, Prediction):
                seconds = sum(result.spent)  # of all requests that shared the run
                if seconds > SLOW_SECONDS:
                    self._failed(detector, f"the run took {seconds:.1f} s, more than {SLOW_SECONDS:g} s")
                elif self._failures and (failures := self._failures.get(detector)) is not None and not failures.open:
                    del self._failures[detector]
                return
            if isinstance(result, ModelUnavailable):
                failure = result
        if failure is not None:
            self._failed(detector, failure.message)

    def due(self) -> list[Detector]:
        """The failing versions that were not checked within RETRY_SECONDS."""
        before = monotonic() - RETRY_SECONDS
        return [
            each
            for each, failures in self._failures.items()
            if failures.count >= FAILURES and self._checks.get(each, _NEVER).at < before
        ]

    def retry(self, detector: Detector) -> bool:
        """Check whether the version is healthy. It blocks without a time limit, so it belongs in a thread.

        The check uses an input that every version can answer, not the input that failed. Otherwise a client that sends
        an unanswerable input could keep the version out of service beyond the next check.
        """
        began = perf_counter()
        with yielding.enabled(wanted=True):
            trouble = detector.trouble()
        return trouble is None and perf_counter() - began <= SLOW_SECONDS

    def tried(self, detector: Detector, *, well: bool) -> None:
        """Take note of a check: `well` closes the version's circuit, a failed check opens it."""
        self._checks[detector] = _Check(monotonic(), well)
        failures = self._failures.get(detector)
        if failures is None:
            return
        if not well:
            self._open(detector, failures)
            return
        del self._failures[detector]
        if failures.open:
            log.warning(LogEvent("circuit_closed", version=detector.manifest.version))

    def _failed(self, detector: Detector, reason: str) -> None:
        failures = self._failures.setdefault(detector, _Failures())
        failures.count += 1
        failures.reason = reason
        if failures.count != FAILURES:
            return
        last = self._checks.get(detector, _NEVER)
        if not last.well or last.at < monotonic() - TRUSTED_SECONDS:
            self._open(detector, failures)
        self.suspected.set()

    def _open(self, detector: Detector, failures: _Failures) -> None:
        if failures.open:
            return
        failures.open = True
        log.error(
            LogEvent(
                "circuit_opened",
                version=detector.manifest.version,
                failures=failures.count,
                error=failures.reason,
                effect="other versions answer in its place",
            )
        )
