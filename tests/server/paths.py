"""The paths of the table of endpoints, as they are asked for."""

from __future__ import annotations

import re

_NAMES = {"{version}": "v1"}


def filled(path: str) -> str:
    """The path with something in each place: a version that there is, and else `none`."""
    return re.sub(r"{\w+}", lambda found: _NAMES.get(found[0], "none"), path)
