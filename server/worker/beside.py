"""Counts of the predictions that were asked for beside the active experiment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from core.experiments.experiment import now_micros
from core.experiments.records import Beside, BesideReason
from core.journals.journal import Journal


class BesideCounter:
    """Adds up in memory; `flush` writes the sums to the journal, once a second and when the worker ends.

    A worker that is killed loses the counts of its last second. Predictions of an experiment are never counted here:
    each has a record of its own.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._counts: Counter[tuple[str, BesideReason]] = Counter()

    def add(self, experiment_id: str, named: Sequence[bool]) -> None:
        """Count predictions: for each, whether it named its version, or else no user.

        The counts of an experiment that has stopped meanwhile stay until the next flush.
        """
        if versions := sum(named):
            self._counts[experiment_id, "named_version"] += versions
        if users := len(named) - versions:
            self._counts[experiment_id, "without_user"] += users

    def flush(self, *, ending: bool = False) -> None:
        """Write the sums, or keep them while the journal cannot be written: they must not take room from exposures.

        ending: write them in any case, because there is no later flush.
        """
        if not self._counts or (self._journal.degraded and not ending):
            return
        now = now_micros()
        self._journal.append([Beside(now, *key, count) for key, count in self._counts.items()])
        self._counts.clear()
