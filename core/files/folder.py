"""Operations on folders."""

from __future__ import annotations

import os
from pathlib import Path


def sync(folder: Path) -> None:
    """Write a folder's list of names to disk, so that renames, additions and deletions survive a power cut.

    An fsync of a file covers its bytes only; its name is on disk after an fsync of its folder. Raises OSError.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
