"""Draining: moving the journals of a folder into the store, each record once."""

from __future__ import annotations

import logging
import math
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from core.errors import StoreUnavailable
from core.experiments.records import Record
from core.files import lock_file
from core.files.folder import sync
from core.files.lock_file import Held
from core.journals import journal_files
from core.log_event import LogEvent
from core.store.interface import UNUSABLE, Store

log = logging.getLogger(__name__)

LOCK_NAME = "lock"
# The bytes of one transaction, which are three to five thousand exposures.
PIECE_BYTES = 1 << 20

_decoder = msgspec.json.Decoder[Record](Record)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class FolderInUse(Exception):
    """Another process drains the folder; the message names its process id."""


class DrainResult(NamedTuple):
    """The result of one drain.

    records: the number of stored records. bytes_left: the bytes left for the next drain. problems: the number of lines
    and files that could not be read.
    """

    records: int
    bytes_left: int
    problems: int


class Drainer:
    """The drainer of a folder. A lock ensures that each folder has only one; use it with one store.

    Its calls block, so they belong in a thread, one at a time. Create it after the last fork, because a child process
    would inherit the folder's lock and could outlive this process.
    Raises FolderInUse, or OSError if the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = _take(folder)
        self._until = math.inf
        self._positions: dict[str, int] = {}
        self._unreadable: set[str] = set()
        self._deleted: list[str] = []

    def drain(self, store: Store, seconds: float = math.inf) -> DrainResult:
        """Store all complete records that are in the files now, and delete drained files that have no writer.

        After `seconds`, the rest is left for the next call, so that other callers get access to the store.
        Raises StoreUnavailable if the store or the folder cannot be used; a later call stores the rest. A deleted
        folder is recreated.
        """
        try:
            self._hold()
            names = list(journal_files.sizes(self._folder))
        except (OSError, FolderInUse) as error:
            raise StoreUnavailable(UNUSABLE, f"the journals cannot be read: {error}") from error
        for name in self._positions.keys() - set(names):  # an empty file that its writer has deleted
            del self._positions[name]
        self._until = time.monotonic() + seconds
        done = [self._drain_file(store, name) for name in names]
        self._forget_deleted(store)
        return DrainResult(*(sum(column) for column in zip(*done, strict=True))) if done else DrainResult(0, 0, 0)

    def bytes_left(self) -> int:
        """How many bytes of the files are not in the store; 0 if there is no folder.

        After a failed drain, all bytes of one file can count although some are in the store.
        """
        with suppress(OSError):
            sizes = journal_files.sizes(self._folder)
            return sum(max(0, size - self._positions.get(name, 0)) for name, size in sizes.items())
        return 0

    def close(self) -> None:
        """Release the folder for another drainer."""
        os.close(self._lock)

    def _hold(self) -> None:
        """Take the folder's lock again if the lock file or the folder was deleted.

        Without that, another drainer could take the lock.
        """
        if journal_files.is_there(self._folder / LOCK_NAME, self._lock):
            return
        lock = _take(self._folder)
        log.error(LogEvent("journal_folder_deleted", path=self._folder, effect="the folder is recreated"))
        os.close(self._lock)
        self._lock = lock

    def _drain_file(self, store: Store, name: str) -> DrainResult:
        """Drain one file. A file that cannot be read is logged once and skipped."""
        try:
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return self._drain_open(store, name, descriptor)
            finally:
                os.close(descriptor)
        except FileNotFoundError:  # its writer has deleted it meanwhile, because it was empty
            return DrainResult(0, 0, 0)
        except OSError as error:
            if name not in self._unreadable:
                self._unreadable.add(name)
                log.error(LogEvent("journal_unreadable", path=self._folder / name, error=error))
            return DrainResult(0, 0, 1)

    def _drain_open(self, store: Store, name: str, descriptor: int) -> DrainResult:
        # The lock comes before the size, because the size is final only when there is no writer.
        closed = lock_file.lock(descriptor)
        size = os.fstat(descriptor).st_size
        # Removed until this drain succeeds, because after a failure only the store knows what it has committed.
        position = self._positions.pop(name, None)
        if position is None:
            position = store.drained(name)
        records = problems = 0
        while time.monotonic() < self._until and (lines := _whole_lines(descriptor, position, size)):
            found, bad = _decode(lines, self._folder / name, position)
            store.drain(name, position + len(lines), found, after=position)
            position += len(lines)
            records += len(found)
            problems += bad
        # After a power cut, a file can be shorter than the part of it that is in the store.
        left = max(0, size - position)
        if not closed or (left and time.monotonic() >= self._until):
            self._positions[name] = position
            return DrainResult(records, left, problems)
        if left:
            log.error(
                LogEvent("journal_truncated", path=self._folder / name, bytes=left, effect="the last record is dropped")
            )
        # This process holds the file's lock, so no writer uses the file.
        (self._folder / name).unlink()
        if size > 0:
            self._deleted.append(name)
        return DrainResult(records, 0, problems + bool(left))

    def _forget_deleted(self, store: Store) -> None:
        """Drop the positions of deleted files from the store.

        The files are deleted first: if the process is killed in between, the store only keeps positions that are never
        used again. In the other order, the files would be drained a second time. A power cut could also restore deleted
        files, so the folder is synced before their positions are dropped.
        """
        if not self._deleted:
            return
        try:
            sync(self._folder)
        except OSError as error:
            cause = f"the journals' folder cannot be synced after deletions: {error}"
            raise StoreUnavailable(UNUSABLE, cause) from error
        while self._deleted:
            store.forget(self._deleted[-1])
            self._deleted.pop()


def _take(folder: Path) -> int:
    """Take the folder's lock, creating the folder if necessary; returns the descriptor that holds the lock."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return lock_file.take(folder / LOCK_NAME)
    except Held as held:
        raise FolderInUse(f"the journals in {folder} are drained by process {held}") from None


def _whole_lines(descriptor: int, position: int, size: int) -> bytes:
    """The next complete lines; empty at the end. A full piece without a line end is returned too; it is no record."""
    if position >= size:
        return b""
    piece = os.pread(descriptor, min(PIECE_BYTES, size - position), position)
    end = piece.rfind(b"\n") + 1
    return piece if end == 0 and len(piece) == PIECE_BYTES else piece[:end]


def _decode(lines: bytes, path: Path, position: int) -> tuple[list[Record], int]:
    """The records of some lines, and the number of lines that are no records; these are logged and skipped."""
    try:
        return _decoder.decode_lines(lines), 0
    except _UNREADABLE:
        pass
    found: list[Record] = []
    errors: list[Exception] = []
    for line in filter(None, lines.split(b"\n")):
        try:
            found.append(_decoder.decode(line))
        except _UNREADABLE as error:
            errors.append(error)
    if errors:
        log.error(LogEvent("journal_lines_skipped", path=path, position=position, count=len(errors), error=errors[0]))
    return found, len(errors)
