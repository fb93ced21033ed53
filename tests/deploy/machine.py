"""A machine for the deployment guide: an ordinary user with an empty home folder, and a network of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests import needs
from tests.market import ROOT
from tests.processes import children

# Another one than that of tests/namespaces.py, whose limit counts all processes of its user.
USER = 61235
SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# How this machine reaches its package index, if that is set by variables.
PACKAGES = re.compile(r"PIP_\w+|(https?|no)_proxy|SSL_CERT_\w+", re.IGNORECASE)
# In a network of its own each port of the guide is free. Only what installs packages has the network of the machine.
INSTALLS = re.compile(r"\bpip\b|/install\b")


class Machine:
    """Namespaces in which shell blocks run as an ordinary user. Its processes end with it."""

    def __init__(self, home: Path, init: int, path: str) -> None:
        self.home = home
        self.init = init
        packages = {name: value for name, value in os.environ.items() if PACKAGES.fullmatch(name)}
        self.environ = {"HOME": str(home), "PATH": path, "USER": "operator", "LANG": "C.UTF-8", **packages}

    def command(self, arguments: Sequence[str], *, network: bool = False) -> list[str]:
        """The command that runs another one on this machine. `network`: with the network of the machine of the test."""
        namespaces = ["--pid", "--mount"] if network else ["--pid", "--mount", "--net"]
        user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--inh-caps=-all"]
        user += ["env", "--ignore-environment", *(f"{name}={value}" for name, value in self.environ.items())]
        return ["nsenter", f"--target={self.init}", *namespaces, f"--wd={self.home}", *user, *arguments]

    def run(self, block: str, *, strict: bool = True) -> str:
        """Run a block in a new shell in the home folder; returns what a terminal shows. `strict`: no command fails."""
        options = ["-euo", "pipefail"] if strict else []
        call = self.command(["bash", *options, "-c", block], network=INSTALLS.search(block) is not None)
        # A file, because servers that the block starts keep a pipe open.
        with tempfile.TemporaryFile() as terminal:
            ended = subprocess.run(
                call, cwd=self.home, stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal,
                check=False, timeout=900,
            )  # fmt: skip
            terminal.seek(0)
            output = terminal.read().decode()
        assert not strict or ended.returncode == 0, f"exit code {ended.returncode}\n{block}\n{output}"
        return output

    def own(self, *paths: Path) -> None:
        """Give files to the user."""
        for path in paths:
            for each in (path, *path.rglob("*")):
                os.chown(each, USER, USER, follow_symlinks=False)


@contextmanager
def machine(*programs: Path) -> Iterator[Machine]:
    """A new machine. `programs`: folders with programs before those of the system."""
    needs.root()
    for program, package in (("nsenter", "util-linux"), ("setpriv", "util-linux"), ("ip", "iproute2")):
        needs.program(program, package)
    folder = Path(tempfile.mkdtemp(prefix="operator-"))
    folder.chmod(0o755)
    home = folder / "home"
    users = folder / "passwd"
    # The user has a name, because PostgreSQL does not run for one without.
    users.write_text(Path("/etc/passwd").read_text() + f"operator:x:{USER}:{USER}::{home}:/bin/bash\n")
    script = f"mount --bind {users} /etc/passwd && ip link set lo up && echo ready && sleep infinity & wait"
    # bash, because as process 1 it collects ended orphans.
    call = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", script]
    outside = subprocess.Popen(call, stdout=subprocess.PIPE, text=True, cwd="/")
    assert outside.stdout is not None
    try:
        if outside.stdout.readline() != "ready\n":
            needs.missing("namespaces are not allowed here")
        home.mkdir()
        os.chown(home, USER, USER)
        (init,) = children(outside.pid)
        yield Machine(home, init, ":".join([*map(str, programs), SYSTEM]))
    finally:
        outside.kill()
        outside.wait()
        outside.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)  # a process that is ending may still write


def copy_source(folder: Path) -> None:
    """Copy the files of this checkout, without what its commands have made."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "benchmarks/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
