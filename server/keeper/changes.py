"""Changes of the state: prepared on all workers, stored, applied on all workers, or undone."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import msgspec

from core.bundles.repository import Repository
from core.errors import StoreUnavailable
from core.experiments.experiment import Experiment
from core.serving.state import Action, State
from core.store.interface import StateChanged
from server.keeper import transitions
from server.keeper.members import Member, Members
from server.keeper.remembered_state import RememberedState
from server.keeper.store_access import StoreAccess
from server.keeper.transitions import Plan, Transition

log = logging.getLogger(__name__)

# How often a change is planned anew because another replica was quicker.
_ATTEMPTS = 5


class Switched(NamedTuple):
    """The version that answers now, and the one before."""

    active: str
    previous: str | None


class Changes:
    """Holds the state that is agreed on, and changes it, one change at a time.

    While the store cannot be opened, the state is the one last seen on this machine, and every change raises
    StoreUnavailable.
    """

    def __init__(
        self,
        store: StoreAccess,
        members: Members,
        repository: Repository,
        remembered: RememberedState,
        *,
        user_key: str | None = None,
    ) -> None:
        """`user_key`: in hexadecimal, instead of the store's."""
        self.state = State()
        self._store = store
        self._members = members
        self._repository = repository
        self._remembered = remembered
        self._user_key = user_key
        self._order: tuple[str, ...] = ()
        self._changing = asyncio.Lock()
        self._made = 0
        self._owed: Transition | None = None  # to be stored, as its client was told that nothing is changed

    async def start(self) -> None:
        """Open the store and read the state; where it cannot be opened, take the state that was last seen here.

        Raises SchemaTooNew, or StoreInUse.
        """
        self._order = await asyncio.to_thread(lambda: self._repository.listing().versions)
        seen = await asyncio.to_thread(self._remembered.read)
        try:
            self.state = self._with_own_key(await self._store.open())
        except StoreUnavailable as error:
            self.state = seen
            log.error("%s: predictions go on with the state last seen here, revision %d", error, seen.revision)
            return
        if self.state.revision < seen.revision:
            log.error(
                "the store is an older or another one: it has revision %d, and here revision %d was seen;"
                " what the journals hold is stored in it all the same", self.state.revision, seen.revision,
            )  # fmt: skip
        await self._remember()

    async def join(self, member: Member) -> None:
        """Take a worker in, between two changes."""
        async with self._changing:
            self._members.add(member, self.state, self._order)

    async def load(self, version: str) -> None:
        """Load a version on every worker. Raises what the workers refuse it with, or StoreUnavailable."""
        await self._make(transitions.loading(version), Action("load", version))

    async def unload(self, version: str) -> None:
        """Drop a version on every worker; raises likewise."""
        await self._make(transitions.unloading(version), Action("unload", version))

    async def switch(self, version: str) -> Switched:
        """Make a version active on every worker; raises likewise."""
        _, previous = await self._make(transitions.switching(version), Action("switch", version))
        return Switched(version, previous)

    async def activate(self, experiment_id: str) -> tuple[Experiment, str | None]:
        """Make a draft the active experiment; returns it and the id of the one that this stopped.

        Raises UnknownExperiment, Conflict for a stopped one, what the workers refuse its versions with, or
        StoreUnavailable.
        """
        made, _ = await self._make(transitions.activating(experiment_id), Action("activate", experiment_id))
        return made.changed[0], made.changed[1].experiment_id if len(made.changed) > 1 else None

    async def stop(self, experiment_id: str, reason: str) -> Experiment:
        """End an experiment; one that is stopped stays as it is.

        Raises UnknownExperiment, Conflict for a draft, or StoreUnavailable.
        """
        made, _ = await self._make(transitions.stopping(experiment_id, reason), Action("stop", experiment_id))
        return made.changed[0]

    async def follow(self) -> None:
        """Take over what another replica has changed; what a worker cannot load of it, it skips.

        Raises StoreUnavailable, also where a worker does not confirm in time.
        """
        # Not within the lock: workers must be able to join while the store hangs.
        made = self._made
        state = self._with_own_key(await self._store.write(lambda store: store.state()))
        async with self._changing:
            if self._owed is not None:
                await self._store_owed()
            elif made == self._made:
                await self._adopt(state)

    async def _make(self, plan: Plan, action: Action) -> tuple[Transition, str | None]:
        """Make a change in its turn; returns it, with the version that answered before."""
        async with self._changing:
            active = self._members.active
            try:
                for _ in range(_ATTEMPTS):
                    made = await self._attempt(plan, action)
                    if made is not None:
                        return made, active
                raise StoreUnavailable("other replicas change the state all the time: nothing is changed, try again")
            finally:  # whatever `follow` has read of the store meanwhile is stale
                self._made += 1

    async def _attempt(self, plan: Plan, action: Action) -> Transition | None:
        """Plan a change, prepare it on all workers, store it, and apply it; null where another replica was quicker."""
        if self._owed is not None:
            await self._store_owed()
        transition = await self._store.write(plan)
        if not transition.needed:
            await self._adopt(self._with_own_key(transition.before))
            return transition
        after = msgspec.structs.replace(transition.after, revision=transition.before.revision + 1)
        number = await self._members.prepare(self._with_own_key(after), self._order, action)
        try:
            stored = await self._store.write(partial(transitions.commit, transition))
        except StateChanged:
            self._members.abort(number)
            return None
        except BaseException:
            self._members.abort(number)
            # The store may have gone away between doing it and saying so.
            self._owed = transition.undoing(after)
            raise
        await self._apply(number, stored, transition)
        return transition

    async def _apply(self, number: int, stored: State, transition: Transition) -> None:
        """Apply what is stored; if a worker does not confirm, put back the workers, then the store."""
        try:
            await self._members.apply(number)
        except StoreUnavailable:
            self._owed = transition.undoing(stored)
            await self._members.take_back(self.state, self._order)
            with suppress(StoreUnavailable):  # then the next change, or `follow`, does it
                await self._store_owed()
            raise
        self.state = self._with_own_key(stored)
        await self._remember()

    async def _store_owed(self) -> None:
        """Undo in the store what was taken back, unless another replica has changed it since.

        Raises StoreUnavailable.
        """
        owed = self._owed
        if owed is not None:
            undo = partial(transitions.commit_unless_changed, owed)
            self.state = self._with_own_key(await self._store.write(undo))
            self._owed = None
            self._members.give(self.state, self._order)
            await self._remember()

    async def _adopt(self, state: State) -> None:
        """Give all workers a state that is stored already."""
        if state == self.state:
            return
        self.state = state
        try:
            await self._members.confirmed(self._members.give(state, self._order))
        finally:
            await self._remember()

    async def _remember(self) -> None:
        await asyncio.to_thread(self._remembered.write, self.state)

    def _with_own_key(self, state: State) -> State:
        """The state as the workers get it: the setting's key, where there is one, instead of the store's."""
        return state if self._user_key is None else msgspec.structs.replace(state, user_key=self._user_key)
