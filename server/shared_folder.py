"""The folder of what the processes of one server share: the keeper's socket, and the numbers of metrics."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

# In memory: a disk may be full, or take its time.
MEMORY = "/dev/shm"  # noqa: S108 - the folder in it has a name of its own
PREFIX = "reversal-server-"
# Several times what 64 workers need.
_ROOM_BYTES = 32 << 20


def make() -> Path:
    """Make the folder, in memory where that is possible."""
    return Path(_in_memory() or tempfile.mkdtemp(prefix=PREFIX))


def _in_memory() -> str | None:
    with suppress(OSError):
        if shutil.disk_usage(MEMORY).free >= _ROOM_BYTES:
            return tempfile.mkdtemp(prefix=PREFIX, dir=MEMORY)
    return None
