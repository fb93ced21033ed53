"""Batches of calls that arrive together.

The batcher answers together what was asked in one turn of the event loop. gRPC's library begins at most one call in a
turn, however many wait, so each would be a batch of its own. Here questions wait while further calls begin.
"""

from __future__ import annotations

import asyncio

from core.serving.batching import Batcher
from core.serving.routing import Question, Result

# Turns of the event loop without a new call, after which no further one is expected. gRPC's thread needs some of them
# to pass on a call that waits.
_QUIET_TURNS = 8


class GatheringBatcher(Batcher[Question, Result]):
    """Passes questions on to another batcher, together.

    A call that is alone, because no other one is in progress, does not wait.
    """

    def __init__(self, batcher: Batcher[Question, Result], most: int) -> None:
        """`most`: so many questions do not wait for more."""
        super().__init__(lambda _: [], most)  # it answers nothing itself
        self._batcher = batcher
        self._most = most
        self._gathered: list[tuple[Question, asyncio.Future[Result]]] = []
        self._begun = 0
        self._seen = 0
        self._quiet = 0
        self.in_progress = 0

    @property
    def ran(self) -> float:
        """See Batcher."""
        return self._batcher.ran

    def begin(self) -> None:
        """Note that a call has begun."""
        self._begun += 1
        self.in_progress += 1

    def end(self) -> None:
        """Note that a call has ended."""
        self.in_progress -= 1

    def ask(self, question: Question) -> asyncio.Future[Result]:
        """See Batcher."""
        if self.in_progress <= 1:
            return self._batcher.ask(question)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result] = loop.create_future()
        if not self._gathered:
            self._quiet = 0
            loop.call_soon(self._look)
        self._gathered.append((question, answer))
        return answer

    def _look(self) -> None:
        if self._begun == self._seen:
            self._quiet += 1
        else:
            self._seen, self._quiet = self._begun, 0
        if self._quiet < _QUIET_TURNS and len(self._gathered) < self._most:
            asyncio.get_running_loop().call_soon(self._look)
            return
        gathered, self._gathered = self._gathered, []
        for question, answer in gathered:
            self._batcher.ask_for(question, answer)
