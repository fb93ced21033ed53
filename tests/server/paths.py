"""The paths of the table of endpoints with values in their places."""

from __future__ import annotations

import re

_NAMES = {"{version}": "v1", "{model}": "reversal"}


def filled(path: str) -> str:
    """The path with a value in each place: a known version, or `none`."""
    return re.sub(r"{\w+}", lambda found: _NAMES.get(found[0], "none"), path)
