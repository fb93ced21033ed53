"""The files in which the processes of a server keep their numbers, so that each of them can tell those of all."""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

# What prometheus_client begins with: some three hundred series.
_BYTES = 1 << 16
# More than a number takes beside its key.
_AROUND_KEY = 64
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


def _begin(path: str) -> Numbers:
    _in_use.append(Numbers(path))
    return _in_use[-1]


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
