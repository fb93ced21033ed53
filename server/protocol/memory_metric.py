"""The metric of resident memory, which workers and keeper have in common."""

from __future__ import annotations

import os
import weakref

from prometheus_client import CollectorRegistry, Gauge

_STATM = "/proc/self/statm"


class Memory:
    """Resident memory of the processes of one kind; /metrics adds that of all workers. Only Linux tells it.

    Must be created in the process that it measures.
    """

    def __init__(self, registry: CollectorRegistry, process: str) -> None:
        metric = Gauge(
            "reversal_memory_bytes",
            "Resident memory of the workers together, and of the keeper.",
            ["process"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        try:  # kept open, because the event loop reads it once a second and must not wait for a disk
            self._statm = os.open(_STATM, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._child = None
        else:
            self._child = metric.labels(process)
            weakref.finalize(self, os.close, self._statm)

    def refresh(self) -> None:
        """Read the number. Must be called about once a second."""
        if self._child is not None:
            pages = int(os.pread(self._statm, 256, 0).split()[1])
            self._child.set(pages * os.sysconf("SC_PAGE_SIZE"))
