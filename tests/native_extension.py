"""The optional extension, built for tests whether or not the checkout has one."""

from __future__ import annotations

import sysconfig
import tempfile
from functools import cache
from pathlib import Path

from core import native
from core.native import Extension
from core.native.build import build
from tests import needs


@cache
def built() -> Extension:
    """The extension of the present sources. Without a compiler or Python's headers the test is skipped by name."""
    needs.program("cc", "gcc")
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        needs.missing("Python's headers are not installed: install Debian's package python3-dev")
    with tempfile.TemporaryDirectory() as folder:
        return native.load(build(Path(folder)))
