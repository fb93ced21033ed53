"""Carries the journals of a folder into the store, each record once."""

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
from core.store.interface import Store

log = logging.getLogger(__name__)

LOCK_NAME = "lock"
# How much goes to the store in one transaction: three to five thousand exposures.
PIECE_BYTES = 1 << 20

_decoder = msgspec.json.Decoder[Record](Record)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class FolderInUse(Exception):
    """Another process drains the folder; the message has its process id."""


class DrainResult(NamedTuple):
    """What one round did. bytes_left: they stay for the next. problems: lines or files that could not be read."""

    records: int
    bytes_left: int
    problems: int


class Drainer:
    """The only one of its folder, and of one store. Its calls block, so they belong in a thread, one at a time.

    Make it after the last fork of a process that goes on: a child would inherit the folder's lock and outlive it.
    Raises FolderInUse, or OSError where the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = _take(folder)
        self._until = math.inf
        self._positions: dict[str, int] = {}
        self._unreadable: set[str] = set()
        self._deleted: list[str] = []

    def drain(self, store: Store, seconds: float = math.inf) -> DrainResult:
        """Store all whole records that were in the files when this was called, and delete files that are over.

        After `seconds` the rest is left for the next call, so that others get a turn at the store.
        Raises StoreUnavailable where the store is gone or the folder cannot be used; what was not stored is stored by
        a later call. A folder that somebody has deleted is made again.
        """
        try:
            self._hold()
            names = list(journal_files.sizes(self._folder))
        except (OSError, FolderInUse) as error:
            raise StoreUnavailable(f"the journals cannot be read: {error}") from error
        for name in self._positions.keys() - set(names):  # an empty one that its writer took back
            del self._positions[name]
        self._until = time.monotonic() + seconds
        done = [self._drain_file(store, name) for name in names]
        self._forget_deleted(store)
        return DrainResult(*(sum(column) for column in zip(*done, strict=True))) if done else DrainResult(0, 0, 0)

    def bytes_left(self) -> int:
        """How many bytes of the files are not in the store; after a failure one file may count whole.

        0 where the folder is gone.
        """
        with suppress(OSError):
            sizes = journal_files.sizes(self._folder)
            return sum(max(0, size - self._positions.get(name, 0)) for name, size in sizes.items())
        return 0

    def close(self) -> None:
        """Leave the folder to another drainer."""
        os.close(self._lock)

    def _hold(self) -> None:
        """Take the folder's lock anew where that, or the folder, was deleted: another drainer would get it."""
        if journal_files.is_there(self._folder / LOCK_NAME, self._lock):
            return
        lock = _take(self._folder)
        log.error("the journals' folder %s was deleted or moved by somebody: it is made again", self._folder)
        os.close(self._lock)
        self._lock = lock

    def _drain_file(self, store: Store, name: str) -> DrainResult:
        """Drain one file; one that the disk does not give back is told once, and is no reason to stop for others."""
        try:
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return self._drain_open(store, name, descriptor)
            finally:
                os.close(descriptor)
        except FileNotFoundError:  # taken back meanwhile
            return DrainResult(0, 0, 0)
        except OSError as error:
            if name not in self._unreadable:
                self._unreadable.add(name)
                log.error("journal %s cannot be drained: %s", name, error)
            return DrainResult(0, 0, 1)

    def _drain_open(self, store: Store, name: str, descriptor: int) -> DrainResult:
        # The lock first: once nobody writes any more, the size is final.
        over = lock_file.lock(descriptor)
        size = os.fstat(descriptor).st_size
        # Taken out until the end: after a failure in between only the store knows what it has committed.
        position = self._positions.pop(name, None)
        if position is None:
            position = store.drained(name)
        records = problems = 0
        while time.monotonic() < self._until and (lines := _whole_lines(descriptor, position, size)):
            found, bad = _decode(lines, f"journal {name} from byte {position}")
            store.drain(name, position + len(lines), found)
            position += len(lines)
            records += len(found)
            problems += bad
        # After a power cut a file may be shorter than what the store has of it.
        left = max(0, size - position)
        if not over or (left and time.monotonic() >= self._until):
            self._positions[name] = position
            return DrainResult(records, left, problems)
        if left:
            log.error("journal %s ends within a record: its last %d bytes are dropped", name, left)
        # Still under its lock: a file that is new, and that its writer was about to lock, is then not written.
        (self._folder / name).unlink()
        if size > 0:
            self._deleted.append(name)
        return DrainResult(records, 0, problems + bool(left))

    def _forget_deleted(self, store: Store) -> None:
        """Drop what the store knows of files that are deleted.

        Killed before, the store keeps positions of names that never come again. The other way round the files would
        be drained anew; so they would if a power cut brought them back, hence the fsync.
        """
        if not self._deleted:
            return
        try:
            sync(self._folder)
        except OSError as error:
            raise StoreUnavailable(f"the journals cannot be deleted for good: {error}") from error
        while self._deleted:
            store.forget(self._deleted[-1])
            self._deleted.pop()


def _take(folder: Path) -> int:
    """Take the folder's lock, and write down who has it; returns the descriptor that holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return lock_file.take(folder / LOCK_NAME)
    except Held as held:
        raise FolderInUse(f"the journals in {folder} are drained by process {held}") from None


def _whole_lines(descriptor: int, position: int, size: int) -> bytes:
    """The next lines that are complete; empty at the end. What is too long for any record comes as it is."""
    if position >= size:
        return b""
    piece = os.pread(descriptor, min(PIECE_BYTES, size - position), position)
    end = piece.rfind(b"\n") + 1
    return piece if end == 0 and len(piece) == PIECE_BYTES else piece[:end]


def _decode(lines: bytes, place: str) -> tuple[list[Record], int]:
    """The records of some lines, and how many of these are none; those are told of, and left out."""
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
        log.error("%s: %d lines are no records and are skipped; the first: %s", place, len(errors), errors[0])
    return found, len(errors)
