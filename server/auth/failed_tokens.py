"""Counts of wrong tokens by address, in memory that all workers share."""

from __future__ import annotations

import fcntl
import hashlib
import ipaddress
import math
import mmap
import os
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

# This many wrong tokens from one address within this many seconds are answered at once. Further ones are refused.
LIMIT = 10
WINDOW_SECONDS = 60.0

# An address has its place in one of these sets, each of which has so many places: 16,384 addresses in 256 KiB.
_SETS = 2048
_PLACES = 8
# One more place, for all addresses for which there is no other: see FailedTokens.
_SHARED = 1
_WORDS = 2 * (_PLACES + _SHARED)
# A place is two words: the address's key, and the window's start in milliseconds above this many bits of the count.
_COUNT_BITS = 8
_COUNT = (1 << _COUNT_BITS) - 1
# A worker that is stopped while it holds the lock must not stop the others. After so many attempts, a failure is
# counted without the lock; at worst one count is lost.
_ATTEMPTS = 100

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class WrongToken(NamedTuple):
    """A wrong token that was counted: its number in the window of its address, and the seconds that are left of it."""

    number: int
    seconds: float

    @property
    def refused(self) -> bool:
        """Whether there were too many before."""
        return self.number > LIMIT

    @property
    def retry_after(self) -> int:
        """Whole seconds after which a wrong token is answered at once again."""
        return max(1, math.ceil(self.seconds))


class FailedTokens:
    """Counts the wrong tokens of each address.

    The memory is bounded, and an attacker with many addresses cannot use that. An address that is over the limit keeps
    its place until its window ends. If all places of a set are taken, a new address takes the place with the lowest
    count, and the oldest of those. If all of them are over the limit, addresses without a place are counted together.
    The sets depend on a secret, so that an attacker cannot choose the set.

    A process can be killed at any moment. The kernel then releases its lock, and a place is never half written: its
    second word is 0, which means free, until both words are valid.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Create the shared memory. Call it before the fork. `now`: seconds of a clock that all processes share."""
        self._now = now
        self._key = os.urandom(16)
        size = _SETS * _WORDS * 8
        self._file = _nameless_file()
        weakref.finalize(self, os.close, self._file)
        os.ftruncate(self._file, size)
        self._words = memoryview(mmap.mmap(self._file, size)).cast("Q")

    def add(self, address: str) -> WrongToken:
        """Count a wrong token of an address."""
        key = int.from_bytes(hashlib.blake2b(_network(address), key=self._key, digest_size=8).digest(), "little") or 1
        first = key % _SETS * _WORDS
        with self._locked():
            now = int(self._now() * 1000)
            place, taken = self._place(first, key, now)
            words = self._words
            since, count = now, 1
            if taken:
                since, count = words[place + 1] >> _COUNT_BITS, min((words[place + 1] & _COUNT) + 1, _COUNT)
            else:
                words[place + 1] = 0
                words[place] = key
            words[place + 1] = since << _COUNT_BITS | count
        return WrongToken(count, (since - now) / 1000 + WINDOW_SECONDS)

    def _place(self, first: int, key: int, now: int) -> tuple[int, bool]:
        """The place in which to count an address, and whether it is its own, or the shared one and in use."""
        words, begin = self._words, now - int(WINDOW_SECONDS * 1000)
        lowest, best = LIMIT << 64, None
        for place in range(first, first + 2 * _PLACES, 2):
            state = words[place + 1]
            since, count = state >> _COUNT_BITS, state & _COUNT
            ended = since < begin or not count
            if words[place] == key and not ended:
                return place, True
            rank = -1 if ended else count << 64 | since  # the lowest count, and of those the oldest
            if rank < lowest:
                lowest, best = rank, place
        if best is not None:
            return best, False
        shared = first + 2 * _PLACES
        return shared, words[shared + 1] >> _COUNT_BITS >= begin and words[shared + 1] != 0

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the kernel, which releases it if this process is killed."""
        held = any(self._lock() for _ in range(_ATTEMPTS))
        try:
            yield
        finally:
            if held:
                fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _lock(self) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0)  # let the process run that holds it
            return False
        return True


def _nameless_file() -> int:
    """A file for the lock and the counts. Its descriptor is returned."""
    try:
        return os.memfd_create("failed tokens")  # needs no disk
    except (AttributeError, OSError):  # only Linux has it, and a container can forbid it
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())


def _network(address: str) -> bytes:
    """What is counted as one address: an IPv4 address, an IPv6 network of 64 bits, or another text as it is.

    A host of IPv6 usually has a whole network of 64 bits. An IPv4 address within an IPv6 one counts as that.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address.encode()
    if isinstance(found, ipaddress.IPv4Address):
        return found.packed
    if found.ipv4_mapped is not None:
        return found.ipv4_mapped.packed
    if found in _NAT64:
        return found.packed[-4:]
    return found.packed[:8]
