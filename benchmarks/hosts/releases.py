"""Two releases of the server, each installed from its wheel with its own locked dependencies."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import ROOT
from tests.reversal.installed import built_in, environment_of

# The last commit before there were several machines to run on: its store has no table `replicas`, and its servers do
# not know which versions the others have. Every release since then must be able to replace it under load.
OLD = "18a5cec77c57d72f2dc8de04726626a99ca842de"


class Releases(NamedTuple):
    """The folders with the command `reversal` of each release."""

    old: Path
    new: Path


def is_there(commit: str = OLD) -> bool:
    """Whether the repository has a commit. A shallow clone may not have it: `git fetch --unshallow` brings it."""
    call = ["git", "cat-file", "-e", f"{commit}^{{commit}}"]
    return subprocess.run(call, cwd=ROOT, capture_output=True, check=False).returncode == 0  # noqa: S603 - a commit


def built(folder: Path, commit: str = OLD) -> Releases:
    """Build and install the release of a commit, and that of this checkout."""
    tree, archive = folder / "tree", folder / "tree.tar"
    subprocess.run(["git", "archive", "-o", str(archive), commit], cwd=ROOT, check=True)  # noqa: S603, S607 - a commit
    with tarfile.open(archive) as files:
        files.extractall(tree, filter="data")
    return Releases(_installed(folder / "old", tree), _installed(folder / "new", ROOT))


def _installed(folder: Path, tree: Path) -> Path:
    built = built_in(folder / "dist", tree)
    return environment_of(folder / "environment", built.wheel, tree)
