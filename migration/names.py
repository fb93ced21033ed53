"""Names that this service takes, made from names that only the old service took."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

_BAD = re.compile(r"[^A-Za-z0-9_.-]+")
_MOST = 64  # characters of an ExperimentId and of a VersionName
_HASH = 8  # characters


def usable(name: str, kind: Any) -> str:  # noqa: ANN401 - ExperimentId or VersionName
    """The name itself if it is valid for the type, or else a similar one: `my test` becomes `my_test-1c3bc041`.

    The hash of the name makes the result different for different names, whatever else is imported, and the same for
    each import.
    """
    try:
        msgspec.convert(name, kind)
    except (msgspec.ValidationError, UnicodeEncodeError):
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]
        similar = _BAD.sub("_", name).strip("_.-")[: _MOST - _HASH - 1]
        return f"{similar or 'unnamed'}-{digest}"
    return name
