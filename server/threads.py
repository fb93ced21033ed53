"""Threads for blocking calls: one runs from the start, and more are added only if the machine allows it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor


class ThreadsExhausted(RuntimeError):
    """Not even one thread can be started."""

    def __init__(self) -> None:
        super().__init__(
            "cannot start a thread: the limit of processes and threads is reached (RLIMIT_NPROC, or pids.max of the"
            " control group)"
        )


class Threads(ThreadPoolExecutor):
    """A pool whose calls wait for a running thread if no further one can be started: they are late, not refused."""

    def __init__(self, most: int | None = None, name: str = "thread") -> None:
        """Start the first thread. Raises ThreadsExhausted."""
        super().__init__(most, name)
        self.submit(int).result()
        # The thread is idle a moment after the result is there. A call before that would start a second one.
        self._idle_semaphore.acquire()
        self._idle_semaphore.release()

    def _adjust_thread_count(self) -> None:
        """See the base class, which has already queued the call."""
        try:
            super()._adjust_thread_count()
        except RuntimeError as error:
            if not any(thread.is_alive() for thread in self._threads):
                raise ThreadsExhausted from error
