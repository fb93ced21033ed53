"""The wheel in an environment of its own, outside the source tree."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from uv import find_uv_bin

from tests.processes import Server, free_port, wait_until_alive

# With these variables, the installed command could use the source tree or its environment.
REMOVED = {"PYTHONPATH", "VIRTUAL_ENV"}
ENVIRON = {name: value for name, value in os.environ.items() if name not in REMOVED}


class Built(NamedTuple):
    wheel: Path
    sdist: Path


def uv(*arguments: str) -> None:
    ended = subprocess.run([find_uv_bin(), *arguments], env=ENVIRON, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def built_in(folder: Path, tree: Path) -> Built:
    """Both files of a source tree. uv builds the wheel from the sdist, which shows that the sdist is complete."""
    uv("build", "--quiet", "--out-dir", str(folder), str(tree))
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Built(wheel, sdist)


def environment_of(folder: Path, wheel: Path, tree: Path) -> Path:
    """Make an environment with a wheel and the locked dependencies of its tree; returns its folder of commands."""
    uv("venv", "--quiet", "--python", sys.executable, str(folder))
    install = ["pip", "install", "--quiet", "--python", str(folder), "--no-deps"]
    uv(*install, "--require-hashes", "-r", str(tree / "requirements" / "serve.txt"))
    uv(*install, str(wheel))
    return folder / "bin"


def reversal(commands: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    call = [str(commands / "reversal"), *arguments]
    return subprocess.run(call, cwd=folder, env=ENVIRON, capture_output=True, text=True, check=False)


@contextmanager
def serving(commands: Path, folder: Path) -> Iterator[Server]:
    port = free_port()
    with tempfile.TemporaryFile() as log:
        call = [str(commands / "reversal"), "serve", "--port", str(port), "--workers", "1", "--grace-seconds", "0"]
        process = subprocess.Popen(call, cwd=folder, env=ENVIRON, stdout=log, stderr=log)
        server = Server(f"http://127.0.0.1:{port}", process, log)
        try:
            wait_until_alive(server)
            yield server
        finally:
            if process.poll() is None:
                server.kill()
