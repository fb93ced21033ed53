"""Access to the store: its blocking calls in threads, with a deadline, and the journals drained before each of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from core.errors import StoreUnavailable
from core.journals.drainer import Drainer
from core.serving.state import State
from core.store.interface import SchemaTooNew, Store, StoreInUse
from core.store.opening import open_store, reserve

log = logging.getLogger(__name__)

T = TypeVar("T")
A = TypeVar("A")

_READERS = 2
# How long the store may take over one call before it counts as gone. A database that is frozen does not refuse: it
# says nothing at all.
STORE_SECONDS = 10.0
_SILENT = f"the store has not answered for {STORE_SECONDS:g} s: try again later"
# How much of that goes to the journals. A backlog of gigabytes is drained between other calls.
DRAIN_SECONDS = 1.0


class StoreAccess:
    """Runs calls of the store: writing ones in one thread, reading ones in a few.

    While the store cannot be opened or does not answer, each call raises StoreUnavailable; the next one tries again.
    """

    def __init__(self, url: str, journals: Path) -> None:
        """Nothing is opened yet but the folder of journals. Raises FolderInUse where another keeper has it."""
        self.degraded: str | None = None  # why the store does not take what the journals hold
        self.bytes_waiting = 0  # in the journals
        self._url = url
        self._reserved = ExitStack()  # keeps others from the store for as long as it is open
        self._store: Store | None = None
        self._drainer = Drainer(journals)
        self._writer = ThreadPoolExecutor(1, "store-writer")
        self._readers = ThreadPoolExecutor(_READERS, "store-reader")
        self._waiter = ThreadPoolExecutor(1, "store-waiter")

    async def open(self) -> State:
        """Open the store and read its state, with nothing drained.

        Raises StoreUnavailable, SchemaTooNew or StoreInUse.
        """
        try:
            return await self._in_writer(self._call_opened, lambda store: store.state())
        except StoreUnavailable as error:
            self.degraded = str(error)
            raise

    async def read(self, call: Callable[[Store], T]) -> T:
        """Run a reading call of the store, on all that was answered until now. Raises StoreUnavailable."""
        store = await self.write(lambda store: store)
        return await asyncio.get_running_loop().run_in_executor(self._readers, call, store)

    async def write(self, call: Callable[[Store], T]) -> T:
        """Run a call of the store in the thread that writes, with the journals drained. Raises StoreUnavailable."""
        return await self._in_writer(self._call_drained, call)

    async def drain(self) -> None:
        """Drain the journals into the store, as far as its time allows. Raises StoreUnavailable."""
        await self.write(lambda _: None)

    async def wait_for_change(self, seconds: float) -> bool:
        """Wait until another replica may have changed the state."""
        store = self._store
        if store is None:
            await asyncio.sleep(seconds)
            return False
        return await asyncio.get_running_loop().run_in_executor(self._waiter, store.wait_for_change, seconds)

    async def close(self) -> None:
        """Drain what is left and close the store. A store that hangs is left behind with its thread."""
        try:
            before, left = -1, 0
            while left != before:  # until nothing is left, or nothing that can be drained
                await self.drain()
                before, left = left, self.bytes_waiting
        except StoreUnavailable as error:
            log.error("%s: %d bytes of journals wait for the next start", error, self.bytes_waiting)
        if self._store is not None:
            with suppress(StoreUnavailable):
                await self._in_writer(self._close, self._store)
        for executor in (self._writer, self._readers, self._waiter):
            executor.shutdown(wait=False, cancel_futures=True)
        self._drainer.close()

    async def _in_writer(self, function: Callable[[A], T], argument: A) -> T:
        running = asyncio.get_running_loop().run_in_executor(self._writer, function, argument)
        try:
            # Not wait_for, which before Python 3.12 forgets that it was cancelled if it is done at that moment: the
            # keeper's steps would then never end.
            async with asyncio.timeout(STORE_SECONDS):
                return await running
        except TimeoutError:
            raise self._noted(StoreUnavailable(_SILENT)) from None

    # What follows runs in the thread that writes.

    def _call_opened(self, call: Callable[[Store], T]) -> T:
        if self._store is None:
            with reserve(self._url) as reserved:
                self._store = open_store(self._url)
                self._reserved = reserved.pop_all()
        return call(self._store)

    def _call_drained(self, call: Callable[[Store], T]) -> T:
        try:
            answer = self._call_opened(partial(self._drain_and_call, call))
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

    def _drain_and_call(self, call: Callable[[Store], T], store: Store) -> T:
        if self.degraded is not None:  # with nothing to drain, nothing else would find out whether it is well
            store.try_writing()
        self.bytes_waiting = self._drainer.drain(store, DRAIN_SECONDS).bytes_left
        return call(store)

    def _close(self, store: Store) -> None:
        store.close()
        self._reserved.close()

    # Of either thread.

    def _note(self, error: StoreUnavailable) -> None:
        if self.degraded is None:
            log.error("%s: answered predictions wait in the journals", error)
        self.degraded = str(error)

    def _noted(self, error: StoreUnavailable) -> StoreUnavailable:
        """The same. A variable would hold the error, its traceback the frame, and that the body of the request."""
        self._note(error)
        return error
