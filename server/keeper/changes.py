"""Changes of the state: prepared on all workers, stored, then applied on all workers; or undone."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import msgspec

from core.bundles.kept import KeptBundles
from core.errors import StoreUnavailable
from core.experiments.experiment import Experiment
from core.log_event import LogEvent
from core.serving.state import Action, Served, State
from core.store.interface import StateChanged, Store, StoreUnsuitable
from server.keeper import transitions
from server.keeper.fleet.agreement import versions_loaded_by
from server.keeper.fleet.member import Member
from server.keeper.fleet.members import Members
from server.keeper.fleet.replicas import ReplicaLacksVersion, Replicas
from server.keeper.remembered_state import RememberedState
from server.keeper.store_access import StoreAccess
from server.keeper.transitions import Plan, Transition

log = logging.getLogger(__name__)

# How many times a change is planned when other replicas change the state at the same time.
_ATTEMPTS = 5
# How long a switch waits for replicas that lack its version, and have not reported that they follow the last change.
_BEHIND_SECONDS = 4.0
_BEHIND_LOOK_SECONDS = 0.1


class Switched(NamedTuple):
    """The version that answers now, and the version that answered before."""

    active: str
    previous: str | None


class Changes:
    """Holds the current state, and changes it, one change at a time.

    While the store cannot be opened, this is the state last seen on this machine, and every change raises
    StoreUnavailable.
    """

    def __init__(
        self,
        store: StoreAccess,
        members: Members,
        replicas: Replicas,
        remembered: RememberedState,
        *,
        user_key: str | None = None,
    ) -> None:
        """`user_key`: a key in hexadecimal that is used instead of the store's."""
        self.state = State()
        self._store = store
        self._members = members
        self._repository = replicas.repository
        self._remembered = remembered
        self._replicas = replicas
        self._user_key = user_key
        self._order: tuple[str, ...] = ()
        self._changing = asyncio.Lock()
        self._tidied: Served | None = None  # what was served when copies were removed last
        self._made = 0  # changes that were attempted
        # The client got the answer that nothing is changed, so this must still be undone in the store.
        self._pending_undo: Transition | None = None

    async def start(self) -> None:
        """Open the store and read the state. If the store is unavailable, use the state last seen on this machine.

        Raises SchemaTooNew, StoreInUse, StateFileMounted or StoreUnsuitable.
        """
        self._order = await asyncio.to_thread(lambda: self._repository.listing().versions)
        seen = await asyncio.to_thread(self._remembered.read)
        try:
            self.state = self._with_own_key(await self._store.open())
        except StoreUnsuitable:  # would fail until the operator changes something
            raise
        except StoreUnavailable as error:
            self.state = seen
            log.error(
                LogEvent(
                    "store_unavailable_at_startup",
                    error=error,
                    revision=seen.revision,
                    effect="predictions use the state last seen on this machine; management answers 503",
                )
            )
            return
        if self.state.revision < seen.revision:
            log.error(
                LogEvent(
                    "store_outdated",
                    revision=self.state.revision,
                    seen=seen.revision,
                    action="check that REVERSAL_STATE_URL is the right store; the journals are drained into it",
                )
            )
        await self._remember()

    async def join(self, member: Member) -> None:
        """Add a worker, after a change in progress has ended."""
        async with self._changing:
            self._members.add(member, self.state, self._order)

    async def settled(self) -> State:
        """The state after a change in progress has ended. Its workers report before the keeper has the new state."""
        async with self._changing:
            return self.state

    async def remove_copies(self, kept: KeptBundles) -> None:
        """Remove the copies of bundles that no worker serves, unless a worker is loading one."""
        async with self._changing:
            served = self._members.agreement.served
            if served is not None and served is not self._tidied and self._members.idle:
                await asyncio.to_thread(kept.remove_except, frozenset(served.digests.values()))
                self._tidied = served

    async def load(self, version: str) -> None:
        """Load a version on every worker. Raises the error of the worker that refuses it, or StoreUnavailable."""
        await self._make(transitions.loading(version), Action("load", version))

    async def unload(self, version: str) -> None:
        """Unload a version on every worker. Raises the same errors as `load`."""
        await self._make(transitions.unloading(version), Action("unload", version))

    async def switch(self, version: str) -> Switched:
        """Make a version active on every worker. Raises the same errors as `load`, and ReplicaLacksVersion."""
        _, previous = await self._make_everywhere(transitions.switching(version), Action("switch", version))
        return Switched(version, previous)

    async def activate(self, experiment_id: str) -> tuple[Experiment, str | None]:
        """Make a draft the active experiment; returns it, and the id of the experiment that was stopped for it.

        Raises UnknownExperiment, Conflict if it is stopped or if a bundle is replaced meanwhile, the error of a worker
        that cannot load its versions, ReplicaLacksVersion, or StoreUnavailable.
        """
        plan = transitions.activating(experiment_id, self._repository)
        made, _ = await self._make_everywhere(plan, Action("activate", experiment_id))
        return made.changed[0], made.changed[1].experiment_id if len(made.changed) > 1 else None

    async def stop(self, experiment_id: str, reason: str) -> Experiment:
        """Stop an experiment. A stopped experiment stays unchanged.

        Raises UnknownExperiment, Conflict if it is a draft, or StoreUnavailable.
        """
        made, _ = await self._make(transitions.stopping(experiment_id, reason), Action("stop", experiment_id))
        return made.changed[0]

    async def follow(self) -> None:
        """Apply what another replica has changed. A worker skips a version that it cannot load.

        Raises StoreUnavailable, also if a worker does not confirm in time.
        """
        # Read before taking the lock, because workers must be able to join while the store hangs.
        made = self._made
        state = self._with_own_key(await self._store.write(lambda store: store.state()))
        async with self._changing:
            if self._pending_undo is not None:
                await self._undo_pending()
            elif made == self._made:
                await self._adopt(state)

    async def _make_everywhere(self, plan: Plan, action: Action) -> tuple[Transition, str | None]:
        """Make a change if the other replicas have its versions. Raises ReplicaLacksVersion.

        A replica that still follows an earlier change, such as a load, is given time.
        """

        def checked(store: Store) -> Transition:
            transition = plan(store)
            self._replicas.require(store, versions_loaded_by(action, transition.after), transition.before.revision)
            return transition

        end = time.monotonic() + _BEHIND_SECONDS
        while True:
            try:
                return await self._make(checked, action)
            except ReplicaLacksVersion as lacks:
                if not lacks.behind or time.monotonic() > end:
                    raise
            await asyncio.sleep(_BEHIND_LOOK_SECONDS)

    async def _make(self, plan: Plan, action: Action) -> tuple[Transition, str | None]:
        """Make a change when it is its turn; returns it, and the version that answered before."""
        async with self._changing:
            active = self._members.active
            try:
                for _ in range(_ATTEMPTS):
                    made = await self._attempt(plan, action)
                    if made is not None:
                        return made, active
                raise StoreUnavailable("other replicas keep changing the state: nothing is changed, try again")
            finally:  # a state that `follow` has read in the meantime is stale
                self._made += 1

    async def _attempt(self, plan: Plan, action: Action) -> Transition | None:
        """Plan a change, prepare it on all workers, store it, and apply it. None: another replica changed the state."""
        if self._pending_undo is not None:
            await self._undo_pending()
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
            # The store may have committed the change and failed before it confirmed.
            self._pending_undo = transition.undoing(after)
            raise
        await self._apply(number, stored, transition)
        return transition

    async def _apply(self, number: int, stored: State, transition: Transition) -> None:
        """Apply a stored change. If a worker does not confirm, undo the change on the workers, then in the store."""
        try:
            await self._members.apply(number)
        except StoreUnavailable:
            self._pending_undo = transition.undoing(stored)
            await self._members.take_back(self.state, self._order)
            with suppress(StoreUnavailable):  # then the next change or `follow` undoes it
                await self._undo_pending()
            raise
        self.state = self._with_own_key(stored)
        await self._remember()

    async def _undo_pending(self) -> None:
        """Undo the pending change in the store, unless another replica has changed the state since.

        Raises StoreUnavailable.
        """
        pending = self._pending_undo
        if pending is not None:
            undo = partial(transitions.commit_unless_changed, pending)
            self.state = self._with_own_key(await self._store.write(undo))
            self._pending_undo = None
            self._members.give(self.state, self._order)
            await self._remember()

    async def _adopt(self, state: State) -> None:
        """Send all workers a state that is stored already."""
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
        """The state with the user key of the settings, if there is one, instead of the store's."""
        return state if self._user_key is None else msgspec.structs.replace(state, user_key=self._user_key)
