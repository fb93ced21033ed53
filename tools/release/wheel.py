"""The wheel and the sdist, built twice from the commit."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tools.release import page
from tools.release.steps import FOLDER, ROOT, StepFailed, last_line, output, tested
from tools.release.versions import version_of


def names() -> tuple[str, str]:
    """The file names of the wheel and of the sdist."""
    version = version_of()
    return f"reversal-{version}-py3-none-any.whl", f"reversal-{version}.tar.gz"


def build() -> str:
    """Build both twice, in two folders at different times of day, and keep one of each pair. Raises StepFailed.

    They are made of the files of the commit, not of those in the working folder, with the packages of
    requirements/build.txt, and with the page at /dashboard, which is built there with the libraries of its lock. Their
    times are that of the commit.
    """
    with tempfile.TemporaryDirectory(prefix="reversal-wheel-") as first, tempfile.TemporaryDirectory() as second:
        files = [_built(Path(folder), umask) for folder, umask in ((first, 0o022), (second, 0o077))]
        digests = [[hashlib.sha256(path.read_bytes()).hexdigest() for path in paths] for paths in files]
        if digests[0] != digests[1]:
            raise StepFailed(f"two builds of one commit differ: {digests[0]} and {digests[1]}")
        FOLDER.mkdir(parents=True, exist_ok=True)
        for path in files[0]:
            shutil.copyfile(path, FOLDER / path.name)
    return f"{names()[0]}, {(FOLDER / names()[0]).stat().st_size:,} bytes, twice the same: {digests[0][0][:12]}…"


def _built(folder: Path, umask: int) -> list[Path]:
    source, made = folder / "source", folder / "dist"
    source.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=False)  # noqa: S607 - git of the path
    if archive.returncode:
        raise StepFailed(f"git archive: {last_line(archive.stderr.decode())}")
    (folder / "source.tar").write_bytes(archive.stdout)
    with tarfile.open(folder / "source.tar") as files:
        files.extractall(source, filter="data")
    page.build(source / "dashboard", umask)
    environ = os.environ | {"SOURCE_DATE_EPOCH": output("git", "log", "-1", "--format=%ct").strip()}
    command: list[str | Path] = [Path(sys.executable).with_name("uv"), "build", "--quiet", "--out-dir", made, source]
    pinned: list[str | Path] = ["--build-constraints", source / "requirements" / "build.txt", "--require-hashes"]
    done = subprocess.run(  # noqa: S603 - our own
        [*command, *pinned], env=environ, umask=umask, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise StepFailed(f"uv build: {last_line(done.stderr)}")
    return [made / name for name in names()]


def install() -> str:
    """The tests of the wheel with this one, in a new environment outside of the source. Raises StepFailed."""
    return tested("installed", ["tests/reversal/test_wheel.py"], TEST_WHEEL_FOLDER=str(FOLDER))
