"""Whether a file is a mount of its own, as `docker run -v state.db:/data/state.db` makes it."""

from __future__ import annotations

import os
import re
from pathlib import Path

_ID = re.compile(r"^mnt_id:\s*(\d+)$", re.MULTILINE)


def is_mounted_alone(path: Path) -> bool:
    """Whether a file is on another mount than its folder. False if it is absent, or if the system does not say.

    The device numbers do not tell, because a bind mount of a file on the same file system has the same number.
    """
    path = Path(os.path.realpath(path))
    try:
        return _mount_id(path) != _mount_id(path.parent)
    except (OSError, AttributeError):  # absent, or not on Linux
        return False


def _mount_id(path: Path) -> str | None:
    # Opened for its place only: closing it releases no lock that another part of this process holds on the file.
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        found = _ID.search(Path(f"/proc/self/fdinfo/{descriptor}").read_text())
    finally:
        os.close(descriptor)
    return found and found[1]
