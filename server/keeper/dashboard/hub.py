"""The stream of events to all open pages. While no page is open it does nothing but read the counts once a minute."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from core.errors import Overloaded
from core.log_event import LogEvent
from core.serving.state import State
from server.http.envelope import Json
from server.keeper.dashboard.condition import ThisServer
from server.keeper.dashboard.events import Events
from server.keeper.dashboard.history import MINUTE_SECONDS, CountsHistory
from server.keeper.dashboard.subscription import Subscription
from server.keeper.fleet.member import Member
from server.keeper.reports.reporter import Reporter
from server.protocol.messages import ToKeeper
from server.protocol.pages import ShownSignal, Watch, Watched, event
from server.protocol.timing import BUCKETS, PHASES

log = logging.getLogger(__name__)

MOST_PAGES = 100
_RETRY_SECONDS = 5
# Workers are asked this often, and the counts are read every second time.
SIGNALS_SECONDS = 1.0
FIGURES_TURNS = 2
# A worker answers within a turn of its event loop. One that is busy for longer is in the next event.
WAIT_SECONDS = 0.25
OPENING_SECONDS = 1.0  # the first page can wait for it
# Outcomes and exposures can change the numbers of an experiment many times a second. A page reads a report for each
# such event.
EXPERIMENT_SECONDS = 5.0

_encode = msgspec.json.encode


class Hub:
    """Asks the workers and reads the counts while a page is open, and tells all open pages."""

    def __init__(self, server: ThisServer, history: CountsHistory, reporter: Reporter) -> None:
        self.events = Events()
        self.pages: set[Subscription] = set()
        self._server = server
        self._history = history
        self._reporter = reporter
        self._opening = 0  # pages that are not among `pages` yet
        self._ticking: asyncio.Task[None] | None = None
        self._updating = asyncio.Lock()
        self._question = 0
        self._asked: dict[Member, asyncio.Future[ToKeeper | None]] = {}
        self._told: dict[Member, Watched] = {}  # by each worker, last
        self._ended = 0  # answers of the workers that have ended
        self._now: Json = {}
        self._closed = False
        # What is compared to find changes, and what has changed and is not told yet.
        self._state = server.changes.state
        self._served = (server.replicas.others, server.members.agreement.served)
        self._recorded: tuple[object, int] = (reporter.looked, 0)
        self._changed: dict[str, None] = {}
        self._grown, self._grown_told = False, 0.0

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """A place for one page. Raises Overloaded if there is none."""
        if len(self.pages) + self._opening >= MOST_PAGES:
            raise Overloaded(f"too many open pages (limit {MOST_PAGES})", _RETRY_SECONDS)
        self._opening += 1
        try:
            yield
        finally:
            self._opening -= 1

    async def open(self, last: str | None) -> Subscription:
        """Begin to tell a page everything. last: the id of the last event that it has seen."""
        if self._ticking is None:  # no page was open, so that all is outdated
            await self._update(figures=True)
        page = Subscription()
        missed = self.events.since(last)
        hello = {
            "epoch": self.events.epoch,
            "replica": self._server.name,
            "resumed": missed.resumed,
            "missed": missed.missed,
            "bounds": BUCKETS,
            "minutes": list(self._history.minutes),
            "recent": [point for _, point in self._history.recent],
            "now": self._now,
            "signals": missed.signals,
            "phases": PHASES,
        }
        page.put(event("hello", _encode(hello), self.events.last))
        if missed.changed:
            page.put(event("changed", _encode({"what": missed.changed}), self.events.last))
        if self._closed:
            page.end()
        self.pages.add(page)
        if self._ticking is None:
            self._ticking = asyncio.create_task(self._tick())
        return page

    def leave(self, page: Subscription) -> None:
        """Tell a page nothing more. After the last one, the workers are asked nothing more."""
        self.pages.discard(page)
        if not self.pages and self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None

    def close(self) -> None:
        """Tell all pages that the server stops, and end their streams."""
        self._closed = True
        self._publish("bye", {"reason": "shutdown"})
        for page in self.pages:
            page.end()
        if self._ticking is not None:
            self._ticking.cancel()

    def note(self, what: str) -> None:
        """Tell pages soon that versions or experiments have changed."""
        self._changed[what] = None

    def note_records(self) -> None:
        """Tell pages, at most every few seconds, that the numbers of an experiment have changed."""
        self._grown = True

    async def keep_minute(self) -> None:
        """Read the counts at the end of the present minute, unless they are read for a page."""
        await asyncio.sleep(MINUTE_SECONDS - time.time() % MINUTE_SECONDS)
        if self._ticking is None:
            await self._history.read(self._processes())

    async def _tick(self) -> None:
        turns = 0
        while True:
            await asyncio.sleep(SIGNALS_SECONDS)
            turns += 1
            try:
                await self._update(figures=turns % FIGURES_TURNS == 0)
            except Exception:
                log.exception(LogEvent("dashboard_update_failed", effect="open pages get no news; it is tried again"))

    async def _update(self, *, figures: bool) -> None:
        async with self._updating:
            opening = self._ticking is None
            signals = await self._ask_workers(OPENING_SECONDS if opening else WAIT_SECONDS)
            read = await self._history.read(self._processes(), keeping=not opening) if figures else None
            self._tell_signals(signals)
            self._tell_changes()
            if read is not None:
                self._now = self._server.now(self._history.totals, self._told.values())
                if not opening:
                    self._publish("figures", {"now": self._now, "point": read[0], "minute": read[1]})

    def _processes(self) -> set[str]:
        return {member.process for member in self._server.members.connected}

    async def _ask_workers(self, seconds: float) -> list[ShownSignal]:
        """The new signals of all workers, in the order of their times."""
        connected = self._server.members.connected
        for member in connected - self._asked.keys():  # not one that has not answered yet
            self._question += 1
            before = self._told.get(member)
            self._asked[member] = member.ask(Watch(self._question, 0 if before is None else before.last))
        if self._asked:
            await asyncio.wait(self._asked.values(), timeout=seconds)
        signals: list[ShownSignal] = []
        for member, future in list(self._asked.items()):
            if future.done():
                del self._asked[member]
                answer = future.result()
                if isinstance(answer, Watched):
                    self._told[member] = answer
                    signals += answer.signals
        return sorted(signals, key=lambda signal: signal.at)

    def _tell_signals(self, signals: list[ShownSignal]) -> None:
        connected = self._server.members.connected
        gone = [member for member in self._told if member not in connected]
        # All answers: of each worker by its own count; of those that have ended as they are in the files, which have
        # also what was answered between a worker's last word and its end. What the files do not have yet is no less.
        ended = max(self._history.totals.ended, self._ended + sum(self._told[member].last for member in gone))
        for member in gone:
            del self._told[member]
        self._ended = ended
        answered = max(self.events.answered, ended + sum(each.last for each in self._told.values()))
        more = answered - self.events.answered
        if more or signals:
            number = self.events.next()
            told = event("signals", _encode({"signals": signals, "answered": more}), number)
            self.events.add_signals(tuple(signals), answered, len(told))
            self._send(told)

    def _tell_changes(self) -> None:
        self._find_changes()
        what = dict(self._changed)
        if self._grown and time.monotonic() >= self._grown_told + EXPERIMENT_SECONDS:
            what["experiments"] = None
        if "experiments" in what:
            self._grown, self._grown_told = False, time.monotonic()
        self._changed.clear()
        if not what:
            return
        number = self.events.next()
        for each in what:
            self.events.add_change(each)
        self._send(event("changed", _encode({"what": list(what)}), number))

    def _find_changes(self) -> None:
        """Compare with the last time: the state, which any replica changes, what is served, and what is recorded."""
        server = self._server
        before, self._state = self._state, server.changes.state
        if before.experiment != self._state.experiment:
            self.note("experiments")
        if _of_versions(before) != _of_versions(self._state):
            self.note("models")
        served, self._served = self._served, (server.replicas.others, server.members.agreement.served)
        if served != self._served:
            self.note("models")
        recorded, self._recorded = self._recorded, (self._reporter.looked, self._history.totals.exposures)
        if recorded != self._recorded:
            self.note_records()

    def _publish(self, kind: str, data: Json) -> None:
        self._send(event(kind, _encode(data), self.events.next()))

    def _send(self, told: bytes) -> None:
        for page in self.pages:
            page.put(told)


def _of_versions(state: State) -> tuple[object, ...]:
    return state.active, state.unloaded, state.loads
