"""Access to the store: blocking calls run in threads, with a deadline, and journals are drained before each call."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from core.errors import StoreUnavailable
from core.journals.drainer import Drainer
from core.log_event import LogEvent
from core.serving.state import State
from core.store.interface import SchemaTooNew, StateFileMounted, Store, StoreInUse
from core.store.opening import open_store, reserve
from server.threads import Threads

log = logging.getLogger(__name__)

T = TypeVar("T")
A = TypeVar("A")

_READERS = 2
# The deadline of one call, after which the store counts as unavailable. A frozen database raises no error: it does not
# answer at all.
STORE_SECONDS = 10.0
_SILENT = f"the store has not answered for {STORE_SECONDS:g} s; try again later"
# The part of that for draining journals. A backlog of gigabytes is drained in many calls, with others in between.
DRAIN_SECONDS = 1.0
# The pause between two drains. Large drains are cheaper: a transaction costs as much as a hundred exposures. But the
# keepers of other machines know only what is in a shared store, so journals must not be far ahead of that.
REST_SECONDS = 0.5
SHARED_REST_SECONDS = 0.1


class StoreAccess:
    """Runs calls of the store: writes in one thread, reads in a few.

    While the store cannot be opened or does not answer, each call raises StoreUnavailable; the next call tries again.
    """

    def __init__(self, url: str, journals: Path) -> None:
        """Open the folder of journals, and not yet the store.

        Raises FolderInUse if another keeper uses the folder, or ThreadsExhausted.
        """
        self.degraded: str | None = None  # why calls of the store fail; None: they do not
        self._partly: str | None = None  # likewise, if only some calls fail, such as those that read
        self.bytes_waiting = 0  # in the journals
        self._url = url
        self._reserved = ExitStack()  # locks the store against other servers while it is open
        self._store: Store | None = None
        self._drainer = Drainer(journals)
        self._writer = Threads(1, "store-writer")
        self._readers = Threads(_READERS, "store-reader")
        self._waiter = Threads(1, "store-waiter")
        self._watcher = Threads(1, "store-watcher")

    @property
    def rest_seconds(self) -> float:
        """The pause between two drains that no call asks for."""
        return SHARED_REST_SECONDS if self._store is not None and self._store.is_shared else REST_SECONDS

    async def open(self) -> State:
        """Open the store and read its state, without draining journals.

        Raises StoreUnavailable, SchemaTooNew, StoreInUse or StateFileMounted.
        """
        try:
            return await self._in_writer(self._call_opened, lambda store: store.state())
        except StoreUnavailable as error:
            self.degraded = str(error)
            raise

    async def read(self, call: Callable[[Store], T]) -> T:
        """Run a call that reads the store, which then has every prediction answered so far. Raises StoreUnavailable."""
        store = await self.write(lambda store: store)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, call, store)
        except StoreUnavailable as error:  # for example, the server allows no second connection
            self._partly = str(error)  # first, because the writing thread clears `degraded` without it
            self._note(error)
            raise

    async def try_writing(self) -> None:
        """Test whether the store accepts writes. Without records to drain, nothing else would find out."""
        await self.write(lambda store: store.try_writing())

    async def check_access(self) -> None:
        """Test whether all of the store can be read and extended. If not, calls that need only the rest still work."""
        await self.read(lambda store: store.check_access())
        self._partly = None

    async def write(self, call: Callable[[Store], T]) -> T:
        """Drain the journals, then run a call in the thread that writes. Raises StoreUnavailable."""
        end = time.monotonic() + STORE_SECONDS

        def in_time(store: Store) -> T:
            if time.monotonic() > end:  # the caller knows already that the store has not answered
                raise StoreUnavailable(_SILENT)
            return call(store)

        return await self._in_writer(self._call_drained, in_time)

    async def attempt(self, call: Callable[[Store], T]) -> T:
        """Run a call in the thread that writes, for a record that may be lost. Raises StoreUnavailable.

        Journals are not drained, and after a failure the store does not count as unavailable.
        """
        if self._store is None:
            raise StoreUnavailable("the store is not open")
        return await asyncio.get_running_loop().run_in_executor(self._writer, call, self._store)

    async def drain(self) -> None:
        """Drain the journals into the store, for at most DRAIN_SECONDS. Raises StoreUnavailable."""
        await self.write(lambda _: None)

    async def drain_and_rest(self) -> None:
        """Drain, and wait until the next drain that no call asks for is due. Raises StoreUnavailable."""
        await self.drain()
        await asyncio.sleep(self.rest_seconds)

    async def wait_for_change(self, seconds: float) -> bool:
        """Wait until another replica may have changed the state, for at most `seconds`."""
        store = self._store
        if store is None:
            await asyncio.sleep(seconds)
            return False
        return await asyncio.get_running_loop().run_in_executor(self._waiter, store.wait_for_change, seconds)

    async def leave_hung(self) -> None:
        """Let calls fail that wait for a frozen server, if another server has taken its place."""
        if self._store is not None:
            await asyncio.get_running_loop().run_in_executor(self._watcher, self._store.leave_hung)

    async def close(self) -> None:
        """Drain the journals and close the store. If the store hangs, its thread is abandoned."""
        try:
            before, left = -1, 0
            while left != before:  # until a pass drains nothing more
                await self.drain()
                before, left = left, self.bytes_waiting
        except StoreUnavailable as error:
            effect = "the journals are drained after the next startup"
            log.error(LogEvent("journals_undrained", error=error, bytes=self.bytes_waiting, effect=effect))
        if self._store is not None:
            with suppress(StoreUnavailable):
                await self._in_writer(self._close, self._store)
        for executor in (self._writer, self._readers, self._waiter, self._watcher):
            executor.shutdown(wait=False, cancel_futures=True)
        self._drainer.close()

    async def _in_writer(self, function: Callable[[A], T], argument: A) -> T:
        running = asyncio.get_running_loop().run_in_executor(self._writer, function, argument)
        try:
            # Not wait_for: before Python 3.12 it swallows a cancellation that comes at the moment of completion, and
            # the keeper's steps would never end.
            async with asyncio.timeout(STORE_SECONDS):
                return await running
        except TimeoutError:
            raise self._noted(StoreUnavailable(_SILENT)) from None

    # The next four methods run in the thread that writes.

    def _call_opened(self, call: Callable[[Store], T]) -> T:
        if self._store is None:
            with reserve(self._url) as reserved:
                self._store = open_store(self._url)
                self._reserved = reserved.pop_all()
        return call(self._store)

    def _call_drained(self, call: Callable[[Store], T]) -> T:
        try:
            answer = self._call_opened(partial(self._drain_and_call, call))
        except (
            StoreInUse,
            SchemaTooNew,
            StateFileMounted,
        ) as error:  # found when the store came back; at startup it ends the server
            unusable = "the store cannot be used now; try again later"
            raise self._noted(StoreUnavailable(unusable, str(error))) from None
        except StoreUnavailable as error:
            self._note(error)
            self.bytes_waiting = self._drainer.bytes_left()
            raise
        if self.degraded is not None and self._partly is None:
            log.warning(LogEvent("store_recovered", previous=self.degraded, effect="the journals are drained"))
            self.degraded = None
        return answer

    def _drain_and_call(self, call: Callable[[Store], T], store: Store) -> T:
        if self.degraded is not None:  # if the journals are empty, nothing else tests whether writes work again
            store.try_writing()
        self.bytes_waiting = self._drainer.drain(store, DRAIN_SECONDS).bytes_left
        return call(store)

    def _close(self, store: Store) -> None:
        store.close()
        self._reserved.close()

    # The next two methods run in the event loop's thread as well.

    def _note(self, error: StoreUnavailable) -> None:
        if self.degraded is None:
            effect = "predictions continue and are recorded in the journals; management answers 503"
            log.error(LogEvent("store_unavailable", error=error, effect=effect))
        self.degraded = str(error)

    def _noted(self, error: StoreUnavailable) -> StoreUnavailable:
        """Note the error and return it.

        The caller raises the result directly: a variable would form a cycle of error, traceback and frame, and keep
        the request's body in memory.
        """
        self._note(error)
        return error
