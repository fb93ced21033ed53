"""The keeper: the one process of a machine that opens the store, drains the journals and decides changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from core.bundles.repository import Repository
from core.errors import StoreUnavailable
from core.experiments.experiment import Experiment, now_micros
from core.journals.drainer import Drainer
from core.serving.state import Action, State
from core.store.interface import SchemaTooNew, StateChanged, Store, StoreInUse
from core.store.opening import open_store, reserve
from server.keeper.members import Member, Members

log = logging.getLogger(__name__)

T = TypeVar("T")
A = TypeVar("A")

# How often a change is decided anew because another replica was quicker.
_ATTEMPTS = 5
_READERS = 2
# How long the store may take over one call before it counts as gone. A database that is frozen does not refuse: it
# says nothing at all.
STORE_SECONDS = 10.0
_SILENT = f"the store has not answered for {STORE_SECONDS:g} s: try again later"
# How much of that goes to the journals. A backlog of gigabytes is drained between other calls.
DRAIN_SECONDS = 1.0


class Change(NamedTuple):
    """From one state to the next, with the experiments that change with it and how they were.

    `needed` is false where everything is so already.
    """

    before: State
    after: State
    changed: tuple[Experiment, ...] = ()
    previously: tuple[Experiment, ...] = ()
    needed: bool = True


def _step(step: Callable[[State, str], State], version: str, store: Store) -> Change:
    state = store.state()
    return Change(state, step(state, version))


def commit(change: Change, store: Store) -> State:
    """Store a change; raises StateChanged where the store is no longer as it was before."""
    return store.change(change.before.revision, change.after, change.changed)


def _undo(owed: Change, store: Store) -> State:
    state = store.state()
    return commit(owed, store) if state == owed.before else state


class Switched(NamedTuple):
    """The version that answers now, and the one before."""

    active: str
    previous: str | None


class Keeper:
    """Holds the state that is agreed on, and changes it: prepare on all workers, store, apply on all workers.

    The store's calls block: writing ones run in one thread, reading ones in a few. While it cannot be opened, the
    state is the one last seen on this machine, and everything but predictions raises StoreUnavailable.
    """

    def __init__(
        self,
        state_url: str,
        repository: Repository,
        journals: Path,
        user_key: str | None,
    ) -> None:
        """`user_key`: in hexadecimal, instead of the store's."""
        self.repository = repository
        self.members = Members()
        self.state = State()
        self.degraded: str | None = None  # why the store does not take what the journals hold
        self.bytes_waiting = 0
        self._state_url = state_url
        self._reserved = ExitStack()  # keeps others from the store for as long as it is open
        self._store: Store | None = None
        self._drainer = Drainer(journals)
        self._cache = journals / "state.json"
        self._user_key = user_key
        self._order: tuple[str, ...] = ()
        self._changing = asyncio.Lock()
        self._changes = 0
        self._owed: Change | None = None  # to be undone in the store, as its client was told that nothing is changed
        self._writer = ThreadPoolExecutor(1, "store-writer")
        self._readers = ThreadPoolExecutor(_READERS, "store-reader")
        self._waiter = ThreadPoolExecutor(1, "store-waiter")

    async def start(self) -> None:
        """Open the store and read the state; where it cannot be opened, take the state that was last seen here.

        Raises SchemaTooNew, or StoreInUse.
        """
        self._order = await asyncio.to_thread(lambda: self.repository.listing().versions)
        seen = (await asyncio.to_thread(self._remembered)).revision
        try:
            self.state = self._own(await self._in_writer(self._opened, lambda store: store.state()))
            if self.state.revision < seen:
                log.error(
                    "the store is an older or another one: it has revision %d, and here revision %d was seen;"
                    " what the journals hold is stored in it all the same", self.state.revision, seen,
                )  # fmt: skip
            await asyncio.to_thread(self._remember)
        except StoreUnavailable as error:
            self.degraded = str(error)
            self.state = await asyncio.to_thread(self._remembered)
            log.error("%s: predictions go on with the state last seen here, revision %d", error, self.state.revision)

    async def close(self) -> None:
        """Drain what is left and close the store. A store that hangs is left behind with its thread."""
        try:
            before, left = -1, 0
            while left != before:  # until nothing is left, or nothing that can be drained
                await self.write(lambda _: None)
                before, left = left, self.bytes_waiting
        except StoreUnavailable as error:
            log.error("%s: %d bytes of journals wait for the next start", error, self.bytes_waiting)
        if self._store is not None:
            with suppress(StoreUnavailable):
                await self._in_writer(self._end, self._store)
        for executor in (self._writer, self._readers, self._waiter):
            executor.shutdown(wait=False, cancel_futures=True)
        self._drainer.close()

    def _end(self, store: Store) -> None:
        store.close()
        self._reserved.close()

    async def join(self, member: Member) -> None:
        """Take a worker in, between two changes."""
        async with self._changing:
            self.members.add(member, self.state, self._order)

    async def read(self, call: Callable[[Store], T]) -> T:
        """Run a reading call of the store, on all that was answered until now. Raises StoreUnavailable."""
        store = await self.write(lambda store: store)
        return await asyncio.get_running_loop().run_in_executor(self._readers, call, store)

    async def write(self, call: Callable[[Store], T]) -> T:
        """Run a call of the store in the thread that writes, with the journals drained. Raises StoreUnavailable."""
        return await self._in_writer(self._drained, call)

    async def _in_writer(self, function: Callable[[A], T], argument: A) -> T:
        running = asyncio.get_running_loop().run_in_executor(self._writer, function, argument)
        try:
            # Not wait_for, which before Python 3.12 forgets that it was cancelled if it is done at that moment: the
            # keeper's steps would then never end.
            async with asyncio.timeout(STORE_SECONDS):
                return await running
        except TimeoutError:
            raise self._noted(StoreUnavailable(_SILENT)) from None

    def _opened(self, call: Callable[[Store], T]) -> T:
        if self._store is None:
            with reserve(self._state_url) as reserved:
                self._store = open_store(self._state_url)
                self._reserved = reserved.pop_all()
        return call(self._store)

    def _drained(self, call: Callable[[Store], T]) -> T:
        try:
            answer = self._opened(partial(self._drain_and, call))
        except (StoreInUse, SchemaTooNew) as error:  # found when it came back: the start would have been refused
            unusable = "the store cannot be used now, try again later"
            raise self._noted(StoreUnavailable(unusable, str(error))) from None
        except StoreUnavailable as error:
            self._note(error)
            self.bytes_waiting = self._drainer.bytes_left()
            raise
        if self.degraded is not None:
            log.warning("the store takes writes again, after: %s", self.degraded)
            self.degraded = None
        return answer

    def _drain_and(self, call: Callable[[Store], T], store: Store) -> T:
        if self.degraded is not None:  # with nothing to drain, nothing else would find out whether it is well
            store.try_writing()
        self.bytes_waiting = self._drainer.drain(store, DRAIN_SECONDS).bytes_left
        return call(store)

    def _note(self, error: StoreUnavailable) -> None:
        if self.degraded is None:
            log.error("%s: answered predictions wait in the journals", error)
        self.degraded = str(error)

    def _noted(self, error: StoreUnavailable) -> StoreUnavailable:
        """The same. A variable would hold the error, its traceback the frame, and that the body of the request."""
        self._note(error)
        return error

    async def load(self, version: str) -> None:
        """Load a version on every worker. Raises what the workers refuse it with, or StoreUnavailable."""
        await self._change(partial(_step, State.loading, version), Action("load", version))

    async def unload(self, version: str) -> None:
        """Drop a version on every worker; raises likewise."""
        await self._change(partial(_step, State.unloading, version), Action("unload", version))

    async def switch(self, version: str) -> Switched:
        """Make a version active on every worker; raises likewise."""
        async with self._changing:
            previous = self.members.active
            await self._decided(partial(_step, State.switching, version), Action("switch", version))
            return Switched(version, previous)

    async def activate(self, experiment_id: str) -> tuple[Experiment, str | None]:
        """Make a draft the active experiment; returns it and the id of the one that this stopped.

        Raises UnknownExperiment, Conflict for a stopped one, what the workers refuse its versions with, or
        StoreUnavailable.
        """

        def decide(store: Store) -> Change:
            state, experiment = store.state(), store.experiment(experiment_id)
            activated = experiment.activated(now_micros())
            running = state.experiment
            if activated == experiment and running is not None and running.experiment_id == experiment_id:
                return Change(state, state, (experiment,), (experiment,))
            if running is None:
                return Change(state, state.running(activated), (activated,), (experiment,))
            ended = running.stopped(now_micros(), f"experiment {experiment_id} was activated")
            return Change(state, state.running(activated), (activated, ended), (experiment, running))

        change = await self._change(decide, Action("activate", experiment_id))
        return change.changed[0], change.changed[1].experiment_id if len(change.changed) > 1 else None

    async def stop(self, experiment_id: str, reason: str) -> Experiment:
        """End an experiment; one that is stopped stays as it is.

        Raises UnknownExperiment, Conflict for a draft, or StoreUnavailable.
        """

        def decide(store: Store) -> Change:
            state, experiment = store.state(), store.experiment(experiment_id)
            stopped = experiment.stopped(now_micros(), reason)
            if stopped == experiment:
                return Change(state, state, (experiment,), needed=False)
            return Change(state, state.running(None), (stopped,), (experiment,))

        return (await self._change(decide, Action("stop", experiment_id))).changed[0]

    async def follow(self) -> None:
        """Take over what another replica has changed; what a worker cannot load of it, it skips.

        Raises StoreUnavailable, also where a worker does not confirm in time.
        """
        # Not within the lock: workers must be able to join while the store hangs.
        changes = self._changes
        state = self._own(await self.write(lambda store: store.state()))
        async with self._changing:
            if self._owed is not None:
                await self._settle()
            elif changes == self._changes:
                await self._adopt(state)

    async def _adopt(self, state: State) -> None:
        """Give all workers a state that is stored already."""
        if state == self.state:
            return
        self.state = state
        try:
            await self.members.confirmed(self.members.give(state, self._order))
        finally:
            await asyncio.to_thread(self._remember)

    async def wait_for_change(self, seconds: float) -> bool:
        """Wait until another replica may have changed the state."""
        store = self._store
        if store is None:
            await asyncio.sleep(seconds)
            return False
        return await asyncio.get_running_loop().run_in_executor(self._waiter, store.wait_for_change, seconds)

    async def _change(self, decide: Callable[[Store], Change], action: Action) -> Change:
        async with self._changing:
            return await self._decided(decide, action)

    async def _decided(self, decide: Callable[[Store], Change], action: Action) -> Change:
        try:
            return await self._tried(decide, action)
        finally:  # whatever `follow` has read of the store meanwhile is stale
            self._changes += 1

    async def _tried(self, decide: Callable[[Store], Change], action: Action) -> Change:
        for _ in range(_ATTEMPTS):
            if self._owed is not None:
                await self._settle()
            change = await self.write(decide)
            if not change.needed:
                await self._adopt(self._own(change.before))
                return change
            after = msgspec.structs.replace(change.after, revision=change.before.revision + 1)
            number = await self.members.prepare(self._own(after), self._order, action)
            try:
                stored = await self.write(partial(commit, change))
            except StateChanged:
                self.members.abort(number)
            except BaseException:
                self.members.abort(number)
                # The store may have gone away between doing it and saying so.
                self._owed = Change(after, change.before, change.previously)
                raise
            else:
                await self._confirm(number, stored, change)
                return change
        raise StoreUnavailable("other replicas change the state all the time: nothing is changed, try again")

    async def _confirm(self, number: int, stored: State, change: Change) -> None:
        """Apply what is stored; if a worker does not confirm, put back the workers, then the store."""
        try:
            await self.members.apply(number)
        except StoreUnavailable:
            self._owed = Change(stored, change.before, change.previously)
            await self.members.take_back(self.state, self._order)
            with suppress(StoreUnavailable):  # then the next change, or `follow`, does it
                await self._settle()
            raise
        self.state = self._own(stored)
        await asyncio.to_thread(self._remember)

    async def _settle(self) -> None:
        """Undo in the store what was taken back, unless somebody has changed it since. Raises StoreUnavailable."""
        owed = self._owed
        if owed is not None:
            self.state = self._own(await self.write(partial(_undo, owed)))
            self._owed = None
            self.members.give(self.state, self._order)
            await asyncio.to_thread(self._remember)

    def _own(self, state: State) -> State:
        """The state as the workers get it: the setting's key, where there is one, instead of the store's."""
        return state if self._user_key is None else msgspec.structs.replace(state, user_key=self._user_key)

    def _remember(self) -> None:
        """Keep a copy beside the journals, for a start without the store."""
        temporary = self._cache.with_suffix(".new")
        try:
            temporary.touch(mode=0o600)
            temporary.write_bytes(msgspec.json.encode(self.state))
            temporary.replace(self._cache)
        except OSError as error:
            log.warning("the state cannot be kept in %s: %s", self._cache, error.strerror or error)

    def _remembered(self) -> State:
        try:
            return msgspec.json.decode(self._cache.read_bytes(), type=State)
        except (OSError, msgspec.MsgspecError):
            return State()
