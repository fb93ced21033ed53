"""What a test needs of its machine. Where that is missing, the test is skipped by name; in CI it fails instead."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip the test, or let it fail if the environment variable CI is set: a skip in CI would go unnoticed."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}; CI is set, so the test is not skipped")
    pytest.skip(what)


def program(name: str, package: str) -> str:
    """The path of a program. `package`: Debian's package that has it."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/lib/systemd")
    if found is None:
        missing(f"{name} is not installed: install Debian's package {package}")
    return found


def root() -> None:
    """Being root."""
    if os.geteuid() != 0:
        missing("only root can make namespaces and change users")
