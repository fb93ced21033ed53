"""The audit log: every management call, who made it, and what it changed."""

from __future__ import annotations

import errno
import logging
import os
import threading
from pathlib import Path
from typing import Any

import orjson

log = logging.getLogger(__name__)


class AuditUnusable(Exception):
    """The file cannot be written; the message says why."""


class Audit:
    """A file of JSON lines, to which calls are appended. It may be moved away: the next call begins another."""

    def __init__(self, path: Path) -> None:
        """Make sure that it can be written. Raises AuditUnusable."""
        self._path = path
        self._appending = threading.Lock()  # calls that end together are written by threads of their own
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._append(b"")
        except OSError as error:
            raise AuditUnusable(f"the audit log {path} cannot be written: {error.strerror}") from None

    def write(self, entry: dict[str, Any]) -> None:
        """Append a call. Where that fails the log has it instead."""
        line = orjson.dumps(entry) + b"\n"
        try:
            self._append(line)
        except OSError as error:
            log.error("the audit log %s cannot be written (%s): %s", self._path, error.strerror, line.decode().rstrip())

    def _append(self, line: bytes) -> None:
        with self._appending:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                written = os.write(descriptor, line)
                if written < len(line):  # what stayed would be the beginning of the next line
                    os.ftruncate(descriptor, os.lseek(descriptor, 0, os.SEEK_CUR) - written)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
