"""A worker's journal: what it answered under an experiment, on its way to the store."""

from __future__ import annotations

import logging
import math
import os
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import msgspec

from core.experiments.experiment import Variant, now_micros
from core.experiments.records import Exposure, Record, Unrecorded
from core.journals import journal_files

log = logging.getLogger(__name__)

FILE_BYTES = 4 << 20
# A file that is being written cannot be deleted, however much of it is drained. At this share of the bound even 32
# workers that have nothing to write leave half of it to the others.
FILES_IN_BOUND = 64
# After a failure: how long appends go to memory before one of them tries to write again.
RETRY_SECONDS = 0.1
# How many waiting records one try writes: about a millisecond of the event loop.
BATCH = 1024


class Journal:
    """Appends records to files of its own, without ever waiting or raising for a disk's sake.

    Make it in the worker, after the last fork, and call it from one thread. Records are JSON lines. One append is one
    write and no fsync: it survives the process, not a power cut.

    What cannot be written waits in memory, up to `memory_records`, and is written first when writing works again.
    Beyond that records are dropped: exposures are counted, and the counts become Unrecorded records as soon as there
    is a file to take them; failures and shadow scores go uncounted, for nobody was answered by them. The same holds
    while all files of the folder together exceed `bound_bytes`. That is looked at when a file is begun, so that each
    worker may go beyond it by one file: 4 MiB, or a 64th of the bound.

    error: why records are not written at present; None when they are. unrecorded: exposures dropped so far.
    """

    def __init__(self, folder: Path, *, bound_bytes: int, memory_records: int) -> None:
        self.error: str | None = None
        self.unrecorded = 0
        self._folder = folder
        self._bound_bytes: float = bound_bytes
        self._file_bytes = min(FILE_BYTES, bound_bytes // FILES_IN_BOUND)
        self._memory_records = memory_records
        self._encode = msgspec.json.Encoder().encode_lines
        self._path = folder
        self._descriptor = -1
        self._size = 0
        self._waiting: deque[Record] = deque()
        self._dropped: Counter[tuple[str, Variant]] = Counter()
        self._retry_at = 0.0  # of time.monotonic(); 0 after a write that succeeded
        self._write(())  # begins the first file now rather than in somebody's request

    @property
    def waiting(self) -> int:
        """Records in memory."""
        return len(self._waiting)

    @property
    def degraded(self) -> bool:
        """Whether new records go to memory at present."""
        return self.error is not None

    def append(self, records: Sequence[Record]) -> None:
        """Write records, or keep them for later; when this returns a SIGKILL loses none that was written."""
        if self.error is not None and not (time.monotonic() >= self._retry_at and self.retry()):
            self._keep(records)
            return
        written = self._write(records)
        if written < len(records):
            self._keep(records[written:])

    def retry(self) -> bool:
        """Write what waits, a thousand records at most; true when nothing waits any more.

        To be called now and then: without requests no append does it, and no append sees that the file was deleted.
        """
        if self.error is None:
            self._restore()
            return True
        self._retry_at = 0.0
        for _ in range(self._write(list(islice(self._waiting, BATCH)))):
            self._waiting.popleft()
        if not self._waiting and not self._retry_at:
            self._write_counts()
        if self._waiting or self._dropped or self._retry_at:
            return False
        log.warning("the journal is written again; %d exposures went unrecorded so far", self.unrecorded)
        self.error = None
        return True

    def close(self) -> int:
        """Write what waits, beyond the bound if it must be; returns how many exposures no file tells of."""
        self._bound_bytes = math.inf
        while not self.retry() and not self._retry_at:
            pass
        waiting = sum(isinstance(record, Exposure) for record in self._waiting)
        self._waiting.clear()
        self.unrecorded += waiting
        self._leave()
        return waiting + self._dropped.total()

    def _write(self, records: Sequence[Record]) -> int:
        """Append records; returns how many are in the file, counted from the first. The rest failed."""
        try:
            if self._descriptor < 0:
                self._begin()
            lines = self._encode(records)
            written = os.write(self._descriptor, lines)
        except OSError as error:
            self._fail(str(error))
            return 0
        if written == len(lines):
            self._size += written
            if self._size >= self._file_bytes:
                self._leave()
            return len(records)
        # The drainer may have read the whole lines already, so they stay; the torn one is taken back.
        whole = lines.rfind(b"\n", 0, written) + 1
        self._size += whole
        with suppress(OSError):  # if it stays after all, the drainer skips it
            os.ftruncate(self._descriptor, self._size)
        self._fail(f"only {written} of {len(lines)} bytes could be written to {self._path}")
        return lines.count(b"\n", 0, whole)

    def _begin(self) -> None:
        """Begin the next file. Raises OSError, also where the folder is full."""
        if self._bound_bytes < math.inf and self._folder.exists():
            total = sum(journal_files.sizes(self._folder).values())
            if total > self._bound_bytes:
                raise OSError(f"the journals in {self._folder} have {total} bytes, the bound is {self._bound_bytes}")
        self._path, self._descriptor = journal_files.begin(self._folder)
        self._size = 0

    def _leave(self) -> None:
        """End the file, so that the drainer may delete it; one that is empty is of no use to anybody."""
        if self._descriptor < 0:
            return
        if self._size == 0:
            with suppress(OSError):
                self._path.unlink()
        else:
            self._restore()
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _restore(self) -> None:
        """Make the file again where somebody has deleted it: until it is closed, the kernel keeps what it holds."""
        if self._descriptor < 0 or journal_files.is_there(self._path, self._descriptor):
            return
        deleted, self._descriptor = self._descriptor, -1
        try:
            self._descriptor = journal_files.again(self._path, deleted)
            log.error("journal %s was deleted or moved by somebody: it is made again with all it held", self._path)
        except OSError as error:
            lost = f"what the store does not have of its {self._size} bytes is lost"
            log.error("journal %s was deleted by somebody and cannot be made again (%s): %s", self._path, error, lost)
        os.close(deleted)

    def _fail(self, error: str) -> None:
        """Note why a write failed. The next try begins another file: on a full disk deleting this one makes room."""
        if self.error is None:
            log.error("the journal cannot be written, records wait in memory: %s", error)
        self.error = error
        self._retry_at = time.monotonic() + RETRY_SECONDS
        self._leave()

    def _keep(self, records: Sequence[Record]) -> None:
        """Keep records in memory as far as there is room."""
        room = self._memory_records - len(self._waiting)
        self._waiting.extend(records[:room])
        for record in records[room:]:
            if isinstance(record, Exposure):
                self._dropped[record.experiment_id, record.variant] += 1
                self.unrecorded += 1

    def _write_counts(self) -> None:
        """Write how many exposures were dropped."""
        now = now_micros()
        counts = [Unrecorded(now, *key, count) for key, count in self._dropped.items()]
        for count in counts[: self._write(counts)]:
            del self._dropped[count.experiment_id, count.variant]
