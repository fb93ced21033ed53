"""The audit log: every management call, its caller, and what it changed."""

from __future__ import annotations

import errno
import logging
import os
import threading
from pathlib import Path
from typing import Any

import orjson

from core.log_event import LogEvent

log = logging.getLogger(__name__)


class AuditUnusable(Exception):
    """The audit log cannot be written; the message says why."""


class Audit:
    """A file of JSON lines, one per call. After the file is moved away, the next call creates a new one."""

    def __init__(self, path: Path) -> None:
        """Check that the file can be written. Raises AuditUnusable."""
        self._path = path
        self._appending = threading.Lock()  # calls that end at the same time are written by different threads
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._append(b"")
        except OSError as error:
            raise AuditUnusable(
                f"the audit log {path} cannot be written: {error.strerror}; REVERSAL_AUDIT sets another file"
            ) from None

    def write(self, entry: dict[str, Any]) -> None:
        """Append a call. If that fails, the call is written to the server's log instead."""
        line = orjson.dumps(entry) + b"\n"
        try:
            self._append(line)
        except OSError as error:
            log.error(
                LogEvent(
                    "audit_log_unwritable",
                    path=self._path,
                    error=error.strerror,
                    entry=line.decode().rstrip(),
                    effect="the entry is in this line only",
                )
            )

    def _append(self, line: bytes) -> None:
        with self._appending:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                written = os.write(descriptor, line)
                if written < len(line):  # the next entry would be appended to the incomplete line
                    os.ftruncate(descriptor, os.lseek(descriptor, 0, os.SEEK_CUR) - written)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
