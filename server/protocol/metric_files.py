"""The files in which the processes of a server keep their numbers, so that each of them can tell those of all."""

from __future__ import annotations

import fcntl
import mmap
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

from core.files import lock_file

# What prometheus_client begins with: some three hundred series.
_BYTES = 1 << 16
# More than a number takes beside its key.
_AROUND_KEY = 64
# The kinds of metric that outlive their process. Gauges are of processes that live.
_LASTING = ("counter", "histogram")

_in_use: list[Numbers] = []


class Numbers(MmapedDict):
    """prometheus_client's numbers in a file mapped into memory, with room for every page before it is touched.

    Who touches a page for which the disk has no room is killed with SIGBUS. Where there is none, or the file's folder
    is gone, the numbers are in memory and nobody else sees them, until `keep` finds room.
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
        """Whether others can see them. Memory has no name, and a file that was deleted has none either."""
        return os.fstat(self._f.fileno()).st_nlink > 0

    def keep(self) -> None:
        """Give them a file where they have none."""
        if not self.is_shared and _reserve(self._path, self._capacity):
            self._move(self._path)

    def _init_value(self, key: str) -> None:
        """Add a number; the base class makes the file larger where it has to."""
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
    """Let prometheus_client keep its numbers so; before the first of them is made."""
    if sys.platform == "linux":  # elsewhere neither call is known
        values.MmapedDict = _begin  # type: ignore[assignment, attr-defined]


def keep() -> None:
    """To be called now and then, in each process that has numbers."""
    for numbers in _in_use:
        numbers.keep()


def merge(folder: Path, ended: Iterable[int]) -> bool:
    """Add what processes that have ended leave behind to one file for all of these, or every look would take longer.

    False where that cannot be done now: somebody looks, or there is no room.
    """
    with _locked(folder) as descriptor:
        return lock_file.lock(descriptor) and all(_merge(folder, kind, ended) for kind in _LASTING)


@contextmanager
def looking(folder: Path) -> Iterator[None]:
    """No number moves from one file to another meanwhile: it would be seen twice, or not at all."""
    with _locked(folder) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield


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
    """Make a file that has room for so many bytes, if it is not there; false where there is none."""
    if path.exists():
        return True
    new = path.with_suffix(".new")  # whoever looks meanwhile sees no file that has no size yet
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
    """A file to open that is on no disk, and that others do not see."""
    descriptor = os.memfd_create("numbers")
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
