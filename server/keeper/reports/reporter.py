"""Makes reports, and keeps a look at the active experiment in each slot of time."""

from __future__ import annotations

import asyncio
import logging

from core.errors import StoreUnavailable
from core.experiments.experiment import Experiment, Micros, now_micros
from core.experiments.look import Look, slot
from core.log_event import LogEvent
from core.reports.history import days_left, history, is_due, look_at
from core.reports.recorded import Recorded, read
from core.reports.report import experiment_report
from core.store.interface import Note, Store
from server.http.envelope import Json
from server.keeper import answers
from server.keeper.store_access import StoreAccess

log = logging.getLogger(__name__)

# The latest candles on which the versions disagreed, as examples. The export has all of them.
SHOWN_DISAGREEMENTS = 100
CLOSE_SECONDS = 1.0


class Reporter:
    """Makes the reports of one keeper."""

    def __init__(self, store: StoreAccess) -> None:
        self._store = store
        self._writes: set[asyncio.Task[None]] = set()
        self.looked: tuple[str, int] | None = None  # the experiment and the slot of the last periodic look

    async def report(self, name: str, *, disagreements: bool = False) -> Json:
        """The report of an experiment. If its look is due, it is stored later: its failure fails no report.

        Raises UnknownExperiment or StoreUnavailable.
        """
        listed = SHOWN_DISAGREEMENTS if disagreements else 0

        def stored(store: Store) -> tuple[list[Note], tuple[Experiment, Recorded, list[Look]]]:
            return store.notes(name), (*read(store, name, listed), store.looks(name))

        notes, numbers = await self._store.read(stored)
        # This runs outside the store's few reader threads, because hundreds of thousands of candles take a while.
        found, look = await asyncio.to_thread(computed, *numbers, now_micros())
        if look is not None:
            writing = asyncio.create_task(self._keep(name, look))
            self._writes.add(writing)
            writing.add_done_callback(self._writes.discard)
        return found | {"notes": answers.notes(notes)}

    async def look(self, experiment: Experiment | None) -> None:
        """Make a report of the active experiment if no replica has looked in this slot. Raises StoreUnavailable."""
        if experiment is None:
            return
        name, now = experiment.experiment_id, now_micros()
        if self.looked == (name, slot(now)):
            return
        if is_due(experiment, await self._store.read(lambda store: store.looks(name)), now):
            await self.report(name)
        self.looked = (name, slot(now))

    async def close(self) -> None:
        """Wait a moment for the looks that are being stored."""
        if self._writes:
            await asyncio.wait(self._writes, timeout=CLOSE_SECONDS)

    async def _keep(self, name: str, look: Look) -> None:
        try:
            await self._store.attempt(lambda store: store.add_look(name, look))
        except StoreUnavailable as error:
            log.warning(LogEvent("look_unrecorded", experiment=name, error=error, effect="the history has a gap"))
        except Exception:
            log.exception(LogEvent("look_recording_failed", experiment=name, effect="the history has a gap"))


def computed(experiment: Experiment, recorded: Recorded, looks: list[Look], now: Micros) -> tuple[Json, Look | None]:
    """The report at a time, and the look to store, if it is due."""
    if recorded.disagreements is not None:
        recorded = recorded._replace(disagreements=[answers.disagreement(each) for each in recorded.disagreements])
    found = experiment_report(experiment, recorded)
    verdict = found["verdict"]
    verdict["days_left"] = days_left(experiment, verdict["more_candles"], recorded.table, now)
    look = look_at(experiment, found, now) if is_due(experiment, looks, now) else None
    found["history"] = history(looks if look is None else [*looks, look])
    return answers.report(experiment, found), look
