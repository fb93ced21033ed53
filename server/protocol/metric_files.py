"""Files in which the processes of a server keep their metrics, so that each process can report those of all."""

from __future__ import annotations

import fcntl
import mmap
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

from core.files import lock_file

# The size of a new file. It holds about three hundred series.
_BYTES = 1 << 16
# An upper bound of the bytes that a number takes beside its key.
_AROUND_KEY = 64
# The kinds of metric that outlive their process. Gauges describe only live processes.
_LASTING = ("counter", "histogram")

_in_use: list[Numbers] = []


class Numbers(MmapedDict):
    """prometheus_client's numbers in a memory-mapped file. Disk space is reserved before a page is touched.

    A process that touches a page for which the disk has no space is killed with SIGBUS. If there is no space, or the
    file's folder has been deleted, the numbers are kept in memory, where other processes do not see them, until `keep`
    can move them to a file.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        if _reserve(self._path, _BYTES):
            super().__init__(path)  # type: ignore[no-untyped-call]
        else:
            with _memory() as memory:
                super().__init__(str(memory))  # type: ignore[no-untyped-call]

    @property
    def is_shared(self) -> bool:
        """Whether other processes can see the numbers. A file in memory has no name, nor has a deleted file."""
        return os.fstat(self._f.fileno()).st_nlink > 0

    def keep(self) -> None:
        """Move the numbers to a file if they are only in memory."""
        if not self.is_shared and _reserve(self._path, self._capacity):
            self._move(self._path)

    def _init_value(self, key: str) -> None:
        """Add a number. The base class doubles a full file, so the space for that is reserved first."""
        if self._used + len(key.encode()) + _AROUND_KEY > self._capacity:
            try:
                os.posix_fallocate(self._f.fileno(), 0, 2 * self._capacity)
            except OSError:
                with _memory() as path:
                    self._move(path)
        super()._init_value(key)  # type: ignore[no-untyped-call]

    def _move(self, path: Path) -> None:
        file = path.open("r+b", buffering=0)
        file.write(self._m[:])
        self._f.close()
        self._f = file
        self._m = mmap.mmap(self._f.fileno(), self._capacity)


def use() -> None:
    """Make prometheus_client keep its numbers in `Numbers`. Must be called before the first metric is created."""
    if sys.platform == "linux":  # other systems lack posix_fallocate or memfd_create
        values.MmapedDict = _begin  # type: ignore[assignment, attr-defined]


def keep() -> None:
    """Move numbers from memory to files if possible. Must be called periodically in each process with metrics."""
    for numbers in _in_use:
        numbers.keep()


def merge(folder: Path, ended: Iterable[int]) -> bool:
    """Add the numbers of processes that have ended to one file, so that reading does not take longer with each of them.

    Returns false if that is not possible now: another process is reading, or there is no space.
    """
    with _locked(folder) as descriptor:
        return lock_file.lock(descriptor) and all(_merge(folder, kind, ended) for kind in _LASTING)


@contextmanager
def looking(folder: Path) -> Iterator[None]:
    """Keep numbers in their files during a read: one that moves to another would be counted twice, or not at all."""
    with _locked(folder) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield


class ProcessNumbers(NamedTuple):
    """The numbers in one file. kind: such as counter or gauge_livesum. process: its id, or `ended` for the merged ones.

    numbers: the value by key, which is JSON: [metric, series, labels, help].
    """

    kind: str
    process: str
    numbers: list[tuple[str, float]]


def read(folder: Path) -> list[ProcessNumbers]:
    """All files of a folder. A histogram's buckets are not cumulated there. Reads files: call it in a thread.

    prometheus_client's own reader makes objects of all series, which takes ten times as long.
    """
    found = []
    with looking(folder):
        for path in folder.glob("*.db"):
            kind, _, process = path.stem.rpartition("_")
            with suppress(FileNotFoundError):  # the gauges of a process that has just ended
                rows = MmapedDict.read_all_values_from_file(path)  # type: ignore[no-untyped-call]
                found.append(ProcessNumbers(kind, process, [(key, value) for key, value, *_ in rows]))
    return found


def _begin(path: str) -> Numbers:
    _in_use.append(Numbers(path))
    return _in_use[-1]


def _merge(folder: Path, kind: str, ended: Iterable[int]) -> bool:
    merged = folder / f"{kind}_ended.db"
    leftover = [path for pid in ended if (path := folder / f"{kind}_{pid}.db").exists()]
    total: Counter[str] = Counter()
    for path in [*([merged] if merged.exists() else []), *leftover]:
        for key, value, *_ in MmapedDict.read_all_values_from_file(path):  # type: ignore[no-untyped-call]
            total[key] += value
    new = folder / f"{kind}.merged"
    numbers = Numbers(str(new))
    for key, value in total.items():
        numbers.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
    is_whole = numbers.is_shared
    numbers.close()  # type: ignore[no-untyped-call]
    if not is_whole:
        new.unlink(missing_ok=True)
        return False
    new.rename(merged)
    for path in leftover:
        path.unlink()
    return True


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder / "numbers.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _reserve(path: Path, size: int) -> bool:
    """Create a file with `size` bytes reserved, unless it exists. Returns false if there is no space."""
    if path.exists():
        return True
    new = path.with_suffix(".new")  # a reader must not see a file without its size
    try:
        with new.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
        new.rename(path)
    except OSError:
        with suppress(OSError):
            new.unlink()
        return False
    return True


@contextmanager
def _memory() -> Iterator[Path]:
    """The path of a new file in memory, which other processes do not see."""
    descriptor = os.memfd_create("numbers")
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
