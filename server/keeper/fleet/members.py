"""The workers of this machine, which make every step of a change together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from contextlib import suppress

from core.errors import Conflict, StoreUnavailable
from core.log_event import LogEvent
from core.serving.state import Action, Replaced, Served, State
from server.keeper.fleet.agreement import Agreement, require_equal, versions_loaded_by
from server.keeper.fleet.member import GivenState, Member
from server.protocol.messages import (
    Abort,
    Announce,
    Applied,
    Apply,
    Others,
    Prepare,
    Ready,
    Relayed,
    ToKeeper,
)

log = logging.getLogger(__name__)

# The HTTP contract: if a worker does not confirm within this time, nothing is changed.
CONFIRM_SECONDS = 10.0
# After a change is undone, the 503 is delayed until all workers serve the previous state, for at most this long.
TAKE_BACK_SECONDS = 1.0
# The least time for applying, even if preparing and the store took nearly all of CONFIRM_SECONDS.
LEAST_SECONDS = 1.0
_LOOK_SECONDS = 0.005


class Members:
    """All connected workers. They serve the same bundles."""

    def __init__(self) -> None:
        self.active: str | None = None  # the version that answers, as a worker last reported
        self.replaced: asyncio.Queue[tuple[Replaced, ...]] = asyncio.Queue()  # as each worker finds them
        self.agreement = Agreement()
        self._members: set[Member] = set()
        self._change = 0
        self._current = GivenState(State(), (), to_all=False)  # what a worker that joins is given
        # Of the change in progress: what it gives, the versions that it loads, and when it must be confirmed.
        self._prepared, self._loaded, self._until = self._current, tuple[str, ...](), 0.0
        self._others = Others(())
        self._applying = False
        self.lost = 0  # workers that were killed, crashed or stalled
        self.stopping = False

    def __len__(self) -> int:
        return len(self._members)

    @property
    def connected(self) -> frozenset[Member]:
        """The workers that are connected now."""
        return frozenset(self._members)

    @property
    def idle(self) -> bool:
        """Whether every worker serves what it was given."""
        return not any(member.given for member in self._members)

    def add(self, member: Member, state: State, order: tuple[str, ...]) -> None:
        """Add a worker, and give it the current state and what the others serve."""
        self._members.add(member)
        self._current = GivenState(state, order, to_all=False)
        self._bring(member)
        if self._others.replicas:
            member.send(self._others)
        if self.stopping:
            member.send(Announce())

    def tell(self, others: Others) -> None:
        """Tell every worker, and each that joins later, what the other replicas have."""
        self._others = others
        for member in self._members:
            member.send(others)

    def announce(self) -> None:
        """Make every worker announce to clients that the server will stop."""
        self.stopping = True
        for member in self._members:
            member.send(Announce())

    def give(self, state: State, order: tuple[str, ...]) -> int:
        """Send every worker a state that is already decided, to prepare and apply; returns the change's number."""
        self._change += 1
        self._current = GivenState(state, order, to_all=False)
        for member in self._members:
            self._give(member, self._change, GivenState(state, order, to_all=True))
        return self._change

    def _bring(self, member: Member) -> None:
        """Make one worker serve what the others serve."""
        self._change += 1
        self._give(member, self._change, self._current)

    def _give(self, member: Member, change: int, given: GivenState) -> None:
        member.given[change] = given
        member.send(Prepare(change, given.state, given.order, served=self.agreement.served))

    def heard(self, member: Member, answer: Ready | Applied) -> None:
        """Take note of a worker's answer."""
        if isinstance(answer, Ready):
            self._prepared_by(member, answer)
            return
        self.active = answer.active
        if answer.replaced:
            self.replaced.put_nowait(answer.replaced)
        member.confirm(answer.change)
        self._align(member)

    def _prepared_by(self, member: Member, answer: Ready) -> None:
        """Let a worker serve what it was given, unless the others serve other bundles for it."""
        if answer.served is not None:
            member.ready[answer.change] = answer.served
        given = member.given.get(answer.change)
        if given is None:
            return
        if answer.code is not None:  # logged by the worker
            del member.given[answer.change]
            return
        if answer.served and self.agreement.follow(answer.change, answer.served, by_all=given.to_all):
            self._align(*self._members)
        differences = self.agreement.differences(answer.served)
        if differences and self._tell(member):
            self._give(member, answer.change, given)
            return
        if differences:
            effect = "it serves other bundles than the other workers; load the versions again"
            log.error(LogEvent("worker_differs", worker=member.name, versions=differences, effect=effect))
        member.send(Apply(answer.change))

    def _align(self, *members: Member) -> None:
        """Make workers that serve something else serve what is agreed, unless they are about to."""
        for member in () if self._applying else members:
            if not member.given and self.agreement.differences(member.served) and self._tell(member):
                self._bring(member)

    def _tell(self, member: Member) -> bool:
        """Whether a worker must still be asked to load what is agreed. It is asked once, as it may be unable to."""
        before, member.told = member.told, self.agreement.served
        return before is not self.agreement.served

    async def take_back(self, state: State, order: tuple[str, ...]) -> None:
        """Make every worker serve the previous state again; a slow worker follows when it can."""
        with suppress(StoreUnavailable):
            await self._answers(tuple(self._members), Applied, self.give(state, order), TAKE_BACK_SECONDS)

    async def confirmed(self, change: int) -> None:
        """Wait until every worker serves the state of a change. Raises StoreUnavailable if one does not in time.

        Call it before awaiting anything else: an answer that comes earlier is not kept.
        """
        await self._answers(tuple(self._members), Applied, change)

    def remove(self, member: Member) -> None:
        """Remove a worker that has disconnected. One that ends as it should closes its connection properly."""
        self.lost += member.is_lost
        self._members.discard(member)

    async def prepare(self, state: State, order: tuple[str, ...], action: Action | None) -> int:
        """Make every worker load what the state needs; returns the change's number.

        Raises the first refusal, Conflict if the workers have read different bundles, or StoreUnavailable if a worker
        does not answer in time. The change is then aborted.
        """
        self._until = time.monotonic() + CONFIRM_SECONDS
        await self._caught_up()
        self._change += 1
        self._prepared, self._loaded = GivenState(state, order, to_all=False), versions_loaded_by(action, state)
        change, members = self._change, tuple(self._members)
        if not members:
            raise StoreUnavailable("no worker is running: nothing is changed")
        for member in members:
            member.send(Prepare(change, state, order, action))
        try:
            answers = await self._answers(members, Ready, change, self._until - time.monotonic())
        except BaseException:
            self.abort(change)
            raise
        for answer in answers:
            if isinstance(answer, Ready) and answer.code is not None:
                self.abort(change)
                raise Relayed(answer.code, answer.message)
        if not answers:
            raise StoreUnavailable("all workers ended: nothing is changed")
        try:
            require_equal(self._found(change), self._loaded)
        except Conflict:
            self.abort(change)
            raise
        return change

    def _found(self, change: int) -> list[Served]:
        """What the connected workers have prepared for a change."""
        return [member.ready[change] for member in self._members if change in member.ready]

    async def _caught_up(self) -> None:
        """Wait until every worker serves what it was given. Raises StoreUnavailable if one does not in time.

        A worker that prepares a change before would check it against an older state.
        """
        while not self.idle:
            if time.monotonic() > self._until:
                raise self._late(member for member in self._members if member.given)
            await asyncio.sleep(_LOOK_SECONDS)

    def abort(self, change: int) -> None:
        """Make every worker discard what it prepared."""
        for member in self._members:
            member.send(Abort(change))

    async def apply(self, change: int) -> None:
        """Make every worker serve what it prepared.

        Raises StoreUnavailable if a worker does not confirm in time. Other workers may serve the change by then.
        """
        seconds = max(LEAST_SECONDS, self._until - time.monotonic())
        members = tuple(self._members)
        for member in members:
            member.send(Apply(change, time.monotonic() + seconds))
        found = self._found(change)
        self._applying = True
        try:
            await self._answers(members, Applied, change, seconds)
        finally:
            self._applying = False
        self._current = self._prepared
        self.agreement.changed(change, found, self._loaded)
        self._align(*self._members)

    @staticmethod
    async def _answers(
        members: Iterable[Member], kind: type[ToKeeper], change: int, seconds: float | None = None
    ) -> list[ToKeeper]:
        """Wait for the answers of the workers; a worker that disconnects gives none. Raises StoreUnavailable."""
        futures = {member.expect(kind, change): member for member in members}
        if not futures:
            return []
        done, late = await asyncio.wait(futures, timeout=CONFIRM_SECONDS if seconds is None else max(0.0, seconds))
        if late:
            raise Members._late(futures[future] for future in late)
        return [answer for future in done if (answer := future.result()) is not None]

    @staticmethod
    def _late(members: Iterable[Member]) -> StoreUnavailable:
        names = ", ".join(sorted(member.name for member in members))
        return StoreUnavailable(f"{names} did not confirm within {CONFIRM_SECONDS:g} s: nothing is changed")
