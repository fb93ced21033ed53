"""Prometheus' programs for tests: `promtool`, which checks rules, and the server."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests import needs

MISSING = "{} is not installed: install Debian's package prometheus, or put its programs on the path"


def promtool(*arguments: str, folder: Path) -> tuple[int, str]:
    """The exit code and the output of promtool. Skips the test if it is not installed."""
    found = shutil.which("promtool")
    if found is None:
        needs.missing(MISSING.format("promtool"))
    done = subprocess.run([found, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr
