"""Answers what the keeper asks for open pages."""

from __future__ import annotations

from core.journals.journal import Journal
from core.serving.registry import Registry
from server.protocol.pages import AskWindow, FoundWindow, Watch, Watched
from server.worker.dashboard.recent import Recent
from server.worker.dashboard.windows import KeptWindows
from server.worker.open_inference.readiness import Readiness


class Showing:
    """What one worker shows of itself. windows: None if the operator does not want them kept."""

    def __init__(
        self, recent: Recent, windows: KeptWindows | None, registry: Registry, readiness: Readiness, journal: Journal
    ) -> None:
        self._recent = recent
        self._windows = windows
        self._registry = registry
        self._readiness = readiness
        self._journal = journal
        self._thresholds: dict[str, float] = {}  # also of versions that were unloaded since their last answer

    def answer(self, asked: Watch | AskWindow) -> Watched | FoundWindow:
        """Answer a question of the keeper."""
        return self.watched(asked) if isinstance(asked, Watch) else self.window(asked)

    def watched(self, asked: Watch) -> Watched:
        """The newest answers, and how this worker is."""
        failing = {
            version: reason
            for version, detector in self._registry.snapshot.detectors.items()
            if (reason := self._readiness.breaker.reason(detector)) is not None
        }
        return Watched(
            asked.question,
            self._recent.since(asked.after, self._threshold),
            self._recent.answered,
            self._readiness.trouble(),
            failing,
            self._journal.degraded,
            self._journal.waiting,
        )

    def window(self, asked: AskWindow) -> FoundWindow:
        """The windows that are kept, and one of them."""
        if self._windows is None:
            return FoundWindow(asked.question, (), None)
        series = self._windows.series(asked.pair, asked.timeframe, self._threshold)
        return FoundWindow(asked.question, self._windows.places(), series)

    def _threshold(self, version: str) -> float:
        detector = self._registry.snapshot.detectors.get(version)
        if detector is not None:
            self._thresholds[version] = detector.manifest.threshold
        return self._thresholds.get(version, 0.0)
