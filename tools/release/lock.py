"""What a lock in requirements/ has: each package with its version, its hashes and where it is installed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_START = re.compile(r"^([\w.-]+)==([^\s;\\]+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class Locked(NamedTuple):
    """A package of a lock. `hashes`: the SHA-256 of each file that may be installed."""

    name: str
    version: str
    hashes: tuple[str, ...]

    @property
    def purl(self) -> str:
        """The package URL."""
        return f"pkg:pypi/{self.name.lower().replace('_', '-')}@{self.version}"


def read(path: Path) -> list[Locked]:
    """The packages of a lock, in its order."""
    text = path.read_text()
    starts = list(_START.finditer(text))
    ends = [*(each.start() for each in starts[1:]), len(text)]
    return [
        Locked(each[1], each[2], tuple(_HASH.findall(text[each.start() : end])))
        for each, end in zip(starts, ends, strict=True)
    ]
