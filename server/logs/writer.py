"""Writes lines to a descriptor from a thread of its own, so that a reader that stalls stops nothing else."""

from __future__ import annotations

import errno
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

# Lines that wait take at most this much memory in each process. Further ones are dropped.
BOUND_BYTES = 1 << 20
# What a waiting line takes beside its text.
_AROUND_LINE = 64
# A pipe takes this many bytes (POSIX's PIPE_BUF on Linux) whole or not at all: lines of other processes stay apart.
_WHOLE_BYTES = 4096
# While lines are dropped all the time, their number is reported this often.
_REPORT_SECONDS = 1.0


class Writer:
    """A queue of lines and the thread that writes them. After a fork, the child has a queue and a thread of its own.

    The thread is a daemon, which may wait in a write forever: the processes of the server end with os._exit. The
    descriptor is not made non-blocking, because other programs that share it would get errors.

    `report`: makes the line about dropped lines from their number.
    """

    def __init__(self, descriptor: int, report: Callable[[int], bytes], bound_bytes: int = BOUND_BYTES) -> None:
        self._descriptor = descriptor
        self._report = report
        self._bound = bound_bytes
        self._threaded = False
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Begin with nothing: what waits in the parent is written by the parent, and no thread survives a fork."""
        self._lines: SimpleQueue[bytes | threading.Event] = SimpleQueue()
        self._thread: threading.Thread | None = None
        # Each of these numbers is changed in one place, so that no lock is needed that a signal handler could wait for.
        self._put_bytes = 0
        self._taken_bytes = 0
        self._refused = 0  # lines that found no room
        self._failed = 0  # lines that could not be written
        self._reported = 0
        self._report_due: float | None = None  # of time.monotonic, if there are lines to report
        self._broken = False  # whether the last write ended within a line

    @property
    def dropped(self) -> int:
        """The number of this process's lines that were not written."""
        return self._refused + self._failed

    def start(self) -> None:
        """From now on lines are written by the thread, also in children. Call it after the first fork.

        Until then a line is written at once if that does not block. A fork of a process that has threads would be
        reported by Python as a risk.
        """
        self._threaded = True
        if not self._lines.empty():
            self._run_thread()

    def put(self, line: bytes) -> None:
        """Write a line, which ends in a line break, or let it wait; drop it if too many are waiting.

        Calls must not overlap, except by a signal handler.
        """
        size = len(line) + _AROUND_LINE
        if self._put_bytes - self._taken_bytes + size > self._bound:
            self._refused += 1
            return
        if not self._threaded and self._lines.empty() and self._is_free():
            self._write(line, 1)
            return
        self._put_bytes += size
        self._lines.put(line)
        if self._threaded:
            self._run_thread()

    def flush(self, seconds: float) -> bool:
        """Wait until the lines so far are written, at most this long. Returns whether they are."""
        if self._thread is None and self._lines.empty():
            return True
        written = threading.Event()
        self._lines.put(written)
        self._run_thread()
        return written.wait(seconds)

    def _run_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # a limit of processes and threads is reached; the next line tries again
                self._thread = None
                self._write_free()

    def _write_free(self) -> None:
        """Write waiting lines without a thread, as long as that does not block."""
        while self._is_free():
            try:
                line = self._lines.get_nowait()
            except Empty:
                return
            if isinstance(line, threading.Event):
                line.set()
            else:
                self._write(line, 1)
                self._take([line])

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they must interrupt the main thread
        while True:
            first = self._lines.get()
            if isinstance(first, threading.Event):
                first.set()
                continue
            lines, size, flushed = [first], len(first), None
            while size < _WHOLE_BYTES:
                try:
                    more = self._lines.get_nowait()
                except Empty:
                    break
                if isinstance(more, threading.Event):
                    flushed = more
                    break
                if size + len(more) > _WHOLE_BYTES:  # it would not be written whole together with the others
                    self._write(b"".join(lines), len(lines))
                    self._take(lines)
                    lines, size = [], 0
                lines.append(more)
                size += len(more)
            self._write(b"".join(lines), len(lines))
            self._take(lines)
            self._report_dropped()
            if flushed is not None:
                flushed.set()

    def _take(self, lines: list[bytes]) -> None:
        self._taken_bytes += sum(map(len, lines)) + _AROUND_LINE * len(lines)

    def _report_dropped(self) -> None:
        """Write how many lines are missing, once it is known that lines can be written again."""
        now, dropped = time.monotonic(), self.dropped
        if dropped == self._reported or self._broken:
            self._report_due = None
        elif not self._lines.empty() and (self._report_due is None or now < self._report_due):
            self._report_due = self._report_due or now + _REPORT_SECONDS  # the lines that had room come first
        elif self._write(self._report(dropped - self._reported), 0):
            self._reported = dropped
            self._report_due = None

    def _write(self, text: bytes, lines: int) -> bool:
        """Write some lines in one call if possible. Returns false, and counts the lines, if that fails."""
        left = memoryview(b"\n" + text if self._broken else text)
        while left:
            try:
                written = os.write(self._descriptor, left)
            except BlockingIOError:  # another program that shares the descriptor has made it non-blocking
                self._is_free(None)
                continue
            except OSError as error:  # such as a closed pipe, a full disk, or a terminal that is gone
                if error.errno != errno.EINTR:
                    self._failed += lines
                    return False
                continue
            left = left[written:]
            self._broken = bool(left)
        return True

    def _is_free(self, milliseconds: int | None = 0) -> bool:
        """Whether a write would not block; waits for that if there is no limit. A pipe has room for _WHOLE_BYTES."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(milliseconds))
