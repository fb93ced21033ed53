"""A worker's journal: the records of its predictions under an experiment, on their way to the store."""

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
from core.log_event import LogEvent

log = logging.getLogger(__name__)

FILE_BYTES = 4 << 20
# An open file cannot be deleted, even when all of it is drained. With files of this share of the bound, the open files
# of 32 idle workers take at most half of it.
FILES_IN_BOUND = 64
# After a failure, appends go to memory for this long; then one of them tries to write again.
RETRY_SECONDS = 0.1
# One retry writes at most this many waiting records, which takes about a millisecond of the event loop.
BATCH = 1024


class Journal:
    """Appends records to files of its own. Errors of the disk are never raised and never delay an append.

    Create it in the worker after the last fork, and call it from one thread. Records are JSON lines. One append is one
    write without fsync: a record survives the end of the process, but possibly not a power cut.

    Records that cannot be written wait in memory, up to `memory_records`, and are written first when writing works
    again. Further records are dropped. Dropped exposures are counted, and the counts are written as Unrecorded records
    as soon as possible. Dropped failures and shadow scores are not counted, because no client got an answer from them.

    The same applies while all files of the folder together exceed `bound_bytes`. The total is checked only when a file
    is created, so each worker can exceed the bound by one file: 4 MiB, or a 64th of the bound.

    error: why records cannot be written at present; None if they can. unrecorded: the exposures dropped so far.
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
        self._retry_at = 0.0  # of time.monotonic(); 0 after a successful write
        self._write(())  # creates the first file now, not during a request

    @property
    def waiting(self) -> int:
        """The number of records in memory."""
        return len(self._waiting)

    @property
    def degraded(self) -> bool:
        """Whether new records go to memory at present, because the files cannot be written."""
        return self.error is not None

    def append(self, records: Sequence[Record]) -> None:
        """Write records, or keep them in memory. After the return, a SIGKILL loses no written record."""
        if self.error is not None and not (time.monotonic() >= self._retry_at and self.retry()):
            self._keep(records)
            return
        written = self._write(records)
        if written < len(records):
            self._keep(records[written:])

    def retry(self) -> bool:
        """Write up to 1,024 waiting records; true if none waits any more.

        Call this regularly: appends retry only while there are requests, and they do not notice a deleted file.
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
        log.warning(LogEvent("journal_writable", unrecorded=self.unrecorded))
        self.error = None
        return True

    def close(self) -> int:
        """Write all waiting records, even beyond the bound; returns the number of exposures that are in no file."""
        self._bound_bytes = math.inf
        while not self.retry() and not self._retry_at:
            pass
        waiting = sum(isinstance(record, Exposure) for record in self._waiting)
        self._waiting.clear()
        self.unrecorded += waiting
        self._leave()
        return waiting + self._dropped.total()

    def _write(self, records: Sequence[Record]) -> int:
        """Append records; returns how many of them were written, counted from the first."""
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
        # Whole lines stay, because the drainer may have read them already. The incomplete line is cut off.
        whole = lines.rfind(b"\n", 0, written) + 1
        self._size += whole
        with suppress(OSError):  # if the incomplete line stays, the drainer skips it
            os.ftruncate(self._descriptor, self._size)
        self._fail(f"only {written} of {len(lines)} bytes could be written to {self._path}")
        return lines.count(b"\n", 0, whole)

    def _begin(self) -> None:
        """Create the next file. Raises OSError, also if the files of the folder exceed the bound."""
        if self._bound_bytes < math.inf and self._folder.exists():
            total = sum(journal_files.sizes(self._folder).values())
            if total > self._bound_bytes:
                raise OSError(f"the journals in {self._folder} have {total} bytes (limit {self._bound_bytes})")
        self._path, self._descriptor = journal_files.begin(self._folder)
        self._size = 0

    def _leave(self) -> None:
        """Close the file, so that the drainer can delete it. An empty file is deleted here."""
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
        """Recreate the file if it was deleted or moved. The kernel keeps its content until it is closed."""
        if self._descriptor < 0 or journal_files.is_there(self._path, self._descriptor):
            return
        deleted, self._descriptor = self._descriptor, -1
        try:
            self._descriptor = journal_files.again(self._path, deleted)
            log.error(LogEvent("journal_deleted", path=self._path, effect="the file is recreated with all its records"))
        except OSError as error:
            effect = "records of this file that are not in the store are lost"
            log.error(LogEvent("journal_lost", path=self._path, bytes=self._size, error=error, effect=effect))
        os.close(deleted)

    def _fail(self, error: str) -> None:
        """Note why a write failed, and close the file: on a full disk, its deletion after a drain makes room."""
        if self.error is None:
            log.error(LogEvent("journal_unwritable", error=error, effect="records wait in memory"))
        self.error = error
        self._retry_at = time.monotonic() + RETRY_SECONDS
        self._leave()

    def _keep(self, records: Sequence[Record]) -> None:
        """Keep records in memory as far as there is room, and count the exposures among the rest."""
        room = self._memory_records - len(self._waiting)
        self._waiting.extend(records[:room])
        for record in records[room:]:
            if isinstance(record, Exposure):
                self._dropped[record.experiment_id, record.variant] += 1
                self.unrecorded += 1

    def _write_counts(self) -> None:
        """Write the numbers of dropped exposures."""
        now = now_micros()
        counts = [Unrecorded(now, *key, count) for key, count in self._dropped.items()]
        for count in counts[: self._write(counts)]:
            del self._dropped[count.experiment_id, count.variant]
