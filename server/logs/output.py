"""Sends everything that a process writes to standard error through one writer: log, warnings, tracebacks."""

from __future__ import annotations

import io
import logging
import os
import sys
from typing import Literal

from core.log_event import LogEvent
from server.logs.formats import JsonFormatter, TextFormatter
from server.logs.writer import Writer

Format = Literal["text", "json"]

log = logging.getLogger(__name__)

# How long an ending process waits for a log that stalls.
END_SECONDS = 1.0
# The descriptor of standard error.
_STDERR = 2

_writer: Writer | None = None


class _Handler(logging.Handler):
    """Puts log records into the writer's queue."""

    def __init__(self, formatter: TextFormatter | JsonFormatter, descriptor: int) -> None:
        super().__init__()
        self.formatter: TextFormatter | JsonFormatter = formatter
        self.writer = Writer(descriptor, self._report)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a line. The base class calls it for one thread at a time."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - a value whose text cannot be made must not stop what logs it
            line = self.format(_record(LogEvent("log_line_unformattable", logger=record.name)))
        self.writer.put(_encoded(line))

    def write(self, line: str) -> None:
        """Queue a line of a text that was not logged."""
        self.acquire()
        try:
            self.writer.put(_encoded(self.formatter.plain(line)))
        finally:
            self.release()

    def _report(self, count: int) -> bytes:
        event = LogEvent("log_lines_dropped", count=count, effect="standard error took no lines; they are lost")
        return _encoded(self.format(_record(event)))


def _record(event: LogEvent) -> logging.LogRecord:
    """A warning of this module, which is about no request."""
    return log.makeRecord(log.name, logging.WARNING, __file__, 0, event, (), None, extra={"request_id": ""})


def _encoded(line: str) -> bytes:
    return line.encode(errors="backslashreplace") + b"\n"


class _Stream(io.TextIOBase):
    """Standard error of Python code that does not log: warnings, tracebacks of threads, messages of startup."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, handler: _Handler) -> None:
        self._handler = handler
        self._begun = ""

    def write(self, text: str) -> int:
        """Queue the lines that are complete."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._handler.write(line)
        return len(text)

    def flush(self) -> None:
        """Queue a line that has no end."""
        if self._begun:
            begun, self._begun = self._begun, ""
            self._handler.write(begun)

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def fileno(self) -> int:
        """The descriptor behind it."""
        return _STDERR


def begin(level: str, form: Format) -> None:
    """Send log and standard error through a queue. `level`: the lowest level that is logged."""
    global _writer  # noqa: PLW0603 - the process has one standard error
    # sys.stderr is None if the descriptor was closed. Its number can then belong to any file that was opened later.
    descriptor = os.open(os.devnull, os.O_WRONLY) if sys.stderr is None else _STDERR
    handler = _Handler(JsonFormatter() if form == "json" else TextFormatter(), descriptor)
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.captureWarnings(capture=True)
    _writer = handler.writer
    sys.stderr = _Stream(handler)


def start() -> None:
    """Write lines in a thread of this process and of its later children. Call it after the first fork."""
    if _writer is not None:
        _writer.start()


def end() -> None:
    """Wait a moment until the lines so far are written. Call it before os._exit."""
    if _writer is not None:
        sys.stderr.flush()
        _writer.flush(END_SECONDS)


def dropped() -> int:
    """The number of this process's lines that were lost because standard error took none."""
    return 0 if _writer is None else _writer.dropped
