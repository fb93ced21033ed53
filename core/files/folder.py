"""What is done with folders themselves."""

from __future__ import annotations

import os
from pathlib import Path


def sync(folder: Path) -> None:
    """Make what was renamed, added or deleted in a folder survive a power cut. Raises OSError.

    A file's own fsync covers its bytes; its name is on disk once its folder is.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
