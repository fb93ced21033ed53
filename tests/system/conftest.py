from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import bundles, needs
from tests.postgres import Server, running_postgres


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with v1 and v2. Both take the same small matrix, and v1 is active by default."""
    folder = tmp_path_factory.mktemp("models")
    bundles.write(folder, "v1")
    bundles.write(folder, "v2", threshold=0.6)
    bundles.write_order(folder, "v1", "v2")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server that a test can stop, but must start again."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A separate file system of 16 MiB."""
    if os.geteuid() != 0:
        needs.missing("only root can mount a file system; the tests of core simulate a full disk for other users")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", "size=16m", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        needs.missing(f"mounting is not allowed here: {mounted.stderr.decode()}")
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", str(folder)], check=True)
